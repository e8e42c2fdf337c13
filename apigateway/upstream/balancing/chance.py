"""Targets by chance alone, each as often as its weight says."""

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


@implementer(IBalancer)
class Chance:
    """Each pick is drawn anew, by weight. `random` returns from [0, 1)."""

    __slots__ = ("_group", "_draws", "_single")

    def __init__(self, group: Group, random: Draw) -> None:
        self._group = group
        self._draws = Draws(group, random)
        self._single = self._draws.single

    def __repr__(self) -> str:
        return f"<Chance {' '.join(f'{one.url}*{one.weight}' for one in self._group.targets)}>"

    def pick(self, exchange: Exchange, now: float, tried: Collection[Target] = ()) -> Target | None:
        """See `IBalancer.pick`."""
        one = self._single()
        return one if not tried and is_steady(one) else self._draws.one(one, now, tried)
