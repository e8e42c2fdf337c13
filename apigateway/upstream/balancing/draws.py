"""Drawing targets that may be tried: quickly while most may, and by looking at all of them otherwise."""

from __future__ import annotations

from collections.abc import Callable, Collection

from apigateway.upstream.balancing.group import Group
from apigateway.upstream.balancing.lots import Draw, Pair, drawn, pairs, singles
from apigateway.upstream.target import Target

Cost = Callable[[Target, float, float], float]
"""What it costs to pick a target that has this weight now, at this time."""

TRIES = 6
"""So often something is drawn again before all targets are looked at."""


class Draws:
    """Draws from a group of at least two. `random` returns from [0, 1).

    `pair` draws two different targets, `single` one, whatever their state. What may not be tried, or does not take its
    turn, is drawn again: so shares stay as the weights say, and nothing is paid for a hundred targets that are well.
    """

    __slots__ = ("pair", "single", "_group", "_random")

    def __init__(self, group: Group, random: Draw) -> None:
        self.pair = pairs(group.targets, random)
        self.single = singles(group.targets, random)
        self._group = group
        self._random = random

    def one(self, target: Target, now: float, tried: Collection[Target] = ()) -> Target | None:
        """One target by weight that may be tried; None where there is none. `target` has been drawn."""
        for _ in range(0 if tried else TRIES):
            if self._group.accepts(target, now):
                return target
            target = self.single()
        among = self._group.fit(now, tried)
        return self._drawn(among, now) if among else None

    def two(self, pair: Pair, now: float, tried: Collection[Target] = ()) -> Pair | None:
        """Two targets that may be tried, and of a single one the same twice; None where there is none.

        `pair` has been drawn; where the first of it may be tried it is the first.
        """
        for _ in range(0 if tried else TRIES):
            if self._group.accepts(pair[0], now):
                return pair[0], self._other(pair, now)
            pair = self.pair()
        among = self._group.fit(now, tried)
        if not among:
            return None
        one = self._drawn(among, now)
        others = [target for target in among if target is not one]
        return one, self._drawn(others, now) if others else one

    def cheaper(self, pair: Pair, now: float, tried: Collection[Target], cost: Cost) -> Target | None:
        """As `two`: the one that costs less, and where both cost the same the first."""
        found = self.two(pair, now, tried)
        if found is None:
            return None
        one, other = found
        # One that comes back weighs less at first, and so costs more.
        weight, others_weight = self._group.shares(found, now)
        return other if cost(other, others_weight, now) < cost(one, weight, now) else one

    def _other(self, pair: Pair, now: float) -> Target:
        one, other = pair
        for _ in range(TRIES):
            if other is not one and self._group.may_try(other, now):
                return other
            other = self.pair()[1]
        return one

    def _drawn(self, among: list[Target], now: float) -> Target:
        return drawn(among, self._group.shares(among, now), self._random)
