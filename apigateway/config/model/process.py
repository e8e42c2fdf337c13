"""The process: where it listens, what it logs and bounds, how it stops."""

from __future__ import annotations

from dataclasses import dataclass, field

from apigateway.config.model.listener import Listener
from apigateway.config.model.service import Service
from apigateway.config.model.sizes import KIB, MIB


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
    listen: tuple[Listener, ...] = (Listener("tcp:8000"),)
    trusted_proxies: tuple[str, ...] = ()
    admin: Admin = Admin()
    access_log: AccessLog | None = AccessLog()
    log: EventLog = EventLog()
    limits: Limits = Limits()
    stop: Stop = Stop()
    watch: bool = False
    dns_ttl: float = 30.0
