"""How late the event loop is: a timer that notes when it was called and when it should have been. Knows only clocks.

What waits in the line of ready connections is late as well, see `sockets.wait`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from apigateway.sockets.wait import Wait

INTERVAL = 0.1
WINDOW = 60.0
LEAST_OVER = 0.5


class LagMeter:
    """Measures the lateness of timers, in seconds: `last`, the most of the last minute, the least of the last half
    second.

    `wait`, where it is given, tells how long connections that are ready wait for their turn: they may be later than any
    timer. A stall is seen if the timer falls due in it: any that is longer than `INTERVAL`, shorter ones by chance.
    Lateness is measured on `now`, a monotonic clock, because the reactor's own follows the time of day.
    """

    def __init__(self, clock: IReactorTime, now: Callable[[], float]) -> None:
        self._clock = clock
        self._now = now
        self._due = 0.0
        self._call: IDelayedCall | None = None
        self.wait: Wait | None = None
        # Times and latenesses, these falling: the first is the most of the window.
        self._peaks: deque[tuple[float, float]] = deque()
        # Times and latenesses of the last half second, and the one before: it tells of what had begun by then.
        self._recent: deque[tuple[float, float]] = deque()
        self.last = 0.0

    def start(self) -> None:
        """Begin to measure."""
        if self.wait is not None:
            self.wait.open()
        self._due = self._now() + INTERVAL
        self._call = self._clock.callLater(INTERVAL, self._tick)

    def stop(self) -> None:
        """Measure no more."""
        if self._call is not None:
            self._call.cancel()
            self._call = None
        if self.wait is not None:
            self.wait.close()

    def _tick(self) -> None:
        now = self._now()
        self.last = max(0.0, now - self._due, self.wait.seconds() if self.wait is not None else 0.0)
        while self._peaks and self._peaks[-1][1] <= self.last:
            self._peaks.pop()
        self._peaks.append((now, self.last))
        self._recent.append((now, self.last))
        self._forget(now)
        self.start()

    def _forget(self, now: float) -> None:
        while self._peaks and self._peaks[0][0] < now - WINDOW:
            self._peaks.popleft()
        while len(self._recent) > 1 and self._recent[1][0] <= now - LEAST_OVER:
            self._recent.popleft()

    def worst(self) -> float:
        """The most of the last minute, in seconds."""
        self._forget(self._now())
        return self._peaks[0][1] if self._peaks else 0.0

    def least(self) -> float:
        """The least of the last half second, in seconds: what the loop is late even at its best moment.

        A single stall, however long, does not show: the timer was on time before it.
        """
        self._forget(self._now())
        if not self._recent or self._now() - self._recent[0][0] < LEAST_OVER:
            return 0.0
        return min(late for _, late in self._recent)
