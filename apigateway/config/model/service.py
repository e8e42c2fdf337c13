"""A service: its targets, how they are reached, watched, chosen and spared."""

from __future__ import annotations

from dataclasses import dataclass, field

from apigateway.config.model.route import Route


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long each step of an exchange may take; a body may take for ever as long as it moves."""

    connect: float = 5.0
    response: float = 30.0
    idle: float = 60.0
    pool: float = 5.0


@dataclass(frozen=True, slots=True)
class CircuitBreaker:
    """When a target is given a rest: consecutive failures, or a failure ratio over a window."""

    failures: int = 5
    recovery: float = 30.0
    ratio: float | None = None
    window: float = 30.0
    min_volume: int = 20


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """How targets are probed. `statuses` are inclusive ranges."""

    path: str = "/health"
    interval: float = 10.0
    timeout: float = 2.0
    unhealthy_after: int = 3
    healthy_after: int = 2
    statuses: tuple[tuple[int, int], ...] = ((200, 399),)


@dataclass(frozen=True, slots=True)
class Retries:
    """Further attempts after a failed one, within a budget of the service's traffic."""

    attempts: int = 1
    budget: float = 0.2
    min_per_second: float = 3.0


@dataclass(frozen=True, slots=True)
class Pool:
    """Connections to one target."""

    connections: int = 256
    waiting: int = 1024
    idle: float = 30.0


@dataclass(frozen=True, slots=True)
class Fallback:
    """The answer instead of the gateway's own 502, 503 or 504: a fixed one, or another service's."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: str = field(default="", repr=False)
    service: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """One address of a service: `http://host:port`, or `https://` with the treq transport."""

    url: str
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Service:
    """A named group of targets behind routes. `transport` is "native" or "treq"."""

    name: str
    routes: tuple[Route, ...]
    targets: tuple[Target, ...]
    transport: str = "native"
    timeouts: Timeouts = Timeouts()
    circuit_breaker: CircuitBreaker | None = CircuitBreaker()
    health_check: HealthCheck | None = HealthCheck()
    retries: Retries = Retries()
    pool: Pool = Pool()
    max_in_flight: int = 1024
    fallback: Fallback | None = None
    finish_abandoned: bool = False
