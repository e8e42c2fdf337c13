"""`/gateway/stats`: what was counted, and the present state of services and process, as values for JSON."""

from __future__ import annotations

from collections import Counter
from typing import Any

from apigateway import __version__
from apigateway.admin.health import breaker_state, service_status
from apigateway.admin.view import View
from apigateway.telemetry.lines import rfc3339
from apigateway.telemetry.memory import resident_bytes
from apigateway.telemetry.report import report
from apigateway.upstream.service import Service
from apigateway.upstream.target import Target


def stats(view: View) -> dict[str, Any]:
    """The whole page."""
    telemetry = view.telemetry
    telemetry.flush()
    statistics, wall = telemetry.statistics, telemetry.wall()
    uptime = statistics.uptime()
    minute, tallies = statistics.last_minute()
    return {
        "version": __version__,
        "time": rfc3339(wall),
        "started": rfc3339(wall - uptime),
        "uptime_s": round(uptime, 3),
        "process": _process(view),
        "reload": view.reloads.describe(),
        "listeners": {endpoint: {"tls": told} for endpoint, told in view.tls().items()},
        "services": _services(view),
        "since_start": report(statistics.since_start(), uptime),
        "last_minute": report(tallies, minute),
    }


def _process(view: View) -> dict[str, Any]:
    lag, shedding = view.telemetry.lag, view.shedding
    return {
        "in_flight": sum(service.in_flight for service in view.snapshot().services.values()),
        "shed_share": round(shedding.share, 3),
        "connections": view.connections(),
        "limiter_clients": view.limiter_clients(),
        "memory_bytes": resident_bytes(),
        "event_loop_lag_ms": {"last": _milliseconds(lag.last), "max": _milliseconds(lag.worst())},
        "access_log_lost_lines": view.telemetry.lost_lines(),
    }


def in_flight_by_route(service: Service, view: View) -> dict[str, int]:
    """How many exchanges with a service are under way, by route; those of a service that fell back on it included."""
    routes = {route.name: 0 for route in view.snapshot().routes if route.service is service}
    return routes | Counter(forward.exchange.route for forward in service.active)


def mirrored(view: View) -> dict[str, dict[str, dict[str, int]]]:
    """What became of the requests that are sent a second time: by service, and by the route that they came on."""
    told: dict[str, dict[str, dict[str, int]]] = {}
    for one in (mirror for route in view.snapshot().routes for mirror in route.mirrors):
        told.setdefault(one.service.name, {})[one.route] = one.counts.describe()
    return told


def _services(view: View) -> dict[str, Any]:
    services = {name: _service(one, view) for name, one in view.snapshot().services.items()}
    for name, told in mirrored(view).items():
        services[name]["mirrored"] = told
    return services


def _service(service: Service, view: View) -> dict[str, Any]:
    return {
        "status": service_status(service),
        "in_flight": service.in_flight,
        "max_in_flight": service.max_in_flight,
        "discovery": _discovery(service.name, view),
        "panic": service.in_panic,
        "further_attempts": service.counts.describe(),
        "relays": service.relays.describe(),
        "routes": {name: {"in_flight": count} for name, count in in_flight_by_route(service, view).items()},
        "targets": {target.url: _target(target, view) for target in service.targets},
    }


def _discovery(service: str, view: View) -> dict[str, Any] | None:
    """How targets are found, and the times of day when they changed and when that began to fail."""
    described = view.discovered().get(service)
    if described is None:
        return None
    wall = view.telemetry.wall()
    times = {name: None if ago is None else rfc3339(wall - ago) for name, ago in (
        ("changed", described["changed_ago_s"]), ("failing_since", described["failing_for_s"]))}  # fmt: skip
    return {**described, **times}


def _target(target: Target, view: View) -> dict[str, Any]:
    return {
        "health": target.health.describe(view.now()),
        "breaker": _breaker(target, view),
        "standing": target.standing.describe(view.now()),
        "latency_ms": _milliseconds(target.latency.now(view.now())) if target.latency is not None else None,
        "in_flight": target.in_flight,
        "attempts": target.attempts,
        "failures": target.failures,
        "pool": target.transport.statistics(),
    }


def _breaker(target: Target, view: View) -> dict[str, Any] | None:
    """What the breaker tells, and with each change the time of day when it came about."""
    if target.breaker is None:
        return None
    described = target.breaker.describe(view.now())
    wall = view.telemetry.wall()
    changes = [{**change, "time": rfc3339(wall - change["ago_s"])} for change in described["changes"]]
    return {**described, "state": breaker_state(target), "changes": changes}


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
