"""Targets in any state, for the tests of strategies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cache
from random import Random
from typing import Any

from hypothesis import strategies as st

from apigateway.config.model import CircuitBreaker as Options
from apigateway.exchange import Exchange
from apigateway.interfaces import IBalancer
from apigateway.testing.exchanges import exchange_for
from apigateway.upstream.balancing.chance import Chance
from apigateway.upstream.balancing.ewma import PeakEwma
from apigateway.upstream.balancing.group import Group
from apigateway.upstream.balancing.hashing import Hashing
from apigateway.upstream.balancing.keys import key_of
from apigateway.upstream.balancing.latency import LatencyAware
from apigateway.upstream.balancing.least_requests import LeastRequests
from apigateway.upstream.balancing.round_robin import RoundRobin
from apigateway.upstream.balancing.sticky import Sticky
from apigateway.upstream.breaker import CircuitBreaker
from apigateway.upstream.health import TargetHealth
from apigateway.upstream.target import Target

NO_TRANSPORT: Any = None
BOUND = 1.25

EVENTS = st.lists(st.tuples(st.integers(0, 5), st.sampled_from(("ill", "well", "trip", "eject", "return"))))


def make_target(name: str, weight: int = 1, decay_s: float | None = None) -> Target:
    """A target that is called by its name only; one failure opens its breaker for 30 s.

    With `decay_s` it is noted how long it takes to answer.
    """
    breaker = CircuitBreaker(Options(failures=1, recovery=30.0), lambda *change: None)
    latency = PeakEwma(decay_s) if decay_s is not None else None
    return Target(name, name.encode(), weight, NO_TRANSPORT, breaker, TargetHealth(), latency=latency)


def targets_of(weights: list[int], decay_s: float | None = None) -> list[Target]:
    """Targets of these weights."""
    return [make_target(f"target-{number}", weight, decay_s) for number, weight in enumerate(weights)]


def trip(target: Target, now: float = 0.0) -> None:
    """Open a target's breaker."""
    assert target.breaker is not None
    target.breaker.failure(target.breaker.allows(now), now, "status 500")


def eject(target: Target) -> None:
    """Eject a target."""
    target.standing.is_ejected = True
    target.standing.leave()


def befall(targets: list[Target], events: Iterable[tuple[int, str]]) -> None:
    """Let things happen to targets, by their numbers."""
    for which, event in events:
        target = targets[which % len(targets)]
        if event == "eject":
            eject(target)
        elif event == "return":
            target.standing.is_ejected = False
        elif event != "trip":
            target.health.healthy = event == "well"
        elif target.breaker is not None and target.breaker.state == "closed":
            trip(target)


def strategies(group: Group, seed: int = 1) -> dict[str, IBalancer]:
    """Every strategy, by name, over the same targets."""
    random = Random(seed).random
    plain: dict[str, IBalancer] = {
        "round-robin": RoundRobin(group),
        "least-requests": LeastRequests(group, random),
        "random": Chance(group, random),
        "latency": LatencyAware(group, random),
        "hash": Hashing(group, key_of("client", str), BOUND, LeastRequests(group, random)),
    }
    return {**plain, "sticky": Sticky("shop", group, LeastRequests(group, random), "stay", "s3cret")}


def order(balancer: IBalancer, now: float = 0.0) -> str:
    """The names of the targets that one exchange would try one after the other."""
    exchange = exchange_for("GET", "/")
    tried: list[Target] = []
    while (target := balancer.pick(exchange, now, tried)) is not None:
        tried.append(target)
    return "".join(target.url for target in tried)


def pick(balancer: IBalancer, now: float = 0.0, client: str = "203.0.113.7") -> Target | None:
    """The pick for one more exchange."""
    picked: Target | None = balancer.pick(_exchange_of(client), now)
    return picked


@cache
def _exchange_of(client: str) -> Exchange:
    return exchange_for("GET", "/", client=client)


def shares(balancer: IBalancer, count: int, now: float = 0.0) -> Counter[str]:
    """How many of `count` picks, of as many clients, each target gets, by its name."""
    picks = [pick(balancer, now, f"10.{at >> 16}.{at >> 8 & 255}.{at & 255}") for at in range(count)]
    return Counter(target.url for target in picks if target is not None)


def keep_busy(balancer: IBalancer, targets: list[Target], at_once: int, count: int, seed: int = 1) -> Counter[str]:
    """As `shares`, with so many attempts in flight, of which any may end next; each takes 10 ms."""
    random, got = Random(seed), Counter[str]()
    under_way: list[Target] = []
    for at in range(count):
        if len(under_way) == at_once:
            ended = under_way.pop(random.randrange(at_once))
            ended.in_flight -= 1
            if ended.latency is not None:
                ended.latency.learn(0.01, at * 0.001)
        target = pick(balancer, at * 0.001, f"10.{at >> 16}.{at >> 8 & 255}.{at & 255}")
        assert target is not None
        target.in_flight += 1
        under_way.append(target)
        got[target.url] += 1
    for target in targets:
        target.in_flight = 0
    return got
