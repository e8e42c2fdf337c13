"""What may happen thousands of times a second is told of once a second, with how often it happened. Knows no log."""

from __future__ import annotations

from collections.abc import Callable

EVERY_S = 1.0


class Seldom:
    """Counts what happens and calls `tell` with the count since it was last called: at once, then once a second.

    `now` is a clock in seconds.
    """

    __slots__ = ("_now", "_tell", "_count", "_quiet_until")

    def __init__(self, now: Callable[[], float], tell: Callable[[int], None]) -> None:
        self._now = now
        self._tell = tell
        self._count = 0
        self._quiet_until = float("-inf")

    def __repr__(self) -> str:
        return f"<Seldom {self._count} untold>"

    def happened(self) -> None:
        """It happened once more."""
        self._count += 1
        now = self._now()
        if now >= self._quiet_until:
            self._quiet_until = now + EVERY_S
            count, self._count = self._count, 0
            self._tell(count)
