"""Percentiles of latencies: the nearest rank, so that each is one that occurred."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The least value that `percent` of all are not above; 0 of none."""
    if not ordered:
        return 0.0
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]
