"""What may be asked of one target before it is picked. Changes nothing."""

from __future__ import annotations

from apigateway.upstream.breaker_table import CLOSED
from apigateway.upstream.target import Target


def is_steady(target: Target) -> bool:
    """Whether there is nothing to think about: it may be tried, and has its whole share. Quick."""
    breaker = target.breaker
    return target.standing.is_steady and target.health.healthy and (breaker is None or breaker.state == CLOSED)


def is_able(target: Target) -> bool:
    """Whether neither its health nor an ejection forbids it."""
    return target.health.healthy and not target.standing.is_ejected


def is_in(target: Target) -> bool:
    """Whether it is able, and its breaker lets through more than probes."""
    breaker = target.breaker
    return is_able(target) and (breaker is None or breaker.state == CLOSED)


def is_ready(target: Target, now: float) -> bool:
    """Whether the target's breaker does not keep it from work."""
    breaker = target.breaker
    return breaker is None or breaker.retry_after(now) <= 0
