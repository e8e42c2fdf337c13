"""An observer of exchanges as a double: keeps those that ended. Changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from zope.interface import implementer

from apigateway.interfaces import IExchangeObserver

if TYPE_CHECKING:
    from apigateway.exchange import Exchange


class Ended(NamedTuple):
    """What a test usually compares of an exchange; `cause` is its code, or None."""

    method: str
    target: str
    status: int
    cause: str | None
    service: str = ""
    attempts: int = 0


def ended(exchange: Exchange) -> Ended:
    """The summary of one exchange."""
    head, cause = exchange.head, exchange.cause
    return Ended(
        head.method.decode("latin-1"),
        head.target.decode("latin-1"),
        exchange.status,
        cause.code if cause else None,
        exchange.service,
        exchange.attempts,
    )


@implementer(IExchangeObserver)
class RecordingObserver:
    """Keeps the exchanges that ended, in that order, in `exchanges`."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []

    def __repr__(self) -> str:
        lines = [f"{e.method} {e.target} -> {e.status}{f' {e.cause}' if e.cause else ''}" for e in self.summary()]
        return f"<RecordingObserver {'; '.join(lines) or 'nothing ended'}>"

    def exchange_ended(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)

    def summary(self) -> list[Ended]:
        """What ended so far, as tuples that compare and print well."""
        return [ended(exchange) for exchange in self.exchanges]
