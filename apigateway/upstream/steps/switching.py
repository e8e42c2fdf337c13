"""The steps of an exchange that switches to another protocol: the offer to the service, and what follows its 101.

Knows no sockets: both sides of the exchange have a `switch`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from apigateway.errors import GatewayError
from apigateway.http.upgrade import WEBSOCKET, offer
from apigateway.upstream.relays import Account, Relays
from apigateway.upstream.steps.nobody import NOBODY
from apigateway.upstream.steps.plan import ForwardPlan

if TYPE_CHECKING:
    from apigateway.exchange import Exchange
    from apigateway.interfaces import IAttempt
    from apigateway.upstream.steps.forward import Forward


def offer_lines(exchange: Exchange, plan: ForwardPlan, attempt: IAttempt) -> bytes:
    """The field lines that offer the service what the client does, as far as the route, and both sides, let it.

    Where that is nothing, the request goes on as one that offers nothing (RFC 9110 §7.8: a server may ignore it).
    """
    made = offer(exchange.head, plan.upgrades.protocols) if plan.upgrades is not None else None
    if made is None or not attempt.offer_switch(made):
        return b""
    if not exchange.downstream.offer_switch():
        attempt.offer_switch(None)
        return b""
    return made.lines


def check_room(relays: Relays, exchange: Exchange, plan: ForwardPlan) -> None:
    """Raises `GatewayError` where a service may have none beside its `relays`, and one is asked for."""
    rules = plan.upgrades
    if rules is not None and offer(exchange.head, rules.protocols) is not None:
        rules.check(relays)


def switch(forward: Forward, plan: ForwardPlan, protocol: bytes, reason: bytes, lines: bytes) -> None:
    """The service has switched: so does the client's side. The attempt counts as answered, and is over."""
    exchange, attempt, target = forward.exchange, forward.attempt, forward.target
    rules, relays = plan.upgrades, forward.service.relays
    assert attempt is not None
    assert target is not None
    assert rules is not None  # nothing was offered otherwise
    exchange.answered = now = forward.service.now()
    forward.over(None, now)
    try:
        rules.check(relays)
        _, reason, lines, _ = plan.answer(exchange, 101, reason, lines, None, now)
    except GatewayError as error:
        attempt.cancel()
        exchange.fail(error)
        return
    exchange.status = 101
    # A relay may live for days, and nothing in the snapshot is of use to it.
    exchange.snapshot = exchange.upstream = None
    lines += b"Connection: Upgrade\r\nUpgrade: %b\r\n" % protocol
    downstream, exchange.downstream = exchange.downstream, NOBODY
    downstream.switch(reason, lines, attempt, Account(rules.idle_s, relays, target, protocol == WEBSOCKET))
