"""From a configuration to a Snapshot: the only module that names concrete classes.

Each part that has a choice of implementations is asked for by interface and name from a `Components` registry. What
must outlive a snapshot lives in the `Registry`. Knows nothing of requests, bytes or time passing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_network
from random import Random
from typing import Any, TypeVar
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.web.client import HTTPConnectionPool
from twisted.web.resource import Resource
from zope.interface import Interface, implementer
from zope.interface.registry import Components

from apigateway.config import model
from apigateway.discovery.resolver import Resolver, reactor_lookup
from apigateway.exchange import Exchange
from apigateway.http.answers import Answer
from apigateway.interfaces import ICircuitBreaker, IHealthChecker, IRateLimiter, ITransport
from apigateway.policies.catalogue import compile_policies
from apigateway.policies.policy import PolicyTools, request_side, response_side
from apigateway.routing.identity import Identity
from apigateway.routing.proxy_resource import Adapt, ProxyResource
from apigateway.routing.route import Route
from apigateway.routing.snapshot import Snapshot
from apigateway.routing.tree import Branch, mount
from apigateway.stores.memory import MemoryRateLimiter
from apigateway.upstream.breaker import CircuitBreaker
from apigateway.upstream.dial import ConnectTCP, Dialer
from apigateway.upstream.health import HealthChecker, TargetHealth
from apigateway.upstream.native_transport import NativeTransport
from apigateway.upstream.plan import ForwardPlan
from apigateway.upstream.probe import treq_probe
from apigateway.upstream.retry import RetryBudget
from apigateway.upstream.service import Service, TimeLimits
from apigateway.upstream.target import Target
from apigateway.upstream.treq_transport import TreqTransport

Kept = TypeVar("Kept")
_log = Logger(namespace="apigateway.upstream")


@dataclass(frozen=True)
class Surroundings:
    """What the gateway finds around it: reactor, TCP, monotonic clock, randomness; how long names are remembered."""

    reactor: Any
    connect: ConnectTCP
    now: Callable[[], float]
    random: Random = field(default_factory=Random)
    dns_ttl_s: float = 30.0


class Registry:
    """What outlives a snapshot, by key: targets with their pools, breakers and health, and the limiters' counts."""

    def __init__(self) -> None:
        self._kept: dict[tuple[object, ...], Any] = {}

    def keep(self, key: tuple[object, ...], make: Callable[[], Kept]) -> Kept:
        """What was kept under a key before, or what `make` makes."""
        if key not in self._kept:
            self._kept[key] = make()
        kept: Kept = self._kept[key]
        return kept

    def all(self, kind: str) -> list[Any]:
        """Everything whose key begins with `kind`."""
        return [value for key, value in self._kept.items() if key[0] == kind]


class ITargetSpec(Interface):
    """One target as configured, with its service and surroundings."""


@implementer(ITargetSpec)
@dataclass(frozen=True)
class TargetSpec:
    """See `ITargetSpec`."""

    service: model.Service
    url: str
    around: Surroundings
    resolver: Resolver


class IServiceSpec(Interface):
    """A service as configured, with its targets and surroundings."""


@implementer(IServiceSpec)
@dataclass(frozen=True)
class ServiceSpec:
    """See `IServiceSpec`."""

    service: model.Service
    targets: tuple[Target, ...]
    around: Surroundings
    probe: Callable[[str, float], Deferred[int]]


class ILimitSpec(Interface):
    """One rate limit as configured."""


@implementer(ILimitSpec)
@dataclass(frozen=True)
class LimitSpec:
    """See `ILimitSpec`."""

    limit: int
    window: float


def _native(spec: TargetSpec) -> ITransport:
    parts = urlsplit(spec.url)
    around, timeouts = spec.around, spec.service.timeouts
    assert parts.hostname is not None
    dialer = Dialer(
        parts.hostname,
        parts.port or 80,
        timeouts.connect,
        spec.resolver.resolve,
        around.connect,
        around.reactor,
        around.now,
    )
    return NativeTransport(spec.service.pool, dialer, around.now, timeouts.pool)


def _treq(spec: TargetSpec) -> ITransport:
    timeouts = spec.service.timeouts
    return TreqTransport(
        spec.url, spec.around.reactor, spec.service.pool, timeouts.connect, spec.around.now, timeouts.pool
    )


def _breaker(spec: TargetSpec) -> ICircuitBreaker:
    assert spec.service.circuit_breaker is not None
    service, target = spec.service.name, spec.url

    def on_change(old: str, new: str, reason: str, now: float) -> None:
        tell = _log.info if new == "closed" else _log.warn
        tell(
            "circuit breaker of {service} at {target}: {old} -> {new} ({reason})",
            event="breaker-changed", service=service, target=target, old=old, new=new, reason=reason,
        )  # fmt: skip

    return CircuitBreaker(spec.service.circuit_breaker, on_change)


def _checker(spec: ServiceSpec) -> IHealthChecker:
    assert spec.service.health_check is not None
    around = spec.around
    return HealthChecker(
        spec.service.name, spec.targets, spec.service.health_check, around.reactor, around.now, spec.probe,
        around.random, lambda target, reason, now: None,
    )  # fmt: skip


def default_components() -> Components:
    """The implementations in the box, by interface and name."""
    components = Components("apigateway")
    components.registerAdapter(_native, (ITargetSpec,), ITransport, "native")
    components.registerAdapter(_treq, (ITargetSpec,), ITransport, "treq")
    components.registerAdapter(_breaker, (ITargetSpec,), ICircuitBreaker, "consecutive-or-ratio")
    components.registerAdapter(_checker, (IServiceSpec,), IHealthChecker, "http")
    components.registerAdapter(
        lambda spec: MemoryRateLimiter(spec.limit, spec.window), (ILimitSpec,), IRateLimiter, "memory"
    )
    return components


class Assembly:
    """Makes snapshots. `adapt` makes the exchange of a stock request, for proxy resources in a stock `Site`."""

    def __init__(
        self, around: Surroundings, adapt: Adapt, registry: Registry | None = None, components: Components | None = None
    ) -> None:
        self.around = around
        self.registry = registry or Registry()
        self._adapt = adapt
        self._components = components or default_components()
        self._resolver = Resolver(reactor_lookup(around.reactor), around.now, around.dns_ttl_s)
        self._health_pool = HTTPConnectionPool(around.reactor)
        self._probe = treq_probe(around.reactor, self._health_pool)

    def snapshot(self, configuration: model.Configuration, pages: dict[bytes, Resource]) -> Snapshot:
        """The runtime graph of a configuration; `pages` are the gateway's own, by path."""
        services = {one.name: self._service(one) for one in configuration.services}
        for one in configuration.services:
            services[one.name].fallback = _fallback(one.fallback, services)
        routes = [
            (route, self._route(one, route, services[one.name]))
            for one in configuration.services
            for route in one.routes
        ]
        root = self._tree([made for _, made in routes], pages)
        return Snapshot(configuration, root, services, tuple(made for _, made in routes))

    def checkers(self, configuration: model.Configuration, snapshot: Snapshot) -> list[IHealthChecker]:
        """The health checkers of the services that are to be checked."""
        return [
            self._components.getAdapter(
                ServiceSpec(one, snapshot.services[one.name].targets, self.around, self._probe), IHealthChecker, "http"
            )
            for one in configuration.services
            if one.health_check is not None
        ]

    def close(self) -> None:
        """Close every connection to services as soon as it is idle."""
        for target in self.registry.all("target"):
            target.transport.close()
        self._health_pool.closeCachedConnections()

    def tracked_clients(self) -> int:
        """How many keys all rate limiters together remember."""
        return sum(limiter.tracked() for limiter in self.registry.all("limiter"))

    def sweep(self, now: float) -> None:
        """Let the limiters forget."""
        for limiter in self.registry.all("limiter"):
            limiter.sweep(now)

    def _service(self, one: model.Service) -> Service:
        timeouts, retries = one.timeouts, one.retries
        return Service(
            one.name,
            tuple(self._target(one, target) for target in one.targets),
            TimeLimits(timeouts.connect + timeouts.pool, timeouts.response, timeouts.idle),
            RetryBudget(retries.budget, retries.min_per_second),
            retries.attempts,
            self.around.now,
            one.finish_abandoned,
        )

    def _target(self, one: model.Service, target: model.Target) -> Target:
        def make() -> Target:
            spec = TargetSpec(one, target.url, self.around, self._resolver)
            transport = self._components.getAdapter(spec, ITransport, one.transport)
            breaker = None
            if one.circuit_breaker is not None:
                breaker = self._components.getAdapter(spec, ICircuitBreaker, "consecutive-or-ratio")
            return Target(target.url, _authority(target.url), target.weight, transport, breaker, TargetHealth())

        key = ("target", one.name, target, one.transport, one.timeouts, one.pool, one.circuit_breaker)
        return self.registry.keep(key, make)

    def _limiter(self, service: str, route: str, name: str, limit: model.RateLimit) -> IRateLimiter:
        """One count per service, or per route where a route has limits of its own."""
        key = ("limiter", service, route, name, limit)
        spec = LimitSpec(limit.limit, limit.window)
        return self.registry.keep(key, lambda: self._components.getAdapter(spec, IRateLimiter, "memory"))

    def _route(self, one: model.Service, route: model.Route, service: Service) -> Route:
        name = route_name(route)
        shared = all(other.policies.rate_limit == route.policies.rate_limit for other in one.routes)
        limiter = partial(self._limiter, one.name, "" if shared else name)
        policies = compile_policies(route.policies, PolicyTools(one.name, name, limiter, self.around.now))
        headers = route.policies.headers
        plan = ForwardPlan(
            strip=route.path.rstrip("/").encode() if route.strip_prefix else b"",
            pass_host=headers.host == "pass",
            forwarded=headers.forwarded,
            via=headers.via,
            on_response=response_side(policies),
        )
        return Route(
            name=name,
            prefix=route.path.encode(),
            service=service,
            plan=plan,
            methods=frozenset(method.encode() for method in route.methods),
            host=route.host.lower().encode() if route.host else None,
            headers=tuple((key.lower().encode(), value.encode()) for key, value in route.headers),
            allow_paths=frozenset(route.policies.allow_paths),
            on_request=request_side(policies),
            preflights=route.policies.cors is not None,
        )

    def _tree(self, routes: Iterable[Route], pages: dict[bytes, Resource]) -> Resource:
        by_prefix: dict[bytes, list[Route]] = {}
        for route in routes:
            by_prefix.setdefault(route.prefix.rstrip(b"/"), []).append(route)
        at_root = by_prefix.pop(b"", None)
        root: Resource = ProxyResource(_ordered(at_root), self._adapt) if at_root else Branch(None)
        for path, page in pages.items():
            if path != b"/" or not at_root:
                mount(root, path, page)
        for prefix in sorted(by_prefix):
            mount(root, prefix, ProxyResource(_ordered(by_prefix[prefix]), self._adapt))
        return root


def _ordered(routes: list[Route]) -> tuple[Route, ...]:
    """Routes that ask for more come first; among equals the configuration's order stands."""
    return tuple(sorted(routes, key=lambda route: (route.host is None, -len(route.headers))))


def route_name(route: model.Route) -> str:
    """What a route is called in logs and statistics: its path, and its host where it has one."""
    return f"{route.host}{route.path}" if route.host else route.path


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


def identity(configuration: model.Configuration, around: Surroundings) -> Callable[[Exchange], None]:
    """Who clients are, by the trusted proxies of a configuration."""
    networks = [ip_network(network, strict=False) for network in configuration.trusted_proxies]
    return Identity(networks, around.random.getrandbits)
