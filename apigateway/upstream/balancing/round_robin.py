"""Smooth weighted round robin: each target its share by weight, without runs of the same one."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from zope.interface import implementer

from apigateway.exchange import Exchange
from apigateway.interfaces import IBalancer
from apigateway.upstream.balancing.fitness import fit
from apigateway.upstream.target import Target


@implementer(IBalancer)
class RoundRobin:
    """Targets take turns. A target's credit grows by its weight with each pick, and who has most is picked.

    The pick pays what all others got together. Targets that can't be tried get no credit, so that the others' shares
    stay true.
    """

    __slots__ = ("_targets", "_credits")

    def __init__(self, targets: Sequence[Target]) -> None:
        self._targets = tuple(targets)
        self._credits = dict.fromkeys(self._targets, 0)

    def __repr__(self) -> str:
        credits = ", ".join(f"{target.url} {credit:+d}" for target, credit in self._credits.items())
        return f"<RoundRobin {credits}>"

    def pick(self, exchange: Exchange, now: float, tried: Collection[Target] = ()) -> Target | None:
        """See `IBalancer.pick`."""
        among = fit(self._targets, now, tried)
        if not among:
            return None
        credits, total = self._credits, 0
        for target in among:
            total += target.weight
            credits[target] += target.weight
        picked = max(among, key=credits.__getitem__)
        credits[picked] -= total
        return picked
