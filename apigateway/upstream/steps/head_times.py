"""How long a service takes to the heads of its answers: quantiles that cost little, of what was not long ago.

Knows durations in seconds, nothing of exchanges.
"""

from __future__ import annotations

from apigateway.telemetry.histogram import Histogram

FEWEST = 50
"""With fewer times than this nothing is said."""

MOST = 1000
"""When so many are counted, each count is halved: what was long ago weighs less and less."""

FRESH = 16
"""A quantile is worked out anew after so many times."""


class HeadTimes:
    """Counts times, and tells the share that came within one."""

    __slots__ = ("_count", "_known", "_since", "_times")

    def __init__(self) -> None:
        self._times = Histogram()
        self._count = 0
        self._since = 0
        self._known: dict[float, float] = {}

    def __repr__(self) -> str:
        return f"<HeadTimes {self._count}>"

    def record(self, seconds: float) -> None:
        """An answer took so long; where it was not waited for, at least so long."""
        self._times.record(seconds)
        self._count += 1
        self._since += 1
        if self._count >= MOST:
            self._times.halve()
            self._count = self._times.count()
        if self._since >= FRESH:
            self._since = 0
            self._known.clear()

    def quantile(self, share: float) -> float | None:
        """The time within which this share of the heads came, within 5 %; None: too few are known."""
        if self._count < FEWEST:
            return None
        known = self._known.get(share)
        if known is None:
            (known,) = self._times.quantiles((share,))
            self._known[share] = known
        return known
