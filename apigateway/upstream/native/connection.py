"""One HTTP/1.1 connection to a target: writes a request, reads its answer, and goes back to its pool.

Knows one exchange at a time, as its receiver; never who the client is or why the request is sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IProtocol, IPushProducer
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from apigateway.errors import BAD_RESPONSE, CONNECTION_LOST, GatewayError
from apigateway.http.heads import CHUNKED
from apigateway.http.lines import join_lines
from apigateway.http.response_reader import ResponseReader
from apigateway.http.upgrade import Offer
from apigateway.interfaces import Fields, IAttempt, IAttemptReceiver, IFlowTransport
from apigateway.sockets.hand_over import hand_over
from apigateway.sockets.unsent import waiting
from apigateway.upstream.native.unread import look_at, talks

if TYPE_CHECKING:
    from apigateway.upstream.native.transport import NativeTransport

# Servers may want a length even where there is no body (RFC 9110 §8.6).
_EXPECT_A_BODY = frozenset((b"POST", b"PUT", b"PATCH"))


@implementer(IAttempt, IPushProducer)
class NativeConnection(Protocol):
    """A connection of a pool; while it is on loan, the attempt that it is on loan for.

    While it is idle, a call of `has_unread` gives something true if anything has arrived that was not delivered yet.
    """

    transport: IFlowTransport

    def __init__(self, pool: NativeTransport) -> None:
        self._pool = pool
        self._reader = ResponseReader()
        self._receiver: IAttemptReceiver | None = None
        self._out: list[bytes] = []
        self._chunked = self._has_body = self._request_sent = self._head_told = False
        self._paused = self._blocked = self._closing = self.heard = False
        self.exchanges = 0
        self.idle_since = 0.0

    def __repr__(self) -> str:
        state = "busy" if self._receiver else "closing" if self._closing else "idle"
        return f"<NativeConnection {state} exchanges={self.exchanges}>"

    @property
    def reused(self) -> bool:
        """The connection has carried an exchange before the present one."""
        return self.exchanges > 1

    @property
    def receiver(self) -> IAttemptReceiver | None:
        """Whom the present exchange is for."""
        return self._receiver

    # The pool's side.

    def lend(self, receiver: IAttemptReceiver) -> None:
        """Begin an attempt for a receiver."""
        self.exchanges += 1
        self._receiver = receiver
        receiver.leased(self)

    def discard(self) -> None:
        """Cut an idle connection."""
        self._cut()

    def close(self) -> None:
        """Close an idle connection."""
        self._closing = True
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    # The attempt.

    def start(self, method: bytes, target: bytes, lines: bytes, length: int) -> None:
        """See `IAttempt.start`."""
        self._reader.expect(method == b"HEAD")
        self._head_told = self.heard = False
        self._chunked = length == CHUNKED
        self._has_body = length != 0
        self._request_sent = not self._has_body
        framing = b""
        if self._chunked:
            framing = b"Transfer-Encoding: chunked\r\n"
        elif length or method in _EXPECT_A_BODY:
            framing = b"Content-Length: %d\r\n" % length
        head = b"%b %b HTTP/1.1\r\n%b%b\r\n" % (method, target, lines, framing)
        if length:
            self._out.append(head)
        else:
            self.transport.write(head)

    def body(self, data: bytes) -> None:
        """See `IAttempt.body`."""
        if not data:
            # A chunk of nothing would be the end.
            return
        if self._chunked:
            self._out += (b"%x\r\n" % len(data), data, b"\r\n")
        else:
            self._out.append(data)

    def body_end(self, trailers: Fields) -> None:
        """See `IAttempt.body_end`."""
        self._request_sent = True
        if self._chunked:
            self._out.append(b"0\r\n%b\r\n" % join_lines(trailers))

    def flush(self) -> None:
        """See `IAttempt.flush`."""
        out = self._out
        if out:
            self._out = []
            self.transport.write(out[0] if len(out) == 1 else b"".join(out))

    def offer_switch(self, offer: Offer | None) -> bool:
        """See `IAttempt.offer_switch`."""
        self._reader.offer = offer
        return True

    def switch(self, protocol: IProtocol) -> bytes:
        """See `IAttempt.switch`. To the pool the connection is gone."""
        self._receiver = None
        self._closing = True
        self._pool.dropped(self)
        if self._paused:
            self.resume()
        self.transport.unregisterProducer()
        hand_over(self.transport, self, protocol)
        return self._reader.rest

    def pause(self) -> None:
        """See `IAttempt.pause`."""
        self._paused = True
        self.transport.pauseProducing()

    def resume(self) -> None:
        """See `IAttempt.resume`."""
        self._paused = False
        self.transport.resumeProducing()

    def cancel(self) -> None:
        """See `IAttempt.cancel`."""
        self._receiver = None
        self._cut()

    def _cut(self) -> None:
        self._closing = True
        self._out = []
        self._pool.dropped(self)
        self.transport.abortConnection()

    # The transport tells how the target takes the request body.

    def pauseProducing(self) -> None:
        """The target reads slowly."""
        self._blocked = True
        if self._receiver is not None:
            self._receiver.writable(False)

    def resumeProducing(self) -> None:
        """The target reads again."""
        self._blocked = False
        if self._receiver is not None:
            self._receiver.writable(True)

    def stopProducing(self) -> None:
        """The connection is lost; `connectionLost` follows."""

    # The protocol.

    def connectionMade(self) -> None:
        """Small writes go out at once; the transport reports back-pressure for as long as it lives."""
        self.transport.setTcpNoDelay(True)
        self.transport.registerProducer(self, True)
        self.has_unread = look_at(self.transport)
        if self.has_unread() and talks(self.transport):
            self._closing = True
            self.transport.abortConnection()
            self._pool.not_connected(GatewayError(BAD_RESPONSE, "The answer is not HTTP: it came before the request."))
        else:
            self._pool.connected(self)

    def dataReceived(self, data: bytes) -> None:
        """Tell the receiver what arrived. Bytes that nobody asked for make the connection unfit."""
        receiver, reader = self._receiver, self._reader
        if receiver is None:
            if not self._closing:
                self._cut()
            return
        if self._head_told and reader.passes(data):
            receiver.data(data)
            receiver.flush()
            return
        self.heard = True
        reader.feed(data)
        if reader.is_whole and not self._head_told and reader.status < 500:
            self._whole(receiver)
            return
        if (reader.interim or reader.switched) and not self._tell_interim(receiver):
            return
        if reader.error is not None and not self._head_told:
            # What is known to be broken is not begun.
            self._fail(reader.error)
            return
        if reader.status and not self._head_told:
            self._head_told = True
            receiver.head(reader.status, reader.reason, reader.lines, reader.length)
        if self._receiver is None:
            return
        if reader.chunks:
            chunks, reader.chunks = reader.chunks, []
            receiver.data(chunks[0] if len(chunks) == 1 else b"".join(chunks))
        if reader.error is not None:
            self._fail(reader.error)
        elif reader.complete and self._receiver is not None:
            self._complete(receiver)
        receiver.flush()

    def _tell_interim(self, receiver: IAttemptReceiver) -> bool:
        """False where that was all: the receiver has given up over it, or the service speaks another protocol now."""
        reader = self._reader
        interim, reader.interim = reader.interim, []
        for status, fields in interim:
            if status != 100:
                receiver.informational(status, fields)
        if reader.switched and self._receiver is not None:
            receiver.switched(reader.switched, reader.reason, reader.lines)
            return False
        return self._receiver is not None

    def _whole(self, receiver: IAttemptReceiver) -> None:
        """All came at once, as it mostly does; back to the pool first, as in `_complete`."""
        reader = self._reader
        chunks, status, reason, lines = reader.chunks, reader.status, reader.reason, reader.lines
        self._give_back()
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        receiver.whole(status, reason, lines, body)

    def _complete(self, receiver: IAttemptReceiver) -> None:
        """Go back to the pool before the receiver learns of the end: the next exchange may begin in there."""
        trailers = self._reader.trailers
        self._give_back()
        receiver.end(trailers)

    def _give_back(self) -> None:
        reader = self._reader
        self._receiver = None
        if self._paused:
            self.resume()
        # What the target has not taken by now it may never take.
        is_sent = self._request_sent and not (self._has_body and (self._blocked or waiting(self.transport)))
        if is_sent and reader.keep_alive and not (reader.excess or reader.offer):
            self._pool.released(self)
        elif is_sent and not reader.excess:
            self._pool.dropped(self)
            self.close()
        else:
            # At once: closing in order would keep the local port for a minute, and there may be many of these.
            self._cut()

    def _fail(self, error: GatewayError) -> None:
        receiver, self._receiver = self._receiver, None
        if not self._closing:
            self._cut()
        if receiver is not None:
            receiver.failed(error)
            receiver.flush()

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008  # as the base has it
        """The end of the connection is the end of an answer that has no other (RFC 9112 §6.3, rule 8)."""
        self._pool.dropped(self)
        self._closing = True
        self._reader.forget()  # the reader and its parser hold each other, and the collector comes late
        receiver, self._receiver = self._receiver, None
        if receiver is None:
            return
        if self._reader.until_close and reason.check(ConnectionDone):
            receiver.end([])
        else:
            receiver.failed(self._why_lost(reason))
        receiver.flush()

    def _why_lost(self, reason: Failure) -> GatewayError:
        is_new = self.exchanges == 1 and not self.heard
        refused = self._pool.refusal(reason.value) if is_new and reason.value is not None else None
        when = "in the middle of its answer" if self._head_told else "before it answered"
        return refused or GatewayError(CONNECTION_LOST, f"The service closed the connection {when}.")
