"""The client's side of one of two attempts that race: nothing reaches the client before it is known who has won.

Knows the client's side of the exchange, which it stands in front of, and who decides.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from zope.interface import implementer

from apigateway.interfaces import Fields, IAttempt, IDownstream
from apigateway.upstream.steps.nobody import NOBODY

if TYPE_CHECKING:
    from apigateway.exchange import Exchange
    from apigateway.upstream.steps.forward import Forward


class Race(Protocol):
    """Who decides."""

    def answers(self, racer: Racer) -> None:
        """It has an answer, or none is to be had."""


@implementer(IDownstream)
class Racer:
    """See `IDownstream`. `exchange` is its own copy, `forward` what works on it; `is_running`: it may still answer.

    Once it is known who has won, its exchange holds it no more: the collector comes late.
    """

    forward: Forward

    def __init__(self, race: Race, client: IDownstream, exchange: Exchange) -> None:
        self.exchange = exchange
        self.is_running = True
        self._race = race
        self._client = client
        self._is_winner = self._is_held = False
        self._sent: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        state = "won" if self._is_winner else "running" if self.is_running else "held" if self._is_held else "out"
        return f"<Racer {self.exchange.target} {state}>"

    @property
    def is_good(self) -> bool:
        """The service's own answer is there, and says nothing of a failure."""
        own = self.exchange
        return 0 < own.status < 500 and own.cause is None and not own.fallback

    # Who decides, tells.

    def hold(self) -> None:
        """Keep the answer for now; what follows it waits at the service."""
        self._is_held = True
        upstream = self.exchange.upstream
        if upstream is not None:
            upstream.pause()

    def win(self) -> None:
        """All that was sent, and is sent from now on, is the client's."""
        self._is_winner, self.is_running = True, False
        sent, self._sent = self._sent, []
        for send in sent:
            send()
        self.exchange.downstream = self._client
        if self._is_held:
            self._client.flush()
            upstream = self.forward.exchange.upstream
            if upstream is not None:
                upstream.resume()

    def drop(self) -> None:
        """Cut what is under way; nothing of it reaches anybody."""
        self.is_running = self._is_held = False
        self._sent = []
        upstream: Any = self.exchange.upstream
        if upstream is not None:
            upstream.abandon()
        self.exchange.upstream, self.exchange.downstream = None, NOBODY

    def leave(self) -> None:
        """The client is gone."""
        self.is_running = self._is_held = False
        self.exchange.let_go()
        self.exchange.downstream = NOBODY

    def _send(self, send: Callable[[], None]) -> None:
        if self._is_winner:
            send()
        elif self.is_running or self._is_held:
            self._sent.append(send)

    def _answer(self, send: Callable[[], None]) -> None:
        self._send(send)
        if self.is_running:
            self.is_running = False
            self._race.answers(self)

    # IDownstream.

    def send_continue(self) -> None:
        """There is no body."""

    def send_informational(self, status: int, fields: Fields) -> None:
        """Which answer it comes before is not known yet: kept until then."""
        self._send(partial(self._client.send_informational, status, fields))

    def open_body(self) -> None:
        """There is no body."""

    def pause_body(self) -> None:
        """There is no body."""

    def resume_body(self) -> None:
        """There is no body."""

    def send_head(self, status: int, reason: bytes, lines: bytes, length: int | None) -> None:
        """See `IDownstream.send_head`."""
        self._answer(partial(self._client.send_head, status, reason, lines, length))

    def send_whole(self, status: int, reason: bytes, lines: bytes, body: bytes) -> None:
        """See `IDownstream.send_whole`."""
        self._answer(partial(self._client.send_whole, status, reason, lines, body))

    def send_body(self, data: bytes) -> None:
        """See `IDownstream.send_body`."""
        self._send(partial(self._client.send_body, data))

    def finish(self, trailers: Fields) -> None:
        """See `IDownstream.finish`."""
        self._send(partial(self._client.finish, trailers))

    def flush(self) -> None:
        """See `IDownstream.flush`."""
        if self._is_winner:
            self._client.flush()

    def abort(self) -> None:
        """See `IDownstream.abort`."""
        self._send(self._client.abort)

    def offer_switch(self) -> bool:
        """Nobody switches in a race."""
        return False

    def switch(self, reason: bytes, lines: bytes, attempt: IAttempt, account: Any) -> None:
        """See `offer_switch`."""
        raise RuntimeError("an answer that nobody offered to take")

    def progress(self) -> tuple[bool, int]:
        """See `IDownstream.progress`."""
        return self._client.progress()
