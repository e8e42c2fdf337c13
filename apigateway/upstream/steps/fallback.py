"""What stands in for a service that fails: a fixed answer, or another service; marked in the answer and the record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apigateway.exchange import Exchange
from apigateway.http.answers import Answer
from apigateway.upstream.steps.plan import ForwardPlan

if TYPE_CHECKING:
    from apigateway.upstream.service import Service

REPLACED = frozenset((502, 503, 504))
"""The statuses, of the gateway or of the service itself, that give way to a fallback."""


def can_fall_back(fallback: Answer | Service | None, exchange: Exchange, status: int, body_touched: bool) -> bool:
    """Whether a failure may be replaced: once an exchange, and by a service only while it has the whole request."""
    if fallback is None or status not in REPLACED or exchange.fallback:
        return False
    return isinstance(fallback, Answer) or not body_touched


def fall_back(fallback: Answer | Service | None, exchange: Exchange, plan: ForwardPlan, body_asked: bool) -> None:
    """Answer from what stands in. `body_asked`: the client has been asked for its body."""
    assert fallback is not None
    exchange.fallback = True
    if isinstance(fallback, Answer):
        exchange.extra.append((b"X-Gateway-Fallback", b"static"))
        exchange.answer(fallback)
    else:
        exchange.extra.append((b"X-Gateway-Fallback", fallback.name.encode()))
        fallback.forward(exchange, plan, body_asked)
