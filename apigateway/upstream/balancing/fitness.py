"""Which targets may be tried at all: what every strategy chooses among."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from apigateway.upstream.target import Target


def fit(targets: Sequence[Target], now: float, tried: Collection[Target] = ()) -> list[Target]:
    """The healthy targets, or all where none is healthy, without those that rest and those that were tried."""
    able = [target for target in targets if target.health.healthy] or targets
    return [target for target in able if is_ready(target, now) and target not in tried]


def is_ready(target: Target, now: float) -> bool:
    """Whether the target's breaker does not keep it from work."""
    breaker = target.breaker
    return breaker is None or breaker.retry_after(now) <= 0
