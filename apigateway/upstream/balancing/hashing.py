"""Consistent hashing with bounded loads: the same key goes to the same target, unless that has too much to do."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import ceil

from zope.interface import implementer

from apigateway.exchange import Exchange
from apigateway.interfaces import IBalancer
from apigateway.upstream.balancing.fitness import is_steady
from apigateway.upstream.balancing.group import Group
from apigateway.upstream.balancing.keys import KeyOf
from apigateway.upstream.balancing.preference import Preference, returns, slot_of
from apigateway.upstream.target import Target


@implementer(IBalancer)
class Hashing:
    """The target that a key prefers, or the next in the key's order that may be tried and has room.

    A target has room while it has at most `bound` times its share, by weight, of the attempts in flight with the
    service (Mirrokni, Thorup, Zadimoghaddam, "Consistent hashing with bounded loads", 2016). What has no key is left to
    `keyless`.
    """

    __slots__ = ("_group", "_key", "_bound", "_keyless", "_preference", "_weight")

    def __init__(self, group: Group, key: KeyOf, bound: float, keyless: IBalancer) -> None:
        self._group = group
        self._key = key
        self._bound = bound
        self._keyless = keyless
        self._preference = Preference(group.targets)
        self._weight = sum(target.weight for target in group.targets)

    def __repr__(self) -> str:
        return f"<Hashing {' '.join(f'{one.url}:{one.in_flight}' for one in self._group.targets)}>"

    def pick(self, exchange: Exchange, now: float, tried: Collection[Target] = ()) -> Target | None:
        """See `IBalancer.pick`."""
        key = self._key(exchange)
        if key is None:
            picked: Target | None = self._keyless.pick(exchange, now, tried)
            return picked
        slot = slot_of(key)
        target = self._preference.first(slot)
        if not tried and is_steady(target) and (not target.in_flight or self._has_room(target, self._weight)):
            return target
        return self._next(slot, now, tried)

    def _next(self, slot: int, now: float, tried: Collection[Target]) -> Target | None:
        fit = self._group.fit(now, tried)
        among = set(fit)
        weight = sum(target.weight for target in fit)
        order = [target for target in self._preference.order(slot) if target in among]
        roomy = [target for target in order if self._has_room(target, weight)]
        return next((one for one in roomy if returns(slot, one.standing.share(now))), _first(roomy or order))

    def _has_room(self, target: Target, weight: int) -> bool:
        """Whether one more is within the bound, where targets of `weight` share what is in flight."""
        in_flight = sum([one.in_flight for one in self._group.targets])
        return target.in_flight < ceil(self._bound * (in_flight + 1) * target.weight / weight)


def _first(targets: Sequence[Target]) -> Target | None:
    return targets[0] if targets else None
