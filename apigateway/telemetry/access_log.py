"""The access log: batches of exchanges become lines and go to the writing thread. Knows no statistics, no reactor."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from twisted.logger import Logger

from apigateway.telemetry.lines import FORMATS, QUERY_RULES
from apigateway.telemetry.log_file import sink_for
from apigateway.telemetry.writer import Writer

if TYPE_CHECKING:
    from apigateway.exchange import Exchange

STOP_WAIT = 2.0
MOST_HELD = 256 * 1024
"""With so many bytes of lines the writing thread gets them at once."""
REPORT_EVERY = 60.0

_log = Logger(namespace="apigateway.access_log")


class AccessLogOptions(Protocol):
    """The access log, as the configuration has it."""

    @property
    def file(self) -> str:
        """A path, or "-" for standard output."""

    @property
    def format(self) -> str:
        """One of `FORMATS`."""

    @property
    def query(self) -> str:
        """One of `QUERY_RULES`."""

    @property
    def rotate(self) -> int:
        """The size in bytes that a file does not exceed."""

    @property
    def keep(self) -> int:
        """How many old files stay."""


class AccessLog:
    """Writes exchanges. `now` is their monotonic clock, `wall` the time of day, both in seconds.

    `format` is a key of `FORMATS`, `query` one of `QUERY_RULES`.
    """

    def __init__(
        self,
        writer: Writer,
        format: str,
        query: str,
        now: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._writer = writer
        self._line = FORMATS[format](QUERY_RULES[query])
        self._now = now
        self._wall = wall
        # Growing one buffer is twice as fast as joining a list: the small pieces are freed at once and used again.
        self._lines = bytearray()
        self._count = 0
        self._reported = 0
        self._next_report = 0.0

    def open(self) -> None:
        """Get ready to write. Raises OSError if the file can't be opened."""
        self._writer.open()

    def drop(self) -> None:
        """It was opened, but is not wanted."""
        self._writer.drop()

    def start(self) -> None:
        """Begin to write. Raises OSError if the file can't be opened."""
        self._writer.start()

    def write(self, batch: Iterable[Exchange]) -> None:
        """Write exchanges that are over, with the next `hand_over`."""
        offset = self._wall() - self._now()
        line, lines = self._line, self._lines
        for exchange in batch:
            lines += line(exchange, offset)
            self._count += 1
        if len(lines) > MOST_HELD:
            self.hand_over()

    def hand_over(self) -> None:
        """Give the writing thread what there is: waking it costs more than a line, so it is done now and then."""
        if self._count:
            self._writer.put(bytes(self._lines), self._count)
            self._lines.clear()
            self._count = 0

    def lost(self) -> int:
        """How many lines were lost since start."""
        return self._writer.lost()

    def report_trouble(self) -> None:
        """Tell the event log of lines lost and of files not rotated, at most once in `REPORT_EVERY` seconds."""
        lost, error = self._writer.lost(), self._writer.error()
        if (lost == self._reported and error is None) or self._now() < self._next_report:
            return
        _log.warn(
            "the access log has trouble: {reason}; {lines} lines lost",
            event="access-log-trouble",
            lines=lost - self._reported,
            reason=str(error or "its reader does not keep up"),
        )
        self._reported = lost
        self._next_report = self._now() + REPORT_EVERY

    def reopen(self) -> None:
        """Open the file again, after something else has moved it away."""
        self.hand_over()
        self._writer.reopen()

    def finish(self) -> Writer:
        """Hand over what there is, for the last time; waits for nothing. Returns who still has to write it."""
        self.hand_over()
        self._writer.finish()
        return self._writer

    def stop(self) -> None:
        """Write what is waiting, but hold up the stop no longer than `STOP_WAIT` seconds."""
        self.hand_over()
        if not self._writer.stop(STOP_WAIT):
            _log.warn(
                "the access log has trouble: {reason}; {lines} lines lost",
                event="access-log-trouble",
                lines=self._writer.waiting(),
                reason="still waiting to be written at the end",
            )


def access_log(
    options: AccessLogOptions, now: Callable[[], float], wall: Callable[[], float], after: AccessLog | None = None
) -> AccessLog:
    """The access log that a configuration asks for. `after` is one to the same place, which it takes over."""
    sink = sink_for(options.file, options.rotate, options.keep)
    writer = Writer(sink, after=after._writer if after is not None else None)
    return AccessLog(writer, options.format, options.query, now, wall)
