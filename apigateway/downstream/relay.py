"""Bytes both ways between a client and a service, after a 101: how that begins, how long it lasts, and how it ends.

Takes the place of a client's connection in the site, which sweeps it and lets it stop. Knows no HTTP, and of WebSockets
how they say goodbye. Times are seconds of the monotonic clock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from twisted.internet.interfaces import IProtocol

from apigateway.downstream.connections import Client
from apigateway.downstream.relay_side import RelaySide
from apigateway.errors import CLIENT_GONE, CONNECTION_LOST, IDLE_TIMEOUT, STOPPING, Cause, GatewayError
from apigateway.exchange import Exchange
from apigateway.http.websocket import GOING_AWAY, Frames, close_frame
from apigateway.sockets.unsent import waiting

if TYPE_CHECKING:
    from apigateway.downstream.site import CameBy

LOOKS = 8
"""It is looked so often, in the time that it may be idle, whether it is: it ends an eighth late at most."""

GOODBYE_S = 5.0
"""So long an end may take: the answer to a close frame, or what is left to send to one side when the other is gone."""


class RelayAccount(Protocol):
    """What whoever wanted a relay says of it, and is told of it."""

    idle_s: float
    is_websocket: bool

    def began(self, relay: Relay) -> None:
        """Bytes may flow."""

    def ended(self, relay: Relay) -> None:
        """Both sides are gone."""

    def mask(self) -> bytes:
        """Four bytes that nobody can foresee."""


class Relay:
    """The two sides of one exchange. `deadline` is when it is to be looked at again.

    To the site it is a client's connection; `over` is called when it is none any more.
    """

    __slots__ = (
        "exchange", "deadline", "client", "rests_since", "listener", "_client_side", "_service_side", "_account",
        "_now", "_over", "_seen", "_moved_at", "_is_ending",
    )  # fmt: skip

    def __init__(
        self, exchange: Exchange, account: RelayAccount, listener: CameBy, now: Callable[[], float],
        over: Callable[[Relay], None],
    ) -> None:  # fmt: skip
        self.exchange = exchange
        self.client: Client | None = None
        self.rests_since = 0.0
        self.listener = listener
        frames = (Frames(), Frames()) if account.is_websocket else (None, None)
        self._client_side = RelaySide(frames[0], self._changed)
        self._service_side = RelaySide(frames[1], self._changed)
        self._client_side.other, self._service_side.other = self._service_side, self._client_side
        self._account = account
        self._now = now
        self._over = over
        self._seen: tuple[int, ...] = ()
        self._moved_at = now()
        self._is_ending = False
        self.deadline = self._moved_at + account.idle_s / LOOKS

    def __repr__(self) -> str:
        return f"<Relay {self.exchange.service} {self._client_side} {self._service_side}>"

    @property
    def sides(self) -> tuple[RelaySide, RelaySide]:
        """The client's and the service's."""
        return self._client_side, self._service_side

    @property
    def bytes_in(self) -> int:
        """Bytes that came from the client."""
        return self._client_side.moved

    @property
    def bytes_out(self) -> int:
        """Bytes that came from the service."""
        return self._service_side.moved

    def begin(self, connect: Callable[[IProtocol], bytes], connect_service: Callable[[IProtocol], bytes]) -> None:
        """Connect both sides; each call returns what had arrived there already."""
        late = connect_service(self._service_side)
        early = connect(self._client_side)
        self._account.began(self)
        for side, data in ((self._client_side, early), (self._service_side, late)):
            if data and not side.is_over:
                side.dataReceived(data)

    # As a client's connection: see `Http1Channel`.

    at_rest = False

    def make_room(self) -> None:
        """It is never at rest."""

    def leave(self) -> None:
        """It has no next answer that could say so."""

    def stop(self) -> None:
        """Both sides of a WebSocket are told to go. Of other protocols nobody here knows the words: they go on."""
        if self._account.is_websocket:
            self._say_goodbye(STOPPING)

    def expired(self) -> None:
        """It was time to look."""
        now = self._now()
        seen = self._look()
        if seen != self._seen:
            self._seen, self._moved_at = seen, now
        limit = GOODBYE_S if self._is_ending else self._account.idle_s
        if now - self._moved_at < limit:
            self.deadline = now + min(limit / LOOKS, self._moved_at + limit - now)
        elif self._is_ending:
            self._cut(IDLE_TIMEOUT)
        else:
            self._end_idle()

    def _look(self) -> tuple[int, ...]:
        """What changes as long as bytes move; at the end only what both sides still have to take."""
        client, service = self.sides
        untaken = waiting(client.transport), waiting(service.transport)
        return untaken if self._is_ending else (client.moved, service.moved, *untaken)

    def _end_idle(self) -> None:
        self._end_soon()
        if self._account.is_websocket:
            self._say_goodbye(IDLE_TIMEOUT)
        else:
            self._blame(IDLE_TIMEOUT)
            for side in self.sides:
                side.close()

    def cut(self, error: GatewayError | None = None) -> None:
        """End it now."""
        self._cut(error.cause if error is not None else STOPPING)

    # The end.

    def _blame(self, cause: Cause) -> None:
        exchange = self.exchange
        exchange.cause = exchange.cause or cause

    def _cut(self, cause: Cause) -> None:
        self._blame(cause)
        self.deadline = float("inf")
        for side in self.sides:
            side.cut()

    def _say_goodbye(self, cause: Cause) -> None:
        """Each side gets a close frame; when both have answered it is over (RFC 6455 §7.1.2)."""
        if self._client_side.is_over or self._service_side.is_over or self._client_side.last_words is not None:
            return
        self._blame(cause)
        self._service_side.say_last(close_frame(GOING_AWAY))
        self._client_side.say_last(close_frame(GOING_AWAY, self._account.mask()))

    def _end_soon(self) -> None:
        """From now on it has as long as an end may take, and longer only while bytes move."""
        self._is_ending = True
        self._seen, self._moved_at = self._look(), self._now()
        self.deadline = self._moved_at + GOODBYE_S / LOOKS

    def _changed(self, side: RelaySide) -> None:
        """One side has sent all it will, or is gone; or both have said goodbye."""
        other = side.other
        if side.is_over and not other.is_lost and not (other.is_over and side.has_ended):
            self._judge(side)
        if side.is_lost:
            self._lost(side)
        elif not side.is_over:
            self._answered(side)
        elif other.is_over:
            side.close()
            other.close()
        else:
            if self._account.is_websocket:
                self._end_soon()
            other.end_sending()

    def _answered(self, side: RelaySide) -> None:
        """A side that has said goodbye, and has been told so, has nothing left to say."""
        for one in (side, side.other):
            said, told = one.frames, one.other.frames
            if said is not None and told is not None and said.is_closed and (told.is_closed or one.other.has_said):
                one.close()

    def _lost(self, side: RelaySide) -> None:
        other = side.other
        if other.is_lost:
            self._end()
            return
        if not self._is_ending and self.exchange.cause is not STOPPING:  # which has a time of its own
            self._end_soon()
        if not side.has_said or other.is_over:
            other.close()

    def _judge(self, side: RelaySide) -> None:
        """Whose doing it is, where it did not end in order: in time, and in a WebSocket with a close frame."""
        if self._account.is_websocket:
            is_in_order = any(one.frames is not None and one.frames.is_closed for one in self.sides)
        else:
            is_in_order = not side.is_broken
        if not is_in_order:
            self._blame(CLIENT_GONE if side is self._client_side else CONNECTION_LOST)

    def _end(self) -> None:
        exchange = self.exchange
        exchange.bytes_in, exchange.bytes_out = self.bytes_in, self.bytes_out
        self.deadline = float("inf")
        self._account.ended(self)
        self._over(self)
        exchange.end(self._now())
        # Else they lie in a circle until the collector comes, each with the buffers of its connection.
        for side in self.sides:
            side.forget()
