"""Of two targets drawn by chance, the one with less to do."""

from __future__ import annotations

from collections.abc import Collection

from zope.interface import implementer

from apigateway.exchange import Exchange
from apigateway.interfaces import IBalancer
from apigateway.upstream.balancing.draws import Draws
from apigateway.upstream.balancing.fitness import is_steady
from apigateway.upstream.balancing.group import Group
from apigateway.upstream.balancing.lots import Draw
from apigateway.upstream.target import Target


def load(target: Target, weight: float, now: float) -> float:
    """How much a target has to do, for its weight."""
    return target.in_flight / weight


@implementer(IBalancer)
class LeastRequests:
    """Two targets are drawn by weight; the one with fewer attempts in flight for its weight is picked.

    Two are enough to keep clear of a slow target, and don't send everybody to the same idle one, as the least of all
    would. Between two that are as busy the first drawn decides, so that shares follow weights also where little goes
    on. `random` returns from [0, 1).
    """

    __slots__ = ("_group", "_draws", "_pair")

    def __init__(self, group: Group, random: Draw) -> None:
        self._group = group
        self._draws = Draws(group, random)
        self._pair = self._draws.pair

    def __repr__(self) -> str:
        return f"<LeastRequests {' '.join(f'{one.url}:{one.in_flight}' for one in self._group.targets)}>"

    def pick(self, exchange: Exchange, now: float, tried: Collection[Target] = ()) -> Target | None:
        """See `IBalancer.pick`."""
        one, other = pair = self._pair()
        if tried or not (is_steady(one) and is_steady(other)):
            return self._draws.cheaper(pair, now, tried, load)
        return other if other.in_flight * one.weight < one.in_flight * other.weight else one
