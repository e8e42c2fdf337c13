"""What was counted about exchanges, as families for Prometheus. Knows tallies, no services and no pages.

Label values are names of services, routes and targets of the configuration, and causes of the one table: their number
is bounded, whatever clients ask for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from apigateway.telemetry.prometheus import Samples, family, histogram_family
from apigateway.telemetry.report import SHED, merged, named
from apigateway.telemetry.statistics import Key
from apigateway.telemetry.tally import STATUS_CLASSES, Tally

Tallies = Mapping[Key, Tally]

_COUNTERS: dict[str, tuple[str, Callable[[Tally], int]]] = {
    "apigateway_request_bytes_total": ("Bytes of request bodies.", lambda tally: tally.bytes_in),
    "apigateway_response_bytes_total": ("Bytes of response bodies.", lambda tally: tally.bytes_out),
    "apigateway_attempts_total": ("Attempts at targets.", lambda tally: tally.attempts),
    "apigateway_repeats_total": ("Attempts after the first of an exchange.", lambda tally: tally.repeats),
    "apigateway_shed_total": (
        "Exchanges refused for want of room or time.",
        lambda tally: sum(tally.causes.get(code, 0) for code in SHED),
    ),
    "apigateway_fallbacks_total": ("Exchanges answered by a fallback.", lambda tally: tally.fallbacks),
}


def exchange_metrics(tallies: Tallies) -> list[str]:
    """The lines of all families about exchanges."""
    lines = family("apigateway_requests_total", "counter", "Exchanges that are over.", _by_status(tallies))
    lines += family(
        "apigateway_causes_total", "counter", "Exchanges that the gateway answered or cut itself.", _by_cause(tallies)
    )
    for name, (help, value) in _COUNTERS.items():
        lines += family(name, "counter", help, [(_labels(key), value(tally)) for key, tally in _ordered(tallies)])
    by_route = _by_route(tallies)
    lines += histogram_family(
        "apigateway_request_seconds",
        "Time from the complete request head to the end of the exchange.",
        [(labels, tally.total) for labels, tally in by_route],
    )
    lines += histogram_family(
        "apigateway_own_seconds",
        "The gateway's own share of that time.",
        [(labels, tally.own) for labels, tally in by_route],
    )
    return lines


def _ordered(tallies: Tallies) -> list[tuple[Key, Tally]]:
    """Tallies in a stable order."""
    return sorted(tallies.items(), key=lambda item: item[0])


def _labels(key: Key) -> dict[str, str]:
    service, route, target = key
    return {"service": named(service), "route": named(route), "target": named(target)}


def _by_status(tallies: Tallies) -> Samples:
    for key, tally in _ordered(tallies):
        for status, count in zip(STATUS_CLASSES, tally.statuses, strict=True):
            if count:
                yield {**_labels(key), "status": status}, count


def _by_cause(tallies: Tallies) -> Samples:
    for key, tally in _ordered(tallies):
        for cause, count in sorted(tally.causes.items()):
            yield {**_labels(key), "cause": cause}, count


def _by_route(tallies: Tallies) -> list[tuple[dict[str, str], Tally]]:
    groups: dict[tuple[str, str], list[Tally]] = {}
    for (service, route, _), tally in _ordered(tallies):
        groups.setdefault((named(service), named(route)), []).append(tally)
    return [({"service": service, "route": route}, merged(parts)) for (service, route), parts in groups.items()]
