"""Telling several observers of each exchange that is over. Knows nothing of what they do."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.logger import Logger

from apigateway.exchange import Exchange
from apigateway.interfaces import IExchangeObserver

_log = Logger(namespace="apigateway.gateway")


def telling(first: IExchangeObserver, others: Sequence[IExchangeObserver]) -> Callable[[Exchange], None]:
    """What tells them all; one of the others that fails is logged, and the rest is told.

    Telling the first alone costs nothing more than its own method.
    """
    if not others:
        return first.exchange_ended

    def tell(exchange: Exchange) -> None:
        first.exchange_ended(exchange)
        for other in others:
            try:
                other.exchange_ended(exchange)
            except Exception:
                _log.failure("an observer of exchanges failed")

    return tell
