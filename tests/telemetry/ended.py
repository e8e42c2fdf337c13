"""Exchanges that are over, made by hand."""

from __future__ import annotations

from apigateway.errors import Cause
from apigateway.exchange import Exchange
from apigateway.testing.exchanges import exchange_for

AGENT = (b"User-Agent", b"curl/8.5.0")


def ended(
    method: str = "GET",
    target: str = "/api/products?page=2",
    fields: tuple[tuple[bytes, bytes], ...] = (AGENT,),
    *,
    service: str = "product",
    route: str = "product /api",
    at: str = "http://a:8002",
    status: int = 200,
    cause: Cause | None = None,
    attempts: int = 1,
    started: float = 100.0,
    own: float = 0.001,
    waited: float = 0.020,
    total: float = 0.025,
) -> Exchange:
    """An exchange that took `total` seconds, was `own` seconds on its way to the target, and answered after `waited`.

    Without attempts it never reached a target.
    """
    exchange = exchange_for(method, target, fields)
    exchange.request_id = b"5f1d7c0aa3"
    exchange.service, exchange.route = service, route
    exchange.status, exchange.cause, exchange.attempts = status, cause, attempts
    exchange.bytes_in, exchange.bytes_out = 7, 300
    exchange.started, exchange.ended = started, started + total
    if attempts:
        exchange.target = at
        exchange.sent, exchange.answered = started + own, started + own + waited
    return exchange
