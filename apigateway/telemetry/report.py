"""Tallies as values for JSON: in all, and per service with its routes and targets. Knows no clock and no pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from apigateway.errors import OVERLOADED, POOL_EXHAUSTED, RATE_LIMITED, SERVICE_OVERLOADED
from apigateway.telemetry.histogram import Histogram
from apigateway.telemetry.statistics import Key
from apigateway.telemetry.tally import STATUS_CLASSES, Tally

NONE = "none"
"""Stands for the service, route or target of exchanges that did not get that far."""

SHED = tuple(cause.code for cause in (OVERLOADED, SERVICE_OVERLOADED, POOL_EXHAUSTED))
"""The causes that say that there was no room, or no time."""

MIRRORED = " (mirrored)"
"""Ends the names of routes under which requests are counted that were sent a second time; no client waited for them."""

_SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


def named(name: str) -> str:
    """A label that is never empty."""
    return name or NONE


def report(tallies: Mapping[Key, Tally], seconds: float) -> dict[str, Any]:
    """What was counted within `seconds`: in all, per service, and in each service per route and per target.

    What clients did not ask for is not in what was counted in all.
    """
    by_service: dict[str, dict[Key, Tally]] = {}
    for key, tally in tallies.items():
        by_service.setdefault(named(key[0]), {})[key] = tally
    return {
        "seconds": round(seconds, 1),
        "all": describe(merged(one for key, one in tallies.items() if not key[1].endswith(MIRRORED)), seconds),
        "services": {name: _service(parts, seconds) for name, parts in sorted(by_service.items())},
    }


def _service(tallies: Mapping[Key, Tally], seconds: float) -> dict[str, Any]:
    return {
        **describe(merged(tallies.values()), seconds),
        "routes": _parts(tallies, 1, seconds),
        "targets": _parts(tallies, 2, seconds),
    }


def _parts(tallies: Mapping[Key, Tally], position: int, seconds: float) -> dict[str, Any]:
    groups: dict[str, list[Tally]] = {}
    for key, tally in tallies.items():
        groups.setdefault(named(key[position]), []).append(tally)
    return {name: describe(merged(parts), seconds) for name, parts in sorted(groups.items())}


def merged(tallies: Iterable[Tally]) -> Tally:
    """One tally of several."""
    whole = Tally()
    for tally in tallies:
        whole.merge(tally)
    return whole


def describe(tally: Tally, seconds: float) -> dict[str, Any]:
    """The numbers of one tally; status classes and causes that did not occur are left out."""
    return {
        "requests": tally.requests,
        "per_second": round(tally.requests / seconds, 2) if seconds else 0.0,
        "statuses": {name: count for name, count in zip(STATUS_CLASSES, tally.statuses, strict=True) if count},
        "causes": dict(sorted(tally.causes.items())),
        "rate_limited": tally.causes.get(RATE_LIMITED.code, 0),
        "shed": sum(tally.causes.get(code, 0) for code in SHED),
        "fallbacks": tally.fallbacks,
        "bytes_in": tally.bytes_in,
        "bytes_out": tally.bytes_out,
        "attempts": tally.attempts,
        "repeats": tally.repeats,
        "latency_ms": {"total": _milliseconds(tally.total), "own": _milliseconds(tally.own)},
    }


def _milliseconds(histogram: Histogram) -> dict[str, float]:
    values = dict(zip(_SHARES, histogram.quantiles(_SHARES.values()), strict=True)) | {"max": histogram.maximum}
    return {name: round(value * 1000, 3) for name, value in values.items()}
