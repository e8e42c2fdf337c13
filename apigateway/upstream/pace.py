"""How much happens a second, from a total that is looked at from time to time: what is counted anyway costs no more."""

from __future__ import annotations

WINDOW_S = 2.0


class Pace:
    """The growth of a total a second, over the last `WINDOW_S` to twice that. Times are monotonic seconds."""

    __slots__ = ("_older", "_newer", "_last")

    def __init__(self, total: int, now: float) -> None:
        self._older = self._newer = self._last = (now, total)

    def note(self, total: int, now: float) -> None:
        """Look at the total; one that has shrunk was begun anew."""
        if total < self._last[1]:
            self._older = self._newer = (now, total)
        elif now - self._newer[0] >= WINDOW_S:
            self._older, self._newer = self._newer, (now, total)
        self._last = (now, total)

    def per_second(self) -> float:
        """The pace; 0 where nothing is known yet."""
        (then, before), (now, total) = self._older, self._last
        return (total - before) / (now - then) if now > then else 0.0
