"""The client's side of an exchange whose client is gone: takes everything, answers nothing."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from apigateway.errors import CLIENT_GONE, GatewayError
from apigateway.interfaces import Fields, IAttempt, IDownstream

if TYPE_CHECKING:
    from apigateway.upstream.steps.forward import Forward


@implementer(IDownstream)
class Nobody:
    """See `IDownstream`; each method does nothing."""

    def send_continue(self) -> None:
        """Nobody waits."""

    def send_informational(self, status: int, fields: Fields) -> None:
        """Nobody waits."""

    def open_body(self) -> None:
        """There is no more of the request."""

    def pause_body(self) -> None:
        """There is no more of the request."""

    def resume_body(self) -> None:
        """There is no more of the request."""

    def send_head(self, status: int, reason: bytes, lines: bytes, length: int | None) -> None:
        """Nobody reads."""

    def send_whole(self, status: int, reason: bytes, lines: bytes, body: bytes) -> None:
        """Nobody reads."""

    def send_body(self, data: bytes) -> None:
        """Nobody reads."""

    def finish(self, trailers: Fields) -> None:
        """Nobody reads."""

    def flush(self) -> None:
        """Nobody reads."""

    def abort(self) -> None:
        """Nobody reads."""

    def offer_switch(self) -> bool:
        """Nobody waits."""
        return False

    def switch(self, reason: bytes, lines: bytes, attempt: IAttempt, account: Any) -> None:
        """Nobody reads."""
        attempt.cancel()

    def progress(self) -> tuple[bool, int]:
        """Nobody waits."""
        return True, 0


NOBODY = Nobody()

GONE = GatewayError(CLIENT_GONE)
"""Why work is given up where nobody is left to have it."""


def finish_for_nobody(one: Forward) -> None:
    """Let the service finish what it was asked. The record is closed; what still happens goes to one nobody reads."""
    one.exchange = copy(one.exchange)
    one.exchange.downstream = NOBODY
    if one.attempt is not None:
        one.resume()
        # An answer without end would never be missed: the rest gets its times once, not with each piece anew.
        one.held = True
        one.deadline += 0.0 if one.exchange.status else one.terms.limits.idle
