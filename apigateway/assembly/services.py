"""The services of a snapshot in the making: targets with what is kept of them, balancing, budgets, checks.

Knows no routes and no policies. What must outlive the snapshot is kept in its `Draft`.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred
from zope.interface.registry import Components

from apigateway.assembly.components import ServiceSpec, Surroundings, TargetSpec
from apigateway.assembly.registry import Draft
from apigateway.config import model
from apigateway.discovery.resolver import Resolver
from apigateway.http.answers import Answer
from apigateway.interfaces import ICircuitBreaker, IHealthChecker, ITransport
from apigateway.upstream.bulkhead import Bulkhead, Busy
from apigateway.upstream.health import TargetHealth
from apigateway.upstream.retry import RetryBudget
from apigateway.upstream.service import Service
from apigateway.upstream.target import Target
from apigateway.upstream.time_limits import TimeLimits


class ServiceParts:
    """Makes services. `everyone` are those at work on exchanges with any; `probe` asks a target for its health."""

    def __init__(
        self,
        around: Surroundings,
        components: Components,
        resolver: Resolver,
        probe: Callable[[str, float], Deferred[int]],
        everyone: set[Busy],
    ) -> None:
        self._around = around
        self._components = components
        self._resolver = resolver
        self._probe = probe
        self._everyone = everyone

    def services(self, configured: tuple[model.Service, ...], kept: Draft) -> dict[str, Service]:
        """All services by name, each with its fallback."""
        services = {one.name: self._service(one, kept) for one in configured}
        for one in configured:
            services[one.name].fallback = _fallback(one.fallback, services)
        return services

    def _service(self, one: model.Service, kept: Draft) -> Service:
        timeouts, retries = one.timeouts, one.retries
        targets = tuple(self._target(one, target, kept) for target in one.targets)
        if one.health_check is not None:
            self._checker(one, targets, kept)
        return Service(
            one.name,
            targets,
            TimeLimits(timeouts.connect + timeouts.pool, timeouts.response, timeouts.idle),
            kept.keep(
                ("budget", one.name, retries.budget, retries.min_per_second),
                lambda: RetryBudget(retries.budget, retries.min_per_second),
            ),
            retries.attempts,
            self._around.now,
            one.finish_abandoned,
            one.max_in_flight,
            kept.keep(("bulkhead", one.name), lambda: Bulkhead(one.name, self._everyone, self._around.random.random)),
        )

    def _checker(self, one: model.Service, targets: tuple[Target, ...], kept: Draft) -> None:
        key = ("checker", one.name, one.health_check, tuple(target.url for target in targets))
        spec = ServiceSpec(one, targets, self._around, self._probe)
        kept.keep(key, lambda: self._components.getAdapter(spec, IHealthChecker, "http"))

    def _target(self, one: model.Service, target: model.Target, kept: Draft) -> Target:
        """Each part of a target is kept by what it is made of, so that one can change and the others live on."""
        spec = TargetSpec(one, target.url, self._around, self._resolver)
        own = (one.name, target.url)
        way = ("transport", *own, one.transport, one.pool, one.timeouts.connect, one.timeouts.pool)
        rest = ("breaker", *own, one.circuit_breaker)
        judged_by = one.health_check and (one.health_check.path, one.health_check.statuses)
        state = ("health", *own, judged_by)
        transport = kept.keep(way, lambda: self._components.getAdapter(spec, ITransport, one.transport))
        breaker = kept.keep(rest, lambda: self._breaker_for(spec))
        health = kept.keep(state, TargetHealth)
        return kept.keep(
            ("target", *own, target.weight, way, rest, state),
            lambda: Target(target.url, _authority(target.url), target.weight, transport, breaker, health),
        )

    def _breaker_for(self, spec: TargetSpec) -> ICircuitBreaker | None:
        if spec.service.circuit_breaker is None:
            return None
        breaker: ICircuitBreaker = self._components.getAdapter(spec, ICircuitBreaker, "consecutive-or-ratio")
        return breaker


def _authority(url: str) -> bytes:
    """The `Host` of a target: its default port is left out."""
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}[parts.scheme]
    name = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{name}:{parts.port}".encode() if parts.port not in (None, default) else f"{name}".encode()


def _fallback(fallback: model.Fallback | None, services: dict[str, Service]) -> Answer | Service | None:
    if fallback is None:
        return None
    if fallback.service is not None:
        return services[fallback.service]
    fields = [(name.encode(), value.encode()) for name, value in fallback.headers]
    return Answer(fallback.status, fields, fallback.body.encode())
