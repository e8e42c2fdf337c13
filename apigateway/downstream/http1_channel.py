"""One client's HTTP/1 connection: reads requests, hands each on at the end of its head, writes the answers in order.

One exchange at a time is in progress; what a client pipelines waits its turn. Knows no routes, services or policies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.interfaces import IAddress, IPushProducer, ISSLTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from apigateway.downstream.connections import Client, host_of
from apigateway.downstream.http1_answer import AnswerWriter
from apigateway.downstream.intake import Intake
from apigateway.downstream.outflow import Outflow
from apigateway.downstream.relay import RelayAccount
from apigateway.downstream.relaying import begin_relay
from apigateway.downstream.rounds import AT_ONCE
from apigateway.downstream.sending_pace import NEVER
from apigateway.errors import CLIENT_GONE, CLIENT_TOO_SLOW, REQUEST_TIMEOUT, GatewayError
from apigateway.exchange import Exchange
from apigateway.interfaces import Fields, IAttempt, IDownstream, IFlowTransport

if TYPE_CHECKING:
    from apigateway.downstream.site import CameBy, GatewaySite


@implementer(IDownstream, IPushProducer)
class Http1Channel(Protocol):
    """A client's connection. `deadline` is when its present state has lasted too long; the site sweeps.

    `address` is where the client is, `secure` whether it speaks TLS: who knows better than the transport sets them.
    `client` is whose it is, for the site's `Connections`, and `rests_since` when it last began to wait for a request.
    """

    transport: IFlowTransport

    def __init__(self, site: GatewaySite) -> None:
        self._site = site
        self.listener: CameBy = site
        self._intake = Intake(site.limits.head, site.limits.body_s, site.limits.least_moved)
        self._reader = self._intake.reader
        self._exchange: Exchange | None = None
        self._answer = AnswerWriter()
        self._outflow = Outflow(self._answer, site.now)
        self._advancing = self._head_begun = False
        self.deadline = NEVER
        self.rests_since = 0.0
        self.client: Client | None = None
        self.peer = ""
        self.address: IAddress | None = None
        self.secure = False

    def __repr__(self) -> str:
        state = "lingering" if self._outflow.is_last else "busy" if self._exchange else "idle"
        return f"<Http1Channel {self.peer} {state} pipelined={len(self._reader.ready)}>"

    @property
    def at_rest(self) -> bool:
        """No exchange is in progress."""
        return self._exchange is None

    # The connection.

    def connectionMade(self) -> None:
        """Begin to wait for a request head."""
        self._intake.transport = transport = self.transport
        transport.setTcpNoDelay(True)
        transport.registerProducer(self, True)
        self.secure = self.secure or ISSLTransport.providedBy(transport)
        self.address = self.address or transport.getPeer()
        self.peer = host_of(self.address)
        self.rests_since = self._site.now()
        self.deadline = self.rests_since + self._site.limits.head_s
        self._site.channel_opened(self)

    def dataReceived(self, data: bytes) -> None:
        """Read on."""
        if self._outflow.is_last:
            self._reader.forget()
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
            exchange.let_go()
            exchange.cause = exchange.cause or CLIENT_GONE
            self._end(exchange)
        self._reader.forget()  # the reader and its parser hold each other, and the collector comes late

    def _end(self, exchange: Exchange) -> None:
        self._exchange = None
        self._intake.message = self._intake.body = None
        if not self._outflow.is_stalled:
            self.deadline = NEVER
        exchange.end(self._site.now())

    def _close(self) -> None:
        self.deadline = self._outflow.close(self.transport)

    # Requests.

    def _advance(self) -> None:
        """Begin with the next request, if its head is here, until one is in progress."""
        if self._advancing:
            return
        self._advancing = True
        reader = self._reader
        for _ in range(AT_ONCE):
            if self._exchange is not None or self._outflow.is_last:
                break
            if self._outflow.is_stalled:
                # Who does not read answers gets no more of them.
                self._intake.read(False)
                break
            if reader.ready:
                self._begin()
            elif reader.error is not None:
                self._refuse(reader.error)
            elif reader.waits:
                reader.go_on()
            else:
                self._await_head()
                break
        else:
            # Other connections have their turn first; until then `_advancing` keeps everybody else out.
            self._intake.read(reader.has_room)
            self._site.rounds.next(self._go_on)
            return
        self._advancing = False

    def _go_on(self) -> None:
        self._advancing = False
        if self in self._site.channels:
            self._advance()

    def _await_head(self) -> None:
        site = self._site
        if self._reader.between_requests:
            if site.stopping:
                self._close()
                return
            if self.deadline is NEVER:
                self.rests_since = now = site.now()
                self.deadline = now + site.limits.keep_alive_s
        elif not self._head_begun:
            self._head_begun = True
            self.deadline = site.now() + site.limits.head_s
        self._intake.read(True)

    def _begin(self) -> None:
        site, intake = self._site, self._intake
        message = intake.next()
        head = message.head
        self._exchange = exchange = Exchange(head, self, self.peer, self.secure, site.now(), site.observe)
        self._head_begun = False
        self.deadline = NEVER
        self._answer.begin(head, message.complete, self.listener.leaving)
        self.listener.begin(exchange)
        if self._exchange is exchange and not (message.complete and intake.is_reading and self._reader.is_quiet):
            self._deliver()

    def _refuse(self, error: GatewayError) -> None:
        """Answer what can't be read as a request, and close."""
        site, head = self._site, self._reader.error_head
        self._exchange = exchange = Exchange(head, self, self.peer, self.secure, site.now(), site.observe)
        self._answer.begin(head, False, True)
        site.refuse(exchange, error)

    def _deliver(self) -> None:
        """Give the exchange what has arrived of its body."""
        exchange = self._exchange
        if exchange is None:
            return
        error = self._intake.deliver(exchange)
        if error is not None:
            exchange.break_off(error)
        elif self._exchange is exchange:
            self._await_body()

    def _await_body(self) -> None:
        """Give the client its time for the next piece of its body; how long it may leave the answer unread stands."""
        if not self._outflow.is_stalled:
            self.deadline = NEVER if self._intake.body is None else self._intake.awaited_until(self._site.now())

    # Time: the site sweeps.

    def expired(self) -> None:
        """The present state has lasted too long."""
        self.deadline = NEVER
        exchange = self._exchange
        if self._outflow.is_last or self._outflow.is_stalled:
            self.deadline = self._outflow.judge(self.transport, exchange, self._site.limits)
        elif exchange is not None:
            now = self._site.now()
            self.deadline = self._intake.next_window(now)
            if self.deadline <= now:
                exchange.break_off(GatewayError(REQUEST_TIMEOUT, "The body stopped, or came too slowly."))
        elif self._reader.between_requests:
            self._close()
        else:
            self._refuse(GatewayError(REQUEST_TIMEOUT, "The head of the request did not arrive in time."))

    def make_room(self) -> None:
        """Close: another connection needs the room, and no exchange is in progress on this one."""
        (self.transport.abortConnection if self._outflow.is_stalled or self._outflow.is_last else self._close)()

    def stop(self) -> None:
        """Take no further request: close at once when idle, or with the present answer."""
        self._answer.close_after()
        if self.at_rest and self._reader.between_requests and not self._outflow.is_last:
            self._close()

    def leave(self) -> None:
        """The next answer is the last, or the present one where its head can still say so."""
        self._answer.leave()

    def cut(self, error: GatewayError | None = None) -> None:
        """End whatever is in progress; with `error`, where that can still be said, as the answer."""
        exchange = self._exchange
        if exchange is not None and error is not None:
            exchange.cause = exchange.cause or error.cause
            if not self._outflow.is_stalled:
                exchange.break_off(error)
                return
        self.transport.abortConnection()

    # The transport tells how the client takes the answer.

    def pauseProducing(self) -> None:
        """The client reads slowly."""
        if not self._outflow.is_stalled:
            self.deadline = self._outflow.stall()
        if self._exchange is not None and self._exchange.upstream is not None:
            self._exchange.upstream.pause()

    def resumeProducing(self) -> None:
        """The client reads again."""
        self._outflow.is_stalled = False
        if self._intake.body is not None:
            self._intake.body.pace.held()
        self._await_body()
        if self._exchange is None:
            self._advance()
        elif self._exchange.upstream is not None:
            self._exchange.upstream.resume()

    def stopProducing(self) -> None:
        """The connection is lost; `connectionLost` follows."""

    # The exchange asks: see `IDownstream`.

    def send_continue(self) -> None:
        message = self._intake.message
        if message is not None and b"expect" in message.head.special and not (message.chunks or message.complete):
            self._answer.add_continue()
            self._answer.write_to(self.transport)

    def send_informational(self, status: int, fields: Fields) -> None:
        self._answer.add_informational(status, fields)

    def open_body(self) -> None:
        self._intake.open_body()
        self._deliver()

    def pause_body(self) -> None:
        self._intake.hold_body(True)
        self._await_body()

    def resume_body(self) -> None:
        self._intake.hold_body(False)
        self._deliver()

    def send_head(self, status: int, reason: bytes, lines: bytes, length: int | None) -> None:
        self._answer.add_head(status, reason, lines, length, close=self._intake.leaves_body(status, self._exchange))

    def send_whole(self, status: int, reason: bytes, lines: bytes, body: bytes) -> None:
        message, exchange = self._intake.message, self._exchange
        whole = self._answer.ordinary(status, reason, lines, body)
        if whole and exchange is not None and message is not None and message.complete:
            self.transport.write(whole)
            self._end(exchange)
            self._advance()
        else:
            if message is not None and not message.complete:
                self._answer.close_after()
            self.send_head(status, reason, lines, len(body))
            self.send_body(body)
            self.finish([])
            self.flush()

    def send_body(self, data: bytes) -> None:
        self._answer.add_body(data)

    def finish(self, trailers: Fields) -> None:
        self._answer.add_end(trailers)

    def flush(self) -> None:
        """See `IDownstream.flush`. With the end of the answer the next request's turn comes."""
        self._answer.write_to(self.transport)
        exchange = self._exchange
        if self._answer.finished and exchange is not None:
            message = self._intake.message
            complete = message is not None and message.complete
            self._answer.finished = False
            self._end(exchange)
            if not complete:
                self.deadline = self._outflow.linger(self.transport)
                self._intake.read(True)
            elif self._answer.keep_alive:
                self._advance()
            else:
                self._close()

    def offer_switch(self) -> bool:
        if self._reader.waits:
            self._answer.close_after()
        return self._reader.waits

    def switch(self, reason: bytes, lines: bytes, attempt: IAttempt, account: RelayAccount) -> None:
        exchange, self._exchange = self._exchange, None
        self._answer.add_switch(reason, lines)
        self._answer.write_to(self.transport)
        begin_relay(self._site, self, self._intake, exchange, attempt, account)

    def progress(self) -> tuple[bool, int]:
        return self._intake.is_whole, self._outflow.untaken(self.transport)

    def abort(self) -> None:
        """See `IDownstream.abort`. Reset only who does not read, and where the end would be that of the body."""
        exchange = self._exchange
        self._answer.write_to(self.transport)
        if exchange is not None:
            self._end(exchange)
        if self._answer.until_close or (exchange is not None and exchange.cause is CLIENT_TOO_SLOW):
            self.transport.abortConnection()
        else:
            self._close()
