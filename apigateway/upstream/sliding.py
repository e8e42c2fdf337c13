"""Two counts over a sliding window of time, cheap enough for every exchange.

Knows no clock: `now` is monotonic seconds. A `now` that is a little late is counted as of the latest one.
"""

from __future__ import annotations

from collections import deque

SLICES = 10


class SlidingCount:
    """How much happened in about the last `seconds`: `all`, and `marked` (a part of it, or something beside it).

    The window moves on in ten slices, so it covers between nine and ten tenths of `seconds`.
    """

    __slots__ = ("_before", "_past", "_slice", "_slice_ends", "_slice_s", "all", "marked")

    def __init__(self, seconds: float) -> None:
        self.all = self.marked = 0
        self._slice_s = seconds / SLICES
        self._slice = -1
        self._slice_ends = float("-inf")
        self._before = (0, 0)
        self._past: deque[tuple[int, int, int]] = deque()

    def count(self, now: float) -> None:
        """Add one to `all`."""
        if now >= self._slice_ends:
            self.move_to(now)
        self.all += 1

    def add(self, number: int, now: float) -> None:
        """Add so many to `all`."""
        self.move_to(now)
        self.all += number

    def mark(self, now: float) -> None:
        """Add one to `marked`."""
        if now >= self._slice_ends:
            self.move_to(now)
        self.marked += 1

    def move_to(self, now: float) -> None:
        """Let go of what is older than the window."""
        newest = int(now // self._slice_s)
        if newest <= self._slice:
            return
        self._end_slice()
        while self._past and self._past[0][0] <= newest - SLICES:
            _, old_all, old_marked = self._past.popleft()
            self.all -= old_all
            self.marked -= old_marked
        self._before = (self.all, self.marked)
        self._slice = newest
        self._slice_ends = (newest + 1) * self._slice_s

    def _end_slice(self) -> None:
        before_all, before_marked = self._before
        self._past.append((self._slice, self.all - before_all, self.marked - before_marked))
