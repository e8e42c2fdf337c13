"""The services of a snapshot in the making: targets with what is kept of them, balancing, budgets, checks.

Knows no routes and no policies. What must outlive the snapshot is kept in its `Draft`.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from zope.interface.registry import Components

from apigateway.assembly.balancers import balancing
from apigateway.assembly.components import ServiceSpec, Surroundings, TargetSpec
from apigateway.assembly.registry import Draft
from apigateway.assembly.secured import probe_of, tls_of
from apigateway.assembly.terms import terms_of
from apigateway.config import model
from apigateway.discovery.resolver import Resolver
from apigateway.http.answers import Answer
from apigateway.http.hosts import DEFAULT_PORTS
from apigateway.interfaces import ICircuitBreaker, IHealthChecker, ITransport
from apigateway.upstream.balancing.ewma import PeakEwma
from apigateway.upstream.balancing.standing import Standing
from apigateway.upstream.bulkhead import Bulkhead, Busy
from apigateway.upstream.health import TargetHealth
from apigateway.upstream.relays import Relays
from apigateway.upstream.service import Service
from apigateway.upstream.steps.retry import RetryBudget, RetryCounts
from apigateway.upstream.target import Target
from apigateway.upstream.treq.probe import Probe


class ServiceParts:
    """Makes services. `everyone` are those at work on exchanges with any; `probe` asks a target for its health."""

    def __init__(
        self,
        around: Surroundings,
        components: Components,
        resolver: Resolver,
        probe: Probe,
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
        retries = one.retries
        targets = tuple(self._target(one, target, kept) for target in one.targets)
        if one.health_check is not None:
            self._checker(one, targets, kept)
        chosen = balancing(one, targets, self._components, kept, self._around.random, self._around.now)
        return Service(
            one.name,
            targets,
            terms_of(one, one, kept),
            kept.keep(
                ("budget", one.name, retries.budget, retries.min_per_second),
                lambda: RetryBudget(retries.budget, retries.min_per_second),
            ),
            self._around.now,
            one.finish_abandoned,
            one.max_in_flight,
            kept.keep(("bulkhead", one.name), lambda: Bulkhead(one.name, self._everyone, self._around.random.random)),
            chosen.balancer,
            chosen.oversight,
            chosen.sticky,
            later=self._around.reactor.callLater,
            random=self._around.random.random,
            counts=kept.keep(("retried", one.name), RetryCounts),
            relays=kept.keep(("relays", one.name), lambda: Relays(one.name, lambda: self._around.random.randbytes(4))),
        )

    def _checker(self, one: model.Service, targets: tuple[Target, ...], kept: Draft) -> None:
        probe, secure = probe_of(one, self._probe, self._around, kept)
        key = ("checker", one.name, one.health_check, tuple(target.url for target in targets), secure)
        spec = ServiceSpec(one, targets, self._around, probe)
        kept.keep(key, lambda: self._components.getAdapter(spec, IHealthChecker, "http"))

    def _target(self, one: model.Service, target: model.Target, kept: Draft) -> Target:
        """Each part of a target is kept by what it is made of, so that one can change and the others live on."""
        tls = tls_of(one, target, self._around, kept)
        spec = TargetSpec(one, target, self._around, self._resolver, tls)
        own = (one.name, target.place)
        way = ("transport", *own, target.url, one.transport, one.pool, one.timeouts.connect, one.timeouts.pool,
               tls)  # fmt: skip
        rest = ("breaker", *own, one.circuit_breaker)
        judged_by = one.health_check and (one.health_check.path, one.health_check.statuses)
        state = ("health", *own, judged_by)
        transport = kept.keep(way, lambda: self._components.getAdapter(spec, ITransport, one.transport))
        breaker = kept.keep(rest, lambda: self._breaker_for(spec))
        health = kept.keep(state, TargetHealth)
        standing = kept.keep(("standing", *own), Standing)
        pace = ("latency", *own, one.balance.decay) if one.balance.strategy == "latency" else None
        latency = kept.keep(pace, lambda: PeakEwma(one.balance.decay)) if pace else None
        return kept.keep(
            ("target", *own, target.url, target.weight, way, rest, state, pace),
            lambda: Target(
                target.place, _authority(target.url), target.weight, transport, breaker, health, standing, latency
            ),
        )

    def _breaker_for(self, spec: TargetSpec) -> ICircuitBreaker | None:
        if spec.service.circuit_breaker is None:
            return None
        breaker: ICircuitBreaker = self._components.getAdapter(spec, ICircuitBreaker, "consecutive-or-ratio")
        return breaker


def _authority(url: str) -> bytes:
    """The `Host` of a target: its default port is left out."""
    parts = urlsplit(url)
    name = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = "" if parts.port in (None, DEFAULT_PORTS[parts.scheme]) else f":{parts.port}"
    return f"{name}{port}".encode()


def _fallback(fallback: model.Fallback | None, services: dict[str, Service]) -> Answer | Service | None:
    if fallback is None:
        return None
    if fallback.service is not None:
        return services[fallback.service]
    fields = [(name.encode(), value.encode()) for name, value in fallback.headers]
    return Answer(fallback.status, fields, fallback.body.encode())
