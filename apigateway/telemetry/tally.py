"""What is counted about exchanges, and how times of an exchange are read. Knows exchanges, no services and no output.

**The gateway's own share** of an exchange is the time from the complete request head to the request head's going out to
the target: routing, policies, the wait for a connection and, where a first attempt failed, that attempt. All of an
exchange that never reached a target is the gateway's own. The rest of the exchange is the service's share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from apigateway.telemetry.histogram import Histogram

if TYPE_CHECKING:
    from apigateway.exchange import Exchange

STATUS_CLASSES = ("none", *(f"{digit}xx" for digit in range(1, 10)))
"""Names of the slots of `Tally.statuses`; "none" are exchanges cut before any status was known."""


def status_of(exchange: Exchange) -> int:
    """The status for the record: what was sent, else what the cause stands for, else 0."""
    return exchange.status or (exchange.cause.status if exchange.cause is not None else 0)


def own_seconds(exchange: Exchange) -> float:
    """The gateway's own share of an exchange's time, in seconds."""
    return (exchange.sent or exchange.ended) - exchange.started


class Tally:
    """The counters of one (service, route, target), or of several merged. Times are seconds, sizes bytes of bodies."""

    __slots__ = (
        "attempts", "bytes_in", "bytes_out", "causes", "fallbacks", "own", "repeats", "requests", "statuses", "total",
    )  # fmt: skip

    def __init__(self) -> None:
        self.requests = self.fallbacks = self.attempts = self.repeats = 0
        self.bytes_in = self.bytes_out = 0
        self.statuses = [0] * len(STATUS_CLASSES)
        self.causes: dict[str, int] = {}
        self.total = Histogram()
        self.own = Histogram()

    def add(self, exchange: Exchange) -> None:
        """Count one exchange that is over."""
        self.requests += 1
        self.statuses[status_of(exchange) // 100] += 1
        self.bytes_in += exchange.bytes_in
        self.bytes_out += exchange.bytes_out
        attempts = exchange.attempts
        self.attempts += attempts
        if attempts > 1:
            self.repeats += attempts - 1
        if exchange.cause is not None:
            code = exchange.cause.code
            self.causes[code] = self.causes.get(code, 0) + 1
        if exchange.fallback:
            self.fallbacks += 1
        # After a 101 it lasts as long as somebody speaks: that is nobody's latency.
        self.total.record((exchange.answered if exchange.status == 101 else exchange.ended) - exchange.started)
        self.own.record(own_seconds(exchange))

    def merge(self, other: Tally) -> None:
        """Add the counts of another one."""
        self.requests += other.requests
        self.fallbacks += other.fallbacks
        self.attempts += other.attempts
        self.repeats += other.repeats
        self.bytes_in += other.bytes_in
        self.bytes_out += other.bytes_out
        self.statuses = [mine + theirs for mine, theirs in zip(self.statuses, other.statuses, strict=True)]
        for code, count in other.causes.items():
            self.causes[code] = self.causes.get(code, 0) + count
        self.total.merge(other.total)
        self.own.merge(other.own)
