"""How a service chooses among its targets: the strategies in the box by name, and what goes with them.

Knows nothing of requests, bytes or time passing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from zope.interface import Interface, implementer
from zope.interface.registry import Components

from apigateway.assembly.registry import Draft
from apigateway.config import model
from apigateway.interfaces import IBalancer
from apigateway.policies.client_key import limit_key
from apigateway.policies.decided import named_field
from apigateway.upstream.balancing.chance import Chance
from apigateway.upstream.balancing.group import Group
from apigateway.upstream.balancing.hashing import Hashing
from apigateway.upstream.balancing.keys import key_of
from apigateway.upstream.balancing.latency import LatencyAware
from apigateway.upstream.balancing.least_requests import LeastRequests
from apigateway.upstream.balancing.only import Only
from apigateway.upstream.balancing.outliers import Outliers
from apigateway.upstream.balancing.oversight import Oversight
from apigateway.upstream.balancing.panic import Panic
from apigateway.upstream.balancing.round_robin import RoundRobin
from apigateway.upstream.balancing.sticky import Sticky
from apigateway.upstream.target import Target


class IBalancerSpec(Interface):
    """How the exchanges of one service are spread, and over which targets."""


@implementer(IBalancerSpec)
@dataclass(frozen=True)
class BalancerSpec:
    """See `IBalancerSpec`."""

    balance: model.Balance
    group: Group
    random: Random


def _least_requests(spec: BalancerSpec) -> IBalancer:
    return LeastRequests(spec.group, spec.random.random)


def _hash(spec: BalancerSpec) -> IBalancer:
    balance = spec.balance
    return Hashing(spec.group, key_of(balance.key, limit_key), balance.bound, _least_requests(spec))


_STRATEGIES: dict[str, Callable[[BalancerSpec], IBalancer]] = {
    "least-requests": _least_requests,
    "round-robin": lambda spec: RoundRobin(spec.group),
    "hash": _hash,
    "latency": lambda spec: LatencyAware(spec.group, spec.random.random),
    "random": lambda spec: Chance(spec.group, spec.random.random),
}


def register_balancers(components: Components) -> None:
    """Register the strategies in the box."""
    for name, make in _STRATEGIES.items():
        components.registerAdapter(make, (IBalancerSpec,), IBalancer, name)


@dataclass(frozen=True)
class Balancing:
    """What a service chooses its targets by."""

    balancer: IBalancer
    oversight: Oversight
    sticky: Sticky | None = None


def balancing(
    one: model.Service,
    targets: tuple[Target, ...],
    components: Components,
    kept: Draft,
    random: Random,
    now: Callable[[], float],
) -> Balancing:
    """What a service chooses its targets by. With one target there is no choice, and nothing of it costs anything."""
    group = Group(targets, one.balance.slow_start)
    panic = kept.keep(("panic", one.name), lambda: Panic(one.name))
    if len(targets) < 2:
        return Balancing(Only(targets), Oversight(group, panic))
    outliers = Outliers(one.name, group, one.outliers, now()) if one.outliers is not None else None
    oversight = Oversight(group, panic, outliers)
    spec = BalancerSpec(one.balance, group, random)
    balancer: IBalancer = components.getAdapter(spec, IBalancer, one.balance.strategy)
    sticky = one.balance.sticky
    if sticky is None:
        return Balancing(balancer, oversight)
    cookie = sticky.cookie or f"gateway-target-{one.name}"
    stays = Sticky(one.name, group, balancer, cookie, sticky.secret, sticky.max_age)
    return Balancing(stays, oversight, stays)


def balanced_by(balance: model.Balance) -> tuple[str, ...]:
    """The fields of requests that decide which target it is."""
    return named_field(balance.key) if balance.strategy == "hash" else ()
