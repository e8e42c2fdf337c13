"""How long exchanges with a service may take, and how often it is asked: what a service says, and a route of it may."""

from __future__ import annotations

from dataclasses import dataclass

from apigateway.config.model.sizes import KIB

IDEMPOTENT = ("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE")
"""Methods that may be sent twice, RFC 9110 §9.2.2."""


@dataclass(frozen=True, slots=True)
class RouteTimeouts:
    """How long the steps of an exchange may take that may differ from route to route; `total` None: no bound."""

    response: float = 30.0
    idle: float = 60.0
    event_stream: float = 300.0
    total: float | None = None


@dataclass(frozen=True, slots=True)
class Timeouts(RouteTimeouts):
    """How long each step of an exchange may take; a body may take for ever as long as it moves."""

    connect: float = 5.0
    pool: float = 5.0


@dataclass(frozen=True, slots=True)
class RouteRetries:
    """Further attempts after a failed one, as far as they may differ from route to route.

    `statuses` are inclusive ranges, `replay` is in bytes.
    """

    attempts: int = 1
    methods: tuple[str, ...] = IDEMPOTENT
    statuses: tuple[tuple[int, int], ...] = ()
    timeouts: bool = False
    replay: int = 64 * KIB
    backoff: float = 0.025
    max_backoff: float = 0.25


@dataclass(frozen=True, slots=True)
class Retries(RouteRetries):
    """Further attempts after a failed one, within a budget of the service's traffic."""

    budget: float = 0.2
    min_per_second: float = 3.0


@dataclass(frozen=True, slots=True)
class Hedging:
    """When a second attempt is made beside the first: after seconds, or "p95": longer than that share of answers took.

    `at_least` bounds the latter.
    """

    after: float | str = "p95"
    at_least: float = 0.005
