"""`/gateway/metrics`: what was counted, and the present state of services and process, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from apigateway import __version__
from apigateway.admin.health import CLOSED, OPEN, breaker_state
from apigateway.admin.relays import relay_metrics
from apigateway.admin.stats import in_flight_by_route, mirrored
from apigateway.admin.tls import tls_metrics
from apigateway.admin.view import View
from apigateway.telemetry.memory import resident_bytes
from apigateway.telemetry.metrics import exchange_metrics
from apigateway.telemetry.prometheus import Labels, family, page
from apigateway.telemetry.reloads import Reload, Reloads
from apigateway.upstream.service import Service
from apigateway.upstream.target import Target

_STATES = (CLOSED, "half-open", OPEN)

Named = list[tuple[dict[str, str], Target]]


def metrics(view: View) -> bytes:
    """The whole page."""
    view.telemetry.flush()
    services = view.snapshot().services.values()
    return page(
        [
            *exchange_metrics(view.telemetry.statistics.since_start()),
            *_service_metrics(view),
            *_further_metrics(view),
            *_mirror_metrics(view),
            *relay_metrics(view),
            *_target_metrics(_named_targets(services)),
            *_process_metrics(view),
            *_connection_metrics(view.connections()),
            *_reload_metrics(view.reloads),
            *tls_metrics(view.tls()),
            *_discovery_metrics(view),
        ]
    )


def _connection_metrics(told: Mapping[str, Any]) -> list[str]:
    lines = family("apigateway_connections", "gauge", "Connections of clients.", [({}, told["open"])])
    for what, meaning in (("evicted", "made room for others"), ("refused", "were not taken, for want of room")):
        counts = [({"reason": reason}, count) for reason, count in told[what].items()]
        lines += family(f"apigateway_connections_{what}_total", "counter", f"Those that {meaning}.", counts)
    return lines


def _reload_metrics(reloads: Reloads) -> list[str]:
    counts = [({"outcome": outcome}, count) for outcome, count in reloads.counts.items()]
    lines = family("apigateway_reloads_total", "counter", "Reloads, by what came of them.", counts)
    last: list[Reload] = [reloads.last] if reloads.last is not None else []
    lines += family("apigateway_last_reload_good", "gauge", "1 if the last reload did what was asked for.",
                    [({}, int(one.is_good)) for one in last])  # fmt: skip
    return lines + family("apigateway_last_reload_timestamp_seconds", "gauge", "When the last reload was.",
                          [({}, one.at) for one in last])  # fmt: skip


def _discovery_metrics(view: View) -> list[str]:
    found = view.discovered().items()
    counts = [({"service": name}, one["targets"]) for name, one in found]
    lines = family("apigateway_discovered_targets", "gauge", "Targets that were discovered.", counts)
    failing = [({"service": name}, int(one["error"] is not None)) for name, one in found]
    return lines + family("apigateway_discovery_failing", "gauge", "1 while targets cannot be found.", failing)


def _named_targets(services: Iterable[Service]) -> Named:
    """Each target once, also where a service lists an address twice."""
    targets = {(service.name, target.url): target for service in services for target in service.targets}
    return [({"service": service, "target": url}, target) for (service, url), target in targets.items()]


def _service_metrics(view: View) -> list[str]:
    samples = [
        ({"service": service.name, "route": route}, count)
        for service in view.snapshot().services.values()
        for route, count in in_flight_by_route(service, view).items()
    ]
    most = [({"service": service.name}, service.max_in_flight) for service in view.snapshot().services.values()]
    panics = [({"service": service.name}, int(service.in_panic)) for service in view.snapshot().services.values()]
    return [
        *family("apigateway_panic", "gauge", "1 while no target is well, so that all are tried.", panics),
        *family("apigateway_in_flight", "gauge", "Exchanges that are under way.", samples),
        *family("apigateway_max_in_flight", "gauge", "As many may be under way with a service.", most),
    ]


_FURTHER_COUNTERS = {
    "apigateway_retries_total": ("Attempts that were made after one that failed.", "retries"),
    "apigateway_retries_refused_total": ("Those that were not, and hedges, for want of budget.", "refused"),
    "apigateway_hedges_total": ("Attempts that were made beside another one.", "hedges"),
    "apigateway_hedges_won_total": ("Those of them that were answered first.", "hedges_won"),
}


def _further_metrics(view: View) -> list[str]:
    told = [({"service": one.name}, one.counts.describe()) for one in view.snapshot().services.values()]
    lines = []
    for name, (help, count) in _FURTHER_COUNTERS.items():
        lines += family(name, "counter", help, [(labels, counts[count]) for labels, counts in told])
    return lines


_MIRROR_COUNTERS = {
    "apigateway_mirror_sent_total": ("Requests that were sent a second time.", "sent"),
    "apigateway_mirror_failed_total": ("Those of them that were not answered.", "failed"),
}
_NOT_SENT = ("too_many", "too_large")


def _mirror_metrics(view: View) -> list[str]:
    told = [
        ({"service": service, "route": route}, counts)
        for service, routes in mirrored(view).items()
        for route, counts in routes.items()
    ]
    lines = []
    for name, (help, count) in _MIRROR_COUNTERS.items():
        lines += family(name, "counter", help, [(labels, counts[count]) for labels, counts in told])
    dropped = [({**labels, "reason": why}, counts[why]) for labels, counts in told for why in _NOT_SENT]
    lines += family("apigateway_mirror_dropped_total", "counter", "Those that could not be sent.", dropped)
    in_flight = [(labels, counts["in_flight"]) for labels, counts in told]
    return lines + family("apigateway_mirror_in_flight", "gauge", "Those that are under way.", in_flight)


_TARGET_METRICS: dict[str, tuple[str, str, Callable[[Target, dict[str, int]], float]]] = {
    "apigateway_target_in_flight": ("gauge", "Attempts that are under way.", lambda target, pool: target.in_flight),
    "apigateway_target_failures_total": ("counter", "Attempts that failed.", lambda target, pool: target.failures),
    "apigateway_target_healthy": ("gauge", "What the checks say: 1 healthy.", lambda target, _: target.health.healthy),
    "apigateway_target_ejected": ("gauge", "1 while it is ejected.", lambda target, _: target.standing.is_ejected),
    "apigateway_target_ejections_total": ("counter", "Ejections.", lambda target, _: target.standing.ejections),
    "apigateway_pool_open": ("gauge", "Open connections.", lambda target, pool: pool["open"]),
    "apigateway_pool_idle": ("gauge", "Open connections that are idle.", lambda target, pool: pool["idle"]),
    "apigateway_pool_waiting": ("gauge", "Attempts that wait for a connection.", lambda target, pool: pool["waiting"]),
    "apigateway_pool_opened_total": ("counter", "Connections opened.", lambda target, pool: pool["opened"]),
    "apigateway_pool_reused_total": ("counter", "Attempts on used connections.", lambda target, pool: pool["reused"]),
}


def _target_metrics(targets: Named) -> list[str]:
    pools = [target.transport.statistics() for _, target in targets]
    lines = []
    for name, (kind, help, value) in _TARGET_METRICS.items():
        samples = [(labels, int(value(target, pool))) for (labels, target), pool in zip(targets, pools, strict=True)]
        lines += family(name, kind, help, samples)
    return lines + family("apigateway_breaker_state", "gauge", "1 for the state it is in.", _breaker_samples(targets))


def _breaker_samples(targets: Named) -> Iterable[tuple[Labels, float]]:
    for labels, target in targets:
        if target.breaker is not None:
            for state in _STATES:
                yield {**labels, "state": state}, int(breaker_state(target) == state)


def _process_metrics(view: View) -> list[str]:
    telemetry = view.telemetry
    gauges: dict[str, tuple[str, float]] = {
        "apigateway_uptime_seconds": ("Seconds since start.", telemetry.statistics.uptime()),
        "apigateway_limiter_clients": ("Clients that the rate limiters remember.", view.limiter_clients()),
        "apigateway_resident_memory_bytes": ("Memory in use by this process.", resident_bytes()),
        "apigateway_event_loop_lag_seconds": ("How late the loop was last.", telemetry.lag.last),
        "apigateway_event_loop_lag_max_seconds": ("The most of the last minute.", telemetry.lag.worst()),
        "apigateway_shed_share": ("Refused of all new exchanges, as the loop is late: 0 to 1.", view.shedding.share),
        "apigateway_stopping": ("1 once the gateway has begun to stop.", int(view.stopping())),
    }
    lines = family("apigateway_info", "gauge", "The version, as a label.", [({"version": __version__}, 1)])
    for name, (help, value) in gauges.items():
        lines += family(name, "gauge", help, [({}, value)])
    lost = telemetry.lost_lines()
    return lines + family("apigateway_access_log_lost_lines_total", "counter", "Lines lost.", [({}, lost)])
