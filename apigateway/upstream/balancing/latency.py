"""Of two targets drawn by chance, the one that will probably answer sooner."""

from __future__ import annotations

from collections.abc import Collection

from zope.interface import implementer

from apigateway.exchange import Exchange
from apigateway.interfaces import IBalancer
from apigateway.upstream.balancing.draws import Draws
from apigateway.upstream.balancing.fitness import is_steady
from apigateway.upstream.balancing.group import Group
from apigateway.upstream.balancing.lots import Draw
from apigateway.upstream.breaker_table import CLOSED
from apigateway.upstream.target import Target

UNKNOWN_S = 1.0
"""What a target is taken to need while its first answers are awaited, so that it is not flooded before it gave one."""


def cost(target: Target, weight: float, now: float) -> float:
    """What one more attempt at a target costs: how long it takes, times itself and those in flight, for its weight.

    While nothing is in flight weights do not count here: they have when the two were drawn.
    """
    seconds = target.latency.now(now) if target.latency is not None else 0.0
    if not seconds and target.in_flight:
        seconds = UNKNOWN_S
    return seconds * (target.in_flight / weight + 1)


@implementer(IBalancer)
class LatencyAware:
    """Two targets are drawn by weight; the one that costs less is picked.

    A target that has not answered yet, or not since it came back, is tried first, with one attempt. `random` returns
    from [0, 1).
    """

    __slots__ = ("_group", "_draws", "_pair")

    def __init__(self, group: Group, random: Draw) -> None:
        self._group = group
        self._draws = Draws(group, random)
        self._pair = self._draws.pair

    def __repr__(self) -> str:
        return f"<LatencyAware {' '.join(f'{one.url}:{one.latency!r}' for one in self._group.targets)}>"

    def pick(self, exchange: Exchange, now: float, tried: Collection[Target] = ()) -> Target | None:
        """See `IBalancer.pick`."""
        one, other = pair = self._pair()
        if tried or not (is_steady(one) and is_steady(other)):
            return self._draws.cheaper(pair, now, tried, _cost)
        return other if cost(other, other.weight, now) < cost(one, one.weight, now) else one


def _cost(target: Target, weight: float, now: float) -> float:
    """As `cost`; but where a breaker would let a probe through it costs nothing to see whether all is well again."""
    is_probe = target.breaker is not None and target.breaker.state != CLOSED
    return 0.0 if is_probe else cost(target, weight, now)
