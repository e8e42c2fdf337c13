"""Durations counted in buckets of growing width, so that quantiles are right within 5 % at any scale.

Knows numbers only. The edges are 1, 2.5 and 5 of every power of ten and equal ratios of at most 1.1 between them:
what Prometheus is shown at round bounds is exact, and a quantile, reported as the value that is off by the same share
from both ends of its bucket, is wrong by at most 4.8 %.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate
from math import ceil

LOWEST = 1e-5
HIGHEST = 5e3

# First edge, ratio to the last, number of buckets; each step keeps the ratio of a single bucket below 1.1.
_STEPS = ((1.0, 2.5, 10), (2.5, 2.0, 8), (5.0, 2.0, 8))


def _edges() -> list[float]:
    edges = [
        float(f"{start * ratio ** (step / count)!r}e{power}")
        for power in range(-5, 4)
        for start, ratio, count in _STEPS
        for step in range(count)
    ]
    return [edge for edge in edges if edge <= HIGHEST]


EDGES = _edges()
"""The upper ends of the buckets, in seconds; each bucket holds what is above the edge before and not above its own."""


class Histogram:
    """Counts of durations in seconds. Sparse: a bucket costs nothing until it is hit.

    Within `LOWEST` and `HIGHEST` quantiles hold the 5 %; below they say `LOWEST`, above the maximum.
    """

    __slots__ = ("counts", "maximum", "total")

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.total = 0.0
        self.maximum = 0.0

    def record(self, seconds: float) -> None:
        """Count one duration; a negative one, which only a broken clock makes, falls into the lowest bucket."""
        index = bisect_left(EDGES, seconds)
        counts = self.counts
        counts[index] = counts.get(index, 0) + 1
        self.total += seconds
        self.maximum = max(self.maximum, seconds)

    def merge(self, other: Histogram) -> None:
        """Add the counts of another one."""
        counts = self.counts
        for index, count in other.counts.items():
            counts[index] = counts.get(index, 0) + count
        self.total += other.total
        self.maximum = max(self.maximum, other.maximum)

    def halve(self) -> None:
        """Let what was counted weigh half as much; a bucket with a single one is forgotten."""
        self.counts = {index: count // 2 for index, count in self.counts.items() if count > 1}
        self.total /= 2

    def count(self) -> int:
        """How many durations were recorded."""
        return sum(self.counts.values())

    def quantiles(self, shares: Iterable[float]) -> list[float]:
        """The smallest durations that at least each share (0 to 1) of all does not exceed; 0.0 of nothing."""
        if not self.counts:
            return [0.0 for _ in shares]
        indexes = sorted(self.counts)
        sums = list(accumulate(self.counts[index] for index in indexes))
        found = (indexes[bisect_left(sums, ceil(share * sums[-1]))] for share in shares)
        return [min(_representative(index, self.maximum), self.maximum) for index in found]

    def cumulative(self, bounds: Iterable[float]) -> list[int]:
        """How many durations do not exceed each of the bounds, which must be among `EDGES`."""
        lasts = [EDGES.index(bound) for bound in bounds]
        return [sum(count for index, count in self.counts.items() if index <= last) for last in lasts]


def _representative(index: int, maximum: float) -> float:
    if index == 0:
        return LOWEST
    if index == len(EDGES):
        return maximum
    low, high = EDGES[index - 1], EDGES[index]
    return 2 * low * high / (low + high)
