"""One client's HTTP/1 connection: reads requests, hands each on at the end of its head, writes the answers in order.

One exchange at a time is in progress; what a client pipelines waits its turn. Knows no routes, services or policies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.interfaces import IPushProducer, ISSLTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from apigateway.downstream.http1_answer import AnswerWriter
from apigateway.errors import CLIENT_GONE, REQUEST_TIMEOUT, GatewayError
from apigateway.exchange import Exchange
from apigateway.http.request_reader import RequestMessage, RequestReader
from apigateway.interfaces import Fields, IDownstream, IFlowTransport

if TYPE_CHECKING:
    from apigateway.downstream.site import GatewaySite

NEVER = float("inf")
LINGER_S = 2.0
"""How long a client that has not finished its request may take to read why it was not served."""


@implementer(IDownstream, IPushProducer)
class Http1Channel(Protocol):
    """A client's connection. `deadline` is when its present state has lasted too long; the site sweeps."""

    transport: IFlowTransport

    def __init__(self, site: GatewaySite) -> None:
        self._site = site
        self._reader = RequestReader(site.limits.head)
        self._exchange: Exchange | None = None
        self._message: RequestMessage | None = None
        self._answer = AnswerWriter()
        self._body_open = self._body_held = self._body_told = False
        self._reading = True
        self._advancing = self._lingering = self._stalled = self._head_begun = False
        self.deadline = NEVER
        self.peer = ""
        self.secure = False

    def __repr__(self) -> str:
        state = "lingering" if self._lingering else "busy" if self._exchange else "idle"
        return f"<Http1Channel {self.peer} {state} pipelined={len(self._reader.ready)}>"

    @property
    def idle(self) -> bool:
        """Between two requests."""
        return self._exchange is None and self._reader.between_requests

    # The connection.

    def connectionMade(self) -> None:
        """Begin to wait for a request head."""
        transport = self.transport
        transport.setTcpNoDelay(True)
        transport.registerProducer(self, True)
        self.secure = ISSLTransport.providedBy(transport)
        self.peer = getattr(transport.getPeer(), "host", None) or "unix"
        self.deadline = self._site.now() + self._site.limits.head_s
        self._site.channel_opened(self)

    def dataReceived(self, data: bytes) -> None:
        """Read on."""
        if self._lingering:
            return
        self._reader.feed(data)
        if self._exchange is None:
            self._advance()
        else:
            self._deliver()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The client is gone: whatever works for it stops."""
        self._site.channel_closed(self)
        self.deadline = NEVER
        exchange = self._exchange
        if exchange is not None:
            self._let_go(exchange)
            exchange.cause = exchange.cause or CLIENT_GONE
            self._end(exchange)
        self._reader.ready.clear()  # the reader and its parser hold each other, and the collector comes late

    def _let_go(self, exchange: Exchange) -> None:
        upstream, exchange.upstream = exchange.upstream, None
        if upstream is not None:
            upstream.client_gone()

    def _end(self, exchange: Exchange) -> None:
        self._exchange = None
        self._message = None
        if not self._stalled:
            self.deadline = NEVER
        exchange.end(self._site.now())

    def _close(self) -> None:
        """Close when all that has been written is sent; the sweep cuts a client that does not take it."""
        self._last_for(self._site.limits.body_s)
        self.transport.loseConnection()

    def _linger(self) -> None:
        """Close, but let a client that is still sending read the answer first (RFC 9112 §9.6)."""
        self._last_for(LINGER_S)
        self._read(True)
        (self.transport.loseConnection if self.secure else self.transport.loseWriteConnection)()  # TLS has no halves

    def _last_for(self, seconds: float) -> None:
        self._lingering = True
        self.deadline = self._site.now() + seconds
        self.transport.unregisterProducer()

    # Requests.

    def _advance(self) -> None:
        """Begin with the next request, if its head is here, until one is in progress."""
        if self._advancing:
            return
        self._advancing = True
        reader = self._reader
        while self._exchange is None and not self._lingering:
            if self._stalled:
                # Who does not read answers gets no more of them.
                self._read(False)
                break
            if reader.ready:
                self._begin(reader.ready.popleft())
            elif reader.error is not None:
                self._refuse(reader.error)
            else:
                self._await_head()
                break
        self._advancing = False

    def _await_head(self) -> None:
        site = self._site
        if self._reader.between_requests:
            if site.stopping:
                self._close()
                return
            if self.deadline is NEVER:
                self.deadline = site.now() + site.limits.keep_alive_s
        elif not self._head_begun:
            self._head_begun = True
            self.deadline = site.now() + site.limits.head_s
        self._read(True)

    def _begin(self, message: RequestMessage) -> None:
        site, head = self._site, message.head
        self._exchange = exchange = Exchange(head, self, self.peer, self.secure, site.now(), site.observe)
        self._message = message
        self._body_open = self._body_held = self._body_told = self._head_begun = False
        self.deadline = NEVER
        self._answer.begin(head, message.complete, site.stopping)
        site.begin(exchange)
        if self._exchange is exchange and not (message.complete and self._reading and self._reader.is_quiet):
            self._deliver()

    def _refuse(self, error: GatewayError) -> None:
        """Answer what can't be read as a request, and close."""
        site, head = self._site, self._reader.error_head
        self._exchange = exchange = Exchange(head, self, self.peer, self.secure, site.now(), site.observe)
        self._message = None
        self._answer.begin(head, False, True)
        site.refuse(exchange, error)

    def _deliver(self) -> None:
        """Give the exchange what has arrived of its body, or stop reading while it can't take it."""
        message, exchange = self._message, self._exchange
        if message is None or exchange is None:
            return
        if not self._body_open or self._body_held:
            self._read(not message.chunks and self._reader.has_room)
            return
        upstream = exchange.upstream
        if message.chunks and upstream is not None:
            data = message.chunks[0] if len(message.chunks) == 1 else b"".join(message.chunks)
            message.chunks.clear()
            upstream.body(data)
            if self._exchange is not exchange:
                return
        if message.complete:
            self._tell_body_end(exchange, message)
        elif self._reader.error is not None:
            self._body_broken(exchange, self._reader.error)
        else:
            self._await_body()
        if self._exchange is exchange:
            self._read(not self._body_held and self._reader.has_room)

    def _await_body(self) -> None:
        """Give the client its time for the next piece of its body; how long it may leave the answer unread stands."""
        if not self._stalled:
            message = self._message
            is_due = message is not None and self._body_open and not (self._body_held or message.complete)
            self.deadline = self._site.now() + self._site.limits.body_s if is_due else NEVER

    def _tell_body_end(self, exchange: Exchange, message: RequestMessage) -> None:
        self._body_held = False
        self._await_body()
        if not self._body_told:
            self._body_told = True
            if exchange.upstream is not None:
                exchange.upstream.body_end(message.trailers)

    def _body_broken(self, exchange: Exchange, error: GatewayError) -> None:
        self._let_go(exchange)
        exchange.fail(error)

    def _read(self, wanted: bool) -> None:
        if wanted is not self._reading:
            self._reading = wanted
            if wanted:
                self.transport.resumeProducing()
            else:
                self.transport.pauseProducing()

    # Time: the site sweeps.

    def expired(self) -> None:
        """The present state has lasted too long."""
        self.deadline = NEVER
        exchange = self._exchange
        if self._lingering or self._stalled:
            self.transport.abortConnection()
        elif exchange is not None:
            self._body_broken(exchange, GatewayError(REQUEST_TIMEOUT, "The body stopped arriving."))
        elif self._reader.between_requests:
            self._close()
        else:
            self._refuse(GatewayError(REQUEST_TIMEOUT, "The head of the request did not arrive in time."))

    def stop(self) -> None:
        """Take no further request: close at once when idle, or with the present answer."""
        self._answer.close_after()
        if self.idle and not self._lingering:
            self._close()

    def cut(self) -> None:
        """End whatever is in progress."""
        self.transport.abortConnection()

    # The transport tells how the client takes the answer.

    def pauseProducing(self) -> None:
        """The client reads slowly."""
        if not self._stalled:
            self._stalled = True
            self.deadline = self._site.now() + self._site.limits.body_s
        if self._exchange is not None and self._exchange.upstream is not None:
            self._exchange.upstream.pause()

    def resumeProducing(self) -> None:
        """The client reads again."""
        self._stalled = False
        self._await_body()
        if self._exchange is None:
            self._advance()
        elif self._exchange.upstream is not None:
            self._exchange.upstream.resume()

    def stopProducing(self) -> None:
        """The connection is lost; `connectionLost` follows."""

    # The exchange asks: see `IDownstream`.

    def send_continue(self) -> None:
        message = self._message
        if message is not None and b"expect" in message.head.special and not (message.chunks or message.complete):
            self._answer.add_continue()
            self._answer.write_to(self.transport)

    def send_informational(self, status: int, fields: Fields) -> None:
        self._answer.add_informational(status, fields)

    def open_body(self) -> None:
        self._body_open = True
        self._deliver()

    def pause_body(self) -> None:
        self._body_held = True
        self._await_body()
        self._read(False)

    def resume_body(self) -> None:
        self._body_held = False
        self._deliver()

    def send_head(self, status: int, reason: bytes, lines: bytes, length: int | None) -> None:
        self._answer.add_head(status, reason, lines, length, close=self._leaves_body())

    def send_whole(self, status: int, reason: bytes, lines: bytes, body: bytes) -> None:
        message, exchange = self._message, self._exchange
        whole = self._answer.ordinary(status, reason, lines, body)
        if whole and exchange is not None and message is not None and message.complete:
            self.transport.write(whole)
            self._end(exchange)
            self._advance()
        else:
            self.send_head(status, reason, lines, len(body))
            self.send_body(body)
            self.finish([])
            self.flush()

    def _leaves_body(self) -> bool:
        """The request body will not be read to its end."""
        message, exchange = self._message, self._exchange
        if message is None or message.complete:
            return message is None
        return not self._body_open or exchange is None or exchange.cause is not None

    def send_body(self, data: bytes) -> None:
        self._answer.add_body(data)

    def finish(self, trailers: Fields) -> None:
        self._answer.add_end(trailers)

    def flush(self) -> None:
        """See `IDownstream.flush`. With the end of the answer the next request's turn comes."""
        self._answer.write_to(self.transport)
        exchange = self._exchange
        if self._answer.finished and exchange is not None:
            message = self._message
            complete = message is not None and message.complete
            self._answer.finished = False
            self._end(exchange)
            if not complete:
                self._linger()
            elif self._answer.keep_alive:
                self._advance()
            else:
                self._close()

    def abort(self) -> None:
        """See `IDownstream.abort`. It is reset only where its end would look like the end of the body."""
        exchange = self._exchange
        self._answer.write_to(self.transport)
        if exchange is not None:
            self._end(exchange)
        if self._answer.until_close:
            self.transport.abortConnection()
        else:
            self._close()
