"""What one client sends: its requests in order, and the body of the present one on its way to whoever answers.

Reads no more from the transport than is taken. Knows no answers and no deadlines but a body's own.
"""

from __future__ import annotations

from typing import Any

from apigateway.downstream.sending_pace import NEVER, SendingPace
from apigateway.errors import AMBIGUOUS_PATH, GatewayError
from apigateway.exchange import Exchange
from apigateway.http.request_message import RequestMessage
from apigateway.http.request_reader import HeadLimits, RequestReader
from apigateway.interfaces import IUpstream

CRUMBS_SIZE = 4 * 1024
"""So much is read at once of bodies in tiny chunks, at 50 ns a byte, so that others have their turn in between."""


class Body:
    """The body of one request. `is_open`: somebody has asked for it; `is_held`: but wants no more of it for now."""

    __slots__ = ("is_open", "is_held", "pace", "_message", "_is_told")

    def __init__(self, message: RequestMessage, pace: SendingPace) -> None:
        self.pace = pace
        self.is_open = self.is_held = self._is_told = False
        self._message = message

    @property
    def is_wanted(self) -> bool:
        """Whoever answers takes what comes."""
        return self.is_open and not self.is_held

    def give(self, upstream: IUpstream) -> None:
        """Give what has arrived."""
        chunks = self._message.chunks
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self.pace.sent(len(data))
        upstream.body(data)

    def tell_end(self, upstream: IUpstream | None) -> None:
        """It is complete; that is told once."""
        self.is_held = False
        if not self._is_told:
            self._is_told = True
            if upstream is not None:
                upstream.body_end(self._message.trailers)


class Intake:
    """One client's requests. `message` is the one whose exchange is in progress, `body` what it has of a body.

    `transport` is to be set when there is one. `window_s` and `least`: see `SendingPace`.
    """

    __slots__ = ("reader", "message", "body", "is_reading", "transport", "_window_s", "_least")

    def __init__(self, limits: HeadLimits, window_s: float, least: int) -> None:
        self.reader = RequestReader(limits)
        self.message: RequestMessage | None = None
        self.body: Body | None = None
        self.is_reading = True
        self.transport: Any = None
        self._window_s = window_s
        self._least = least

    def read(self, wanted: bool) -> None:
        """Read from the transport, or not for now."""
        if wanted is not self.is_reading:
            self.is_reading = wanted
            if wanted:
                self.transport.resumeProducing()
            else:
                self.transport.pauseProducing()

    def next(self) -> RequestMessage:
        """The next request, which is there, becomes the present one."""
        reader = self.reader
        self.message = message = reader.ready.popleft()
        if reader.put_off and not (reader.ready or reader.waits):
            reader.go_on()
        if message.chunks or not message.complete:
            self.body = self._body_of(message)
        return message

    def _body_of(self, message: RequestMessage) -> Body:
        return Body(message, SendingPace(self._window_s, self._least))

    @property
    def is_whole(self) -> bool:
        """The present request is all here."""
        return self.message is None or self.message.complete

    def open_body(self) -> None:
        """From now on the body is delivered."""
        if self.body is None and self.message is not None:
            self.body = self._body_of(self.message)
        if self.body is not None:
            self.body.is_open = True

    def hold_body(self, is_held: bool) -> None:
        """Deliver no more of the body for now, or go on."""
        if self.body is not None:
            self.body.is_held = is_held
            if is_held:
                self.body.pace.held()
                self.read(False)

    def deliver(self, exchange: Exchange) -> GatewayError | None:
        """Give the exchange what has arrived of its body, or stop reading while it can't take it.

        Returns why the body will not become complete, where that is so.
        """
        message, body, reader = self.message, self.body, self.reader
        if message is None:
            return None
        if body is None or not body.is_wanted:
            self.read(not message.chunks and reader.has_room)
            return None
        if message.is_crumbs:
            self.transport.read_size = CRUMBS_SIZE
        if message.chunks and exchange.upstream is not None:
            body.give(exchange.upstream)
            if self.message is not message:
                return None
        if message.complete:
            body.tell_end(exchange.upstream)
        elif reader.error is not None:
            return reader.error
        if self.message is message:
            self.read(not body.is_held and reader.has_room)
        return None

    def awaited_until(self, now: float) -> float:
        """Until when the client has time for the next piece of the body; for ever where it is not waited for."""
        message, body = self.message, self.body
        if body is None or message is None or message.complete or not body.is_wanted:
            return NEVER
        return body.pace.awaited(now)

    def next_window(self, now: float) -> float:
        """The client's time is up: until when it has time now; `now` where it has none."""
        return now if self.body is None else self.body.pace.next_window(now)

    def leaves_body(self, status: int, exchange: Exchange | None) -> bool:
        """The body will not be read to its end; after a refusal it need not be (RFC 9112 §9.6).

        Nor is anything more read of who sent what others could read in another way.
        """
        message, body = self.message, self.body
        if message is None or message.complete:
            return message is None or (exchange is not None and exchange.cause is AMBIGUOUS_PATH)
        return status >= 400 or body is None or not body.is_open or exchange is None or exchange.cause is not None
