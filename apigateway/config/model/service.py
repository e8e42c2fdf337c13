"""A service: its targets, how they are reached, watched, chosen and spared."""

from __future__ import annotations

from dataclasses import dataclass, field

from apigateway.config.model.balance import Balance, Outliers
from apigateway.config.model.discovery import Discovery
from apigateway.config.model.retries import Hedging, Retries, Timeouts
from apigateway.config.model.route import Route
from apigateway.config.model.upstream_tls import UpstreamTls


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
    """One address of a service: `http://host:port` or `https://host:port`.

    `address` is where discovery has found the name of the URL to lead; None: that is looked up when it is dialed.
    """

    url: str
    weight: int = 1
    address: str | None = None

    @property
    def place(self) -> str:
        """The URL of what is dialed, by which a target is known in its service: the address in place of the name."""
        if self.address is None:
            return self.url
        scheme, _, authority = self.url.partition("://")
        _, colon, port = authority.rpartition("]")[2].partition(":")
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{scheme}://{host}{colon}{port}"


@dataclass(frozen=True, slots=True)
class Service:
    """A named group of targets behind routes. `transport` is "native" or "treq".

    With a `discovery` there are no targets until it has found some.
    """

    name: str
    routes: tuple[Route, ...]
    targets: tuple[Target, ...]
    discovery: Discovery | None = None
    transport: str = "native"
    tls: UpstreamTls = UpstreamTls()
    timeouts: Timeouts = Timeouts()
    circuit_breaker: CircuitBreaker | None = CircuitBreaker()
    health_check: HealthCheck | None = HealthCheck()
    balance: Balance = Balance()
    outliers: Outliers | None = Outliers()
    retries: Retries = Retries()
    hedging: Hedging | None = None
    deadline_header: str | None = None
    pool: Pool = Pool()
    max_in_flight: int = 1024
    fallback: Fallback | None = None
    finish_abandoned: bool = False
