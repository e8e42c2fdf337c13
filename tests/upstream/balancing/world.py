"""Targets in any state, for the tests of strategies."""

from __future__ import annotations

from typing import Any

from apigateway.config.model import CircuitBreaker as Options
from apigateway.interfaces import IBalancer
from apigateway.testing.exchanges import exchange_for
from apigateway.upstream.breaker import CircuitBreaker
from apigateway.upstream.health import TargetHealth
from apigateway.upstream.target import Target

NO_TRANSPORT: Any = None


def make_target(name: str, weight: int = 1) -> Target:
    """A target that is called by its name only; one failure opens its breaker for 30 s."""
    breaker = CircuitBreaker(Options(failures=1, recovery=30.0), lambda *change: None)
    return Target(name, name.encode(), weight, NO_TRANSPORT, breaker, TargetHealth())


def targets_of(weights: list[int]) -> list[Target]:
    """Targets of these weights."""
    return [make_target(f"target-{number}", weight) for number, weight in enumerate(weights)]


def trip(target: Target, now: float = 0.0) -> None:
    """Open a target's breaker."""
    assert target.breaker is not None
    target.breaker.failure(target.breaker.allows(now), now, "status 500")


def order(balancer: IBalancer, now: float = 0.0) -> str:
    """The names of the targets that one exchange would try one after the other."""
    exchange = exchange_for("GET", "/")
    tried: list[Target] = []
    while (target := balancer.pick(exchange, now, tried)) is not None:
        tried.append(target)
    return "".join(target.url for target in tried)


def pick(balancer: IBalancer, now: float = 0.0) -> Target | None:
    """The pick for one more exchange."""
    picked: Target | None = balancer.pick(exchange_for("GET", "/"), now)
    return picked
