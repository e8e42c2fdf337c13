"""Smooth weighted round robin: each target its share by weight, without runs of the same one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import gcd

from zope.interface import implementer

from apigateway.exchange import Exchange
from apigateway.interfaces import IBalancer
from apigateway.upstream.balancing.fitness import is_steady
from apigateway.upstream.balancing.group import Group
from apigateway.upstream.target import Target

LONGEST_ROUND = 4096
"""A round has at most so many turns (or one for each target, where there are more); weights are made to fit in."""

MOST_WORK = 400_000
"""So many additions, about, may the making of a round cost."""


@implementer(IBalancer)
class RoundRobin:
    """Targets take turns, in a round that is made once.

    A turn of a target that can't be tried is left out, which keeps the others' shares true; one that is coming back
    takes some of its turns.
    """

    __slots__ = ("_group", "_round", "_next")

    def __init__(self, group: Group) -> None:
        self._group = group
        self._round = tuple(one_round(group.targets))
        self._next = 0

    def __repr__(self) -> str:
        weights = " ".join(f"{one.url}*{one.weight}" for one in self._group.targets)
        return f"<RoundRobin {weights} next={self._round[self._next].url}>"

    def pick(self, exchange: Exchange, now: float, tried: Collection[Target] = ()) -> Target | None:
        """See `IBalancer.pick`."""
        target = self._round[self._next]
        if tried or not is_steady(target):
            return self._among(now, tried)
        self._next = (self._next + 1) % len(self._round)
        return target

    def _among(self, now: float, tried: Collection[Target]) -> Target | None:
        """The first of those that may be tried who takes the turn that has come to it."""
        among = self._group.fit(now, tried)
        if not among:
            return None
        can_wait = any(one.standing.share(now) == 1.0 for one in among)
        while True:
            target = self._round[self._next]
            self._next = (self._next + 1) % len(self._round)
            if target in among and (not can_wait or target.standing.takes_turn(now)):
                return target


def one_round(targets: Sequence[Target]) -> list[Target]:
    """The turns of one round: each target as often as its weight says, spread evenly.

    A target's credit grows by its weight with each turn, and who has most takes the turn. The turn costs what all
    together got.
    """
    weights = fitting([target.weight for target in targets])
    total = sum(weights)
    credits = [0] * len(targets)
    turns = []
    for _ in range(total):
        credits = [credit + weight for credit, weight in zip(credits, weights, strict=True)]
        most = credits.index(max(credits))
        credits[most] -= total
        turns.append(targets[most])
    return turns


def fitting(weights: Sequence[int]) -> list[int]:
    """The smallest weights of the same proportions; where they are still too many turns, nearly the same."""
    least = gcd(*weights) if weights else 1
    smallest = [weight // least for weight in weights]
    longest = max(len(weights), min(LONGEST_ROUND, MOST_WORK // max(1, len(weights))))
    total = sum(smallest)
    if total <= longest:
        return smallest
    return [max(1, weight * longest // total) for weight in smallest]
