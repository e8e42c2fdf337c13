"""No choice: a service with one target, or none."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from zope.interface import implementer

from apigateway.exchange import Exchange
from apigateway.interfaces import IBalancer
from apigateway.upstream.target import Target


@implementer(IBalancer)
class Only:
    """Always the one target, whatever its state: its breaker says whether it may be tried."""

    __slots__ = ("_target",)

    def __init__(self, targets: Sequence[Target]) -> None:
        self._target = targets[0] if targets else None

    def __repr__(self) -> str:
        return f"<Only {self._target}>"

    def pick(self, exchange: Exchange, now: float, tried: Collection[Target] = ()) -> Target | None:
        """See `IBalancer.pick`."""
        return None if tried else self._target
