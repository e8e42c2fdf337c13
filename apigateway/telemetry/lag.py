"""How late the event loop is: a timer that notes when it was called and when it should have been. Knows only clocks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

INTERVAL = 0.1
WINDOW = 60.0


class LagMeter:
    """Measures the lateness of timers, in seconds: `last`, and the most of the last minute.

    A stall is seen if the timer falls due in it: any that is longer than `INTERVAL`, shorter ones by chance. Lateness
    is measured on `now`, a monotonic clock, because the reactor's own follows the time of day.
    """

    def __init__(self, clock: IReactorTime, now: Callable[[], float]) -> None:
        self._clock = clock
        self._now = now
        self._due = 0.0
        self._call: IDelayedCall | None = None
        # Times and latenesses, these falling: the first is the most of the window.
        self._peaks: deque[tuple[float, float]] = deque()
        self.last = 0.0

    def start(self) -> None:
        """Begin to measure."""
        self._due = self._now() + INTERVAL
        self._call = self._clock.callLater(INTERVAL, self._tick)

    def stop(self) -> None:
        """Measure no more."""
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _tick(self) -> None:
        now = self._now()
        self.last = max(0.0, now - self._due)
        while self._peaks and self._peaks[-1][1] <= self.last:
            self._peaks.pop()
        self._peaks.append((now, self.last))
        self._forget(now)
        self.start()

    def _forget(self, now: float) -> None:
        while self._peaks and self._peaks[0][0] < now - WINDOW:
            self._peaks.popleft()

    def worst(self) -> float:
        """The most of the last minute, in seconds."""
        self._forget(self._now())
        return self._peaks[0][1] if self._peaks else 0.0
