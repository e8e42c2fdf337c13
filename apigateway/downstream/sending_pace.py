"""Whether a client sends its body fast enough: how long it may be silent, and how much it must move in each window.

Times are seconds of the monotonic clock. Knows no exchange, and sets no timer: what it returns are deadlines.
"""

from __future__ import annotations

NEVER = float("inf")


class SendingPace:
    """The body that a client sends. It may be silent for `window_s`, and in each such span must send `least` bytes."""

    __slots__ = ("_window_s", "_least", "_sent", "_window_ends", "_silent_until")

    def __init__(self, window_s: float, least: int) -> None:
        self._window_s = window_s
        self._least = least
        self._sent = 0
        self._window_ends = self._silent_until = NEVER

    def sent(self, size: int) -> None:
        """So many bytes arrived."""
        self._sent += size

    def awaited(self, now: float) -> float:
        """The client is the one who is waited for; returns until when."""
        if self._window_ends == NEVER:
            self._window_ends = now + self._window_s
            self._sent = 0
        self._silent_until = now + self._window_s
        return min(self._silent_until, self._window_ends)

    def held(self) -> None:
        """The client is waited for no more: what it sends or not is somebody else's doing."""
        self._window_ends = NEVER

    def next_window(self, now: float) -> float:
        """The time is up: until when the client is waited for now; `now` where it was silent or too slow."""
        if now >= self._silent_until or self._sent < self._least:
            return now
        self._window_ends = now + self._window_s
        self._sent = 0
        return min(self._silent_until, self._window_ends)
