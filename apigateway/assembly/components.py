"""The implementations in the box, by interface and name, and what each is made from.

With `balancers` and `discoveries` what there is to choose from. Knows nothing of requests, bytes or time passing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConnector
from twisted.logger import Logger
from zope.interface import Interface, implementer
from zope.interface.registry import Components

from apigateway.assembly.balancers import register_balancers
from apigateway.config import model
from apigateway.discovery.resolver import Resolver
from apigateway.http.hosts import DEFAULT_PORTS
from apigateway.interfaces import ICircuitBreaker, IHealthChecker, IRateLimiter, ITransport
from apigateway.stores.memory import MemoryRateLimiter
from apigateway.upstream.breaker import CircuitBreaker
from apigateway.upstream.dialing.dial import Dialer, Way
from apigateway.upstream.dialing.tls import TargetTls
from apigateway.upstream.health import HealthChecker
from apigateway.upstream.native.transport import NativeTransport
from apigateway.upstream.target import Target
from apigateway.upstream.treq.transport import TreqTransport

_log = Logger(namespace="apigateway.upstream")


@dataclass(frozen=True)
class Surroundings:
    """What the gateway finds around it: reactor, connections, monotonic clock, randomness.

    `connect` is `Sockets.connect`, or where no service is spoken to with TLS as `IReactorTCP.connectTCP`.
    """

    reactor: Any
    connect: Callable[..., IConnector]
    now: Callable[[], float]
    random: Random = field(default_factory=Random)


class ITargetSpec(Interface):
    """One target as configured, with its service and surroundings."""


@implementer(ITargetSpec)
@dataclass(frozen=True)
class TargetSpec:
    """See `ITargetSpec`."""

    service: model.Service
    target: model.Target
    around: Surroundings
    resolver: Resolver
    tls: TargetTls | None = None

    @property
    def way(self) -> Way:
        """How connections are made."""
        return Way(self.around.connect) if self.tls is None else self.tls.way(self.around.connect)

    @property
    def url(self) -> str:
        """The target's URL, by the name that it has."""
        return self.target.url

    def resolve(self, host: str) -> tuple[str, ...] | Deferred[tuple[str, ...]]:
        """The addresses to dial: the one that was discovered, or those of the name."""
        return self.resolver.resolve(host) if self.target.address is None else (self.target.address,)


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
    parts, way = urlsplit(spec.url), spec.way
    around, timeouts = spec.around, spec.service.timeouts
    assert parts.hostname is not None
    dialer = Dialer(
        parts.hostname,
        parts.port or DEFAULT_PORTS[parts.scheme],
        timeouts.connect,
        spec.resolve,
        way,
        around.reactor,
        around.now,
    )
    return NativeTransport(spec.service.pool, dialer, around.now, timeouts.pool, way)


def _treq(spec: TargetSpec) -> ITransport:
    around, timeouts = spec.around, spec.service.timeouts
    return TreqTransport(
        spec.url, around.reactor, spec.service.pool, timeouts.connect, around.now, timeouts.pool,
        resolve=spec.resolve, way=None if spec.tls is None else spec.way,
    )  # fmt: skip


def _breaker(spec: TargetSpec) -> ICircuitBreaker:
    assert spec.service.circuit_breaker is not None
    service, target = spec.service.name, spec.target.place

    def on_change(old: str, new: str, reason: str, now: float) -> None:
        tell = _log.info if new == "closed" else _log.warn
        tell(
            "circuit breaker of {service} at {target}: {old} -> {new} ({reason})",
            event="breaker-changed", service=service, target=target, old=old, new=new, reason=reason,
        )  # fmt: skip

    timeouts = spec.service.timeouts
    return CircuitBreaker(spec.service.circuit_breaker, on_change, timeouts.connect + timeouts.pool + timeouts.response)


def _checker(spec: ServiceSpec) -> IHealthChecker:
    assert spec.service.health_check is not None
    around = spec.around
    return HealthChecker(
        spec.service.name, spec.targets, spec.service.health_check, around.reactor, around.now, spec.probe,
        around.random,
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
    register_balancers(components)
    return components
