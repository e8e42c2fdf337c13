"""The configuration as frozen values: every key, its type, its unit and its default.

Knows nothing of YAML, the environment or the runtime: `read` makes these values, `assembly` uses them.
All durations are seconds, all sizes bytes. What may hold a secret, as values of fields do, is in no `repr`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long each step of an exchange may take; a body may take for ever as long as it moves."""

    connect: float = 5.0
    response: float = 30.0
    idle: float = 60.0
    pool: float = 5.0


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `limit` requests in any `window` seconds, counted per `key`: "client" or "header:NAME"."""

    limit: int = 100
    window: float = 60.0
    key: str = "client"


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
class Cors:
    """Which pages of other origins may use a route. `origins` may hold "*"."""

    origins: tuple[str, ...]
    methods: tuple[str, ...] = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
    headers: tuple[str, ...] = ()
    expose: tuple[str, ...] = ()
    credentials: bool = False
    max_age: int = 600


@dataclass(frozen=True, slots=True)
class Fallback:
    """The answer instead of the gateway's own 502, 503 or 504: a fixed one, or another service's."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: str = field(default="", repr=False)
    service: str | None = None


@dataclass(frozen=True, slots=True)
class Headers:
    """What happens to header fields on their way.

    `host` is "target" (the target's own name, the default) or "pass" (what the client sent).
    `set_*` replaces, `remove_*` takes away; names are compared without case.
    """

    host: str = "target"
    forwarded: bool = False
    via: bool = True
    hide_server: bool = True
    security: bool = False
    set_request: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    remove_request: tuple[str, ...] = ()
    set_response: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    remove_response: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Extension:
    """A policy that is not in the box, by name.

    `options` are its options as nested tuples, to be compared; `given` has their places in the file as well.
    """

    name: str
    options: Any = field(default=None, repr=False)
    given: Any = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Policies:
    """The rules for the exchanges of a route; None switches a rule off."""

    rate_limit: tuple[RateLimit, ...] = (RateLimit(),)
    cors: Cors | None = None
    max_body: int | None = None
    content_types: tuple[str, ...] = ()
    required_headers: tuple[str, ...] = ()
    headers: Headers = Headers()
    allow_paths: tuple[str, ...] = ()
    policies: tuple[Extension, ...] = ()


PATH_AMBIGUITIES = ("dot-segments", "encoded-slash", "backslash", "path-parameters")
"""What a route may allow in paths with `allow_paths`; control bytes are never allowed."""


@dataclass(frozen=True, slots=True)
class Route:
    """What to match. Empty `methods`: all. `headers`: (name, exact value) pairs that must all be there."""

    path: str
    host: str | None = None
    methods: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    strip_prefix: bool = False
    policies: Policies = Policies()


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


@dataclass(frozen=True, slots=True)
class AccessLog:
    """Where exchanges are written: a path or "-"; `format` "json" or "combined"; `query` "keep", "mask" or "drop"."""

    file: str = "-"
    format: str = "json"
    query: str = "keep"
    rotate: int = 100 * MIB
    keep: int = 5


@dataclass(frozen=True, slots=True)
class EventLog:
    """The gateway's own events: `level` "debug", "info", "warn" or "error"; `format` "text" or "json"."""

    level: str = "info"
    format: str = "text"


@dataclass(frozen=True, slots=True)
class Admin:
    """Who may see `/gateway/…`: peers of these networks, and whoever knows the token.

    `hosts` are the names, beside addresses, by which those peers may ask.
    """

    token: str | None = field(default=None, repr=False)
    allow: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what clients may do."""

    connections: int = 20_000
    connections_per_client: int = 10_000
    exchanges: int = 10_000
    lag: float | None = 0.25
    head: int = 32 * KIB
    fields: int = 100
    uri: int = 8 * KIB
    head_timeout: float = 10.0
    keep_alive: float = 75.0
    body_timeout: float = 60.0
    min_rate: int = 240


@dataclass(frozen=True, slots=True)
class Stop:
    """How the gateway stops: it accepts `accept` seconds more, then running exchanges get `drain`."""

    accept: float = 1.0
    drain: float = 30.0


@dataclass(frozen=True, slots=True)
class Configuration:
    """The whole of one configuration."""

    services: tuple[Service, ...] = ()
    listen: tuple[str, ...] = ("tcp:8000",)
    trusted_proxies: tuple[str, ...] = ()
    admin: Admin = Admin()
    access_log: AccessLog | None = AccessLog()
    log: EventLog = EventLog()
    limits: Limits = Limits()
    stop: Stop = Stop()
    watch: bool = False
    dns_ttl: float = 30.0
