"""The health of the gateway in words: of each target, of each service, of the whole. Looks, asks nobody.

A target is usable while its health checks find it healthy, it is not ejected, and its circuit breaker is not open. A
service is healthy if all its targets are usable with closed breakers, unhealthy if none is usable, degraded in between;
and so the whole. Services that only get requests a second time count for nothing but themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apigateway.admin.view import View
from apigateway.upstream.balancing.fitness import is_able, is_in
from apigateway.upstream.service import Service
from apigateway.upstream.target import Target

HEALTHY, DEGRADED, UNHEALTHY = "healthy", "degraded", "unhealthy"
CLOSED, OPEN = "closed", "open"

_OK, _UNAVAILABLE = 200, 503


def breaker_state(target: Target) -> str | None:
    """The state of a target's circuit breaker; None where it has none."""
    return target.breaker.state if target.breaker is not None else None


def _is_usable(target: Target) -> bool:
    return is_able(target) and breaker_state(target) != OPEN


def _may_be_tried(service: Service) -> bool:
    """Where no target is well all are tried, but not those that their breakers keep from work."""
    return any(breaker_state(target) != OPEN for target in service.targets)


def service_status(service: Service) -> str:
    """The health of one service."""
    if not any(_is_usable(target) for target in service.targets):
        return UNHEALTHY
    return HEALTHY if all(is_in(target) for target in service.targets) else DEGRADED


def overall_status(statuses: Sequence[str]) -> str:
    """The health of the whole; a gateway without services has nothing that could be ill."""
    if statuses and all(status == UNHEALTHY for status in statuses):
        return UNHEALTHY
    return HEALTHY if all(status == HEALTHY for status in statuses) else DEGRADED


def _of_all(view: View) -> str:
    return overall_status([service_status(service) for service in view.snapshot().serving().values()])


def health(view: View, sees_addresses: bool) -> tuple[dict[str, Any], int]:
    """The health page and its status. Without `sees_addresses` nothing in it tells where the targets are."""
    now = view.now()
    services = {
        name: _describe_service(service, now, sees_addresses) for name, service in view.snapshot().services.items()
    }
    status = _of_all(view)
    return {"status": status, "services": services}, _UNAVAILABLE if status == UNHEALTHY else _OK


def readiness(view: View) -> tuple[dict[str, Any], int]:
    """Whether new requests should be sent here, and the status that says so."""
    if view.stopping():
        return {"status": "not ready", "reason": "the gateway is stopping"}, _UNAVAILABLE
    awaited = view.awaited()
    if awaited:
        return {"status": "not ready", "reason": f"targets are looked for: {', '.join(awaited)}"}, _UNAVAILABLE
    serving = view.snapshot().serving().values()
    if serving and not any(_may_be_tried(service) for service in serving):
        return {"status": "not ready", "reason": "no service can be reached"}, _UNAVAILABLE
    return {"status": "ready"}, _OK


def _describe_service(service: Service, now: float, sees_addresses: bool) -> dict[str, Any]:
    return {
        "status": service_status(service),
        "breaker": _worst_breaker(service),
        "targets": [
            _describe_target(index, target, now, sees_addresses) for index, target in enumerate(service.targets)
        ],
    }


def _worst_breaker(service: Service) -> str | None:
    states = [breaker_state(target) for target in service.targets]
    return next((state for state in (OPEN, "half-open", CLOSED) if state in states), None)


def _describe_target(index: int, target: Target, now: float, sees_addresses: bool) -> dict[str, Any]:
    checks = target.health
    has_error = bool(checks.last_error)
    # What an error says may hold the address or the name of the target.
    error = checks.last_error if sees_addresses else "the last check failed"
    return {
        "target": target.url if sees_addresses else index,
        "status": HEALTHY if is_in(target) else DEGRADED if _is_usable(target) else UNHEALTHY,
        "breaker": breaker_state(target),
        "checked": checks.checked,
        "last_check_s_ago": round(now - checks.last_check, 3) if checks.last_check is not None else None,
        "latency_ms": round(checks.last_latency * 1000, 3) if checks.checked else None,
        "error": error if has_error else None,
    }
