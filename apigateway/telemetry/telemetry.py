"""What the data path tells about exchanges: kept for a moment, then counted and logged in batches, off the path.

Knows exchanges, not what answers them. The cost for an exchange on the path is one append.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import length_hint
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from apigateway.interfaces import IExchangeObserver
from apigateway.telemetry.access_log import STOP_WAIT, AccessLog, AccessLogOptions, access_log
from apigateway.telemetry.lag import LagMeter
from apigateway.telemetry.statistics import Statistics
from apigateway.telemetry.writer import Writer

if TYPE_CHECKING:
    from apigateway.exchange import Exchange

FLUSH_EVERY = 0.05
MOST_PENDING = 64
"""So many exchanges are recorded together: few enough that the next one does not notice the wait, a quarter of a
millisecond, and enough that each costs little."""

_log = Logger(namespace="apigateway.telemetry")


@implementer(IExchangeObserver)
class Telemetry:
    """Hands exchanges that are over to the statistics and the access log, `MOST_PENDING` together at most.

    Every `FLUSH_EVERY` seconds none is left.

    `clock` runs the timers and tells the time of day, `now` is the monotonic clock of the exchanges. Without
    `options` there is no access log.
    """

    def __init__(self, options: AccessLogOptions | None, clock: IReactorTime, now: Callable[[], float]) -> None:
        self.statistics = Statistics(now)
        self.lag = LagMeter(clock, now)
        self.wall = clock.seconds
        self.access_log = access_log(options, now, clock.seconds) if options is not None else None
        self._now = now
        self._options = options
        self._finishing: list[Writer] = []
        self._lost_before = 0
        self._pending: list[Exchange] = []
        self._flushing = LoopingCall(self.flush)
        self._flushing.clock = clock

    def __repr__(self) -> str:
        return f"<Telemetry pending={len(self._pending)} lost={self.lost_lines()}>"

    def exchange_ended(self, exchange: Exchange) -> None:
        pending = self._pending
        pending.append(exchange)
        if len(pending) >= MOST_PENDING:
            self._record()

    def copy_ended(self, exchange: Exchange) -> None:
        """A request that was sent a second time is over: it is counted, but no client waits for it to be logged."""
        self._guarded(self.statistics.add, [exchange])

    def lost_lines(self) -> int:
        """How many lines of the access log were lost."""
        return self._lost_before + (self.access_log.lost() if self.access_log is not None else 0)

    def open_access_log(self, options: AccessLogOptions | None) -> AccessLog | None:
        """An access log by other options, open and ready for `use_access_log`; the present one where they are the same.

        Raises OSError if it can't be opened. One that is not used after all is to be given to `drop_access_log`.
        """
        if options is None:
            return None
        if options == self._options:
            return self.access_log
        is_same_place = self._options is not None and self._options.file == options.file
        opened = access_log(options, self._now, self.wall, self.access_log if is_same_place else None)
        opened.open()
        return opened

    def drop_access_log(self, log: AccessLog | None) -> None:
        """An access log that was opened is not wanted."""
        if log is not None and log is not self.access_log:
            log.drop()

    def use_access_log(self, log: AccessLog | None, options: AccessLogOptions | None) -> None:
        """Write to another access log from now on; the present one ends when it has written what it has."""
        self._options = options
        if log is self.access_log:
            return
        self.flush()
        if log is not None:
            log.start()
        before, self.access_log = self.access_log, log
        if before is not None:
            self._lost_before += before.lost()
            self._finishing = [*(one for one in self._finishing if not one.ended), before.finish()]

    def reopen_access_log(self) -> None:
        """Open the file of the access log again, after something else has moved it away."""
        if self.access_log is not None:
            self.access_log.reopen()

    def start(self) -> None:
        """Begin. Raises OSError if the access log can't be opened."""
        if self.access_log is not None:
            self.access_log.start()
        self._flushing.start(FLUSH_EVERY, now=False)
        self.lag.start()

    def stop(self) -> None:
        """Count and log what is pending, then stop; waits a bounded time for the access log."""
        self.lag.stop()
        if self._flushing.running:
            self._flushing.stop()
        self.flush()
        for writer in self._finishing:
            writer.stop(STOP_WAIT)
        if self.access_log is not None:
            self.access_log.stop()

    def flush(self) -> None:
        """Count and log what is pending now."""
        self._record()
        if self.access_log is not None:
            self.access_log.hand_over()
            self.access_log.report_trouble()

    def _record(self) -> None:
        batch, self._pending = self._pending, []
        if batch:
            self._guarded(self.statistics.add, batch)
            if self.access_log is not None:
                self._guarded(self.access_log.write, batch)

    def _guarded(self, step: Callable[[Iterator[Exchange]], None], batch: list[Exchange]) -> None:
        """A fault in one exchange stops neither the timer nor the other reader of the batch, and costs no other one."""
        rest, first, failed = iter(batch), None, 0
        while left := length_hint(rest):
            try:
                step(rest)
                break
            except Exception:
                # The iterator stands behind the one that failed, so that the next step goes on there.
                first, failed = first or Failure(), failed + 1
                if length_hint(rest) == left:
                    break
        if first is not None:
            _log.failure("{failed} of {exchanges} exchanges could not be recorded", first, event="telemetry-failed",
                         failed=failed, exchanges=len(batch))  # fmt: skip
