"""`/gateway/metrics`: what was counted, and the present state of services and process, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from apigateway import __version__
from apigateway.admin.health import CLOSED, OPEN, breaker_state
from apigateway.admin.stats import in_flight_by_route
from apigateway.admin.view import View
from apigateway.telemetry.memory import resident_bytes
from apigateway.telemetry.metrics import exchange_metrics
from apigateway.telemetry.prometheus import Labels, family, page
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
            *_target_metrics(_named_targets(services)),
            *_process_metrics(view),
        ]
    )


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
    return family("apigateway_in_flight", "gauge", "Exchanges that are under way.", samples)


_TARGET_METRICS: dict[str, tuple[str, str, Callable[[Target, dict[str, int]], float]]] = {
    "apigateway_target_in_flight": ("gauge", "Attempts that are under way.", lambda target, pool: target.in_flight),
    "apigateway_target_failures_total": ("counter", "Attempts that failed.", lambda target, pool: target.failures),
    "apigateway_target_healthy": ("gauge", "What the checks say: 1 healthy.", lambda target, _: target.health.healthy),
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
        "apigateway_event_loop_lag_seconds": ("How late the last timer was.", telemetry.lag.last),
        "apigateway_event_loop_lag_max_seconds": ("The most of the last minute.", telemetry.lag.worst()),
        "apigateway_stopping": ("1 once the gateway has begun to stop.", int(view.stopping())),
    }
    lines = family("apigateway_info", "gauge", "The version, as a label.", [({"version": __version__}, 1)])
    for name, (help, value) in gauges.items():
        lines += family(name, "gauge", help, [({}, value)])
    lost = telemetry.lost_lines()
    return lines + family("apigateway_access_log_lost_lines_total", "counter", "Lines lost.", [({}, lost)])
