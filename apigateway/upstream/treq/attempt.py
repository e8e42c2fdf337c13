"""One exchange through treq, told to its receiver in the words of `IAttemptReceiver`.

Knows one connection, which it gives back or drops at the end. Everything Twisted reports is translated here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from treq.client import HTTPClient
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IProtocol, IPushProducer
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from zope.interface import implementer

from apigateway.errors import BAD_REQUEST, CONNECTION_LOST, GatewayError
from apigateway.http.lines import split_lines
from apigateway.http.response_reader import ResponseReader
from apigateway.interfaces import Fields, IAttempt, IAttemptReceiver
from apigateway.sockets.unsent import waiting
from apigateway.upstream.dialing.dial import Explain, nothing_more
from apigateway.upstream.treq.connection import TreqConnection
from apigateway.upstream.treq.errors import exchange_error
from apigateway.upstream.treq.request import StreamedBody, VerbatimAgent

# treq wants a URL; the request goes to the connection that is there, with the target that the exchange has.
_NO_URL = "http://service/"


class _AnswerBody(Protocol):
    """Takes the body of an answer for an attempt."""

    transport: IPushProducer  # type: ignore[assignment]  # Twisted gives bodies only this much of a transport

    def __init__(self, arrived: Callable[[bytes], None], over: Callable[[Failure], None]) -> None:
        self._arrived = arrived
        self._over = over

    def dataReceived(self, data: bytes) -> None:
        """A piece of the body."""
        self._arrived(data)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]  # always given by Response
        """The body is over, in one way or another; whom it was for holds this, and is held no more."""
        over = self._over
        self._arrived = self._over = _nobody
        over(reason)


def _nobody(_: object) -> None:
    """Nothing comes after the end."""


@implementer(IAttempt)
class TreqAttempt:
    """One try of an exchange on a connection on loan. `over` is called once, before the receiver hears of the end."""

    __slots__ = (
        "_answer_body", "_connection", "_head", "_over", "_paused", "_reactor", "_receiver", "_refusal",
        "_request_body", "_request_sent", "_response", "_starting", "heard", "reused",
    )  # fmt: skip

    def __init__(
        self, reactor: Any, connection: TreqConnection, receiver: IAttemptReceiver,
        over: Callable[[TreqAttempt], None], refusal: Explain = nothing_more,
    ) -> None:  # fmt: skip
        connection.lend(self)
        self.reused = connection.exchanges > 1
        self.heard = False
        self._reactor = reactor
        self._connection = connection
        self._over = over
        self._refusal = refusal
        self._receiver: IAttemptReceiver | None = receiver
        self._request_body: StreamedBody | None = None
        self._head: tuple[int, bytes, bytes, int | None] | None = None
        self._response: Any = None
        self._answer_body: _AnswerBody | None = None
        self._paused = self._starting = False
        self._request_sent = True

    @property
    def receiver(self) -> IAttemptReceiver | None:
        """See `IAttempt.receiver`."""
        return self._receiver

    # IAttempt.

    def start(self, method: bytes, target: bytes, lines: bytes, length: int) -> None:
        """See `IAttempt.start`. A failure in here is told a little later, as all others are."""
        connection = self._connection
        if connection.is_lost:
            gone = GatewayError(CONNECTION_LOST, "The service closed the connection before it was asked.")
            self._reactor.callLater(0, self._fail, gone)
            return
        if length:
            self._request_sent = False
            self._request_body = StreamedBody(length, self._writable)
        connection.expect_answer(method == b"HEAD")
        agent = VerbatimAgent(self._reactor, connection.inner, method, target, split_lines(lines), self._request_body)
        self._starting = True
        answer = maybeDeferred(
            HTTPClient(agent).request, "GET", _NO_URL, allow_redirects=False, unbuffered=True, reactor=self._reactor
        )
        if length:
            self._hear_early(connection.inner)
        answer.addCallback(self._answered).addErrback(self._failed)
        self._starting = False

    def _hear_early(self, inner: Any) -> None:
        """Learn of an answer as soon as its head is there; Twisted reports it when the request has been sent.

        A service may need its answer to be read before it takes more of the request, so that waiting would never end.
        """
        head_read: Deferred[Any] | None = getattr(inner, "_responseDeferred", None)
        if head_read is not None:
            head_read.addCallback(self._answered_early)

    def _answered_early(self, response: Any) -> Any:
        self._answered(response)
        return response

    def body(self, data: bytes) -> None:
        """See `IAttempt.body`."""
        if self._request_body is not None:
            self._request_body.write(data)

    def body_end(self, trailers: Fields) -> None:
        """See `IAttempt.body_end`. Twisted can't send trailers: they are dropped."""
        if self._request_body is not None:
            self._request_sent = True
            self._request_body.finish()

    def flush(self) -> None:
        """See `IAttempt.flush`. The reactor's transports gather what is written in one turn."""

    def offer_switch(self, offer: Any) -> bool:
        """Twisted's client has no way to another protocol."""
        return False

    def switch(self, protocol: IProtocol) -> bytes:
        """See `offer_switch`: nothing is ever switched."""
        raise RuntimeError("nothing was offered")

    def pause(self) -> None:
        """See `IAttempt.pause`."""
        self._paused = True
        if self._answer_body is not None:
            self._answer_body.transport.pauseProducing()

    def resume(self) -> None:
        """See `IAttempt.resume`."""
        self._paused = False
        if self._answer_body is not None:
            self._answer_body.transport.resumeProducing()
        elif self._response is not None:
            self._deliver()
            self.segment_over()

    def cancel(self) -> None:
        """See `IAttempt.cancel`."""
        self._end(cut=True)

    # The connection tells what it read of the head.

    def interim_read(self, status: int, fields: Fields) -> None:
        """Pass an interim answer on; 100 is between the gateway and the service."""
        if self._receiver is not None and status != 100:
            self._receiver.informational(status, fields)

    def head_read(self, reader: ResponseReader) -> None:
        """Keep the head as it was on the wire until Twisted reports the answer."""
        self._head = (reader.status, reader.reason, reader.lines, reader.length)

    def head_refused(self, error: GatewayError) -> None:
        """The head breaks a rule."""
        self._fail(error)

    def segment_over(self) -> None:
        """All that arrived together has been told."""
        if self._receiver is not None:
            self._receiver.flush()

    # treq and Twisted tell of the answer.

    def _answered(self, response: Any) -> None:
        if self._receiver is None or self._head is None or self._response is not None:
            return
        self._receiver.head(*self._head)
        self._response = response
        if not self._paused and self._receiver is not None:
            self._deliver()

    def _deliver(self) -> None:
        self._answer_body = _AnswerBody(self._body_arrived, self._body_over)
        self._response.deliverBody(self._answer_body)
        if self._paused:
            self.pause()

    def _body_arrived(self, data: bytes) -> None:
        if self._receiver is not None:
            self._receiver.data(data)

    def _body_over(self, reason: Failure) -> None:
        """The end of the connection is the end of a body that has no other, if the service closed it properly."""
        whole = reason.check(ResponseDone) or (reason.check(PotentialDataLoss) and self._connection.ended_cleanly)
        if not whole:
            self._failed(reason)
            return
        # What the target has not taken by now it may never take.
        is_sent = self._request_body is None or (self._request_sent and not waiting(self._connection.transport))
        receiver = self._end(cut=not is_sent)
        if receiver is not None:
            receiver.end([])
            receiver.flush()

    def _failed(self, failure: Failure) -> None:
        if self._receiver is None:
            return
        if self._starting and failure.check(ValueError):
            error = GatewayError(BAD_REQUEST, "The method or the target can't be sent to the service.")
        elif failure.check(PotentialDataLoss):
            error = GatewayError(CONNECTION_LOST, "The service broke off in the middle of its answer.")
        else:
            refusal = nothing_more if self.reused or self.heard else self._refusal
            error = exchange_error(failure, self._head is not None, refusal)
        if self._starting:
            self._reactor.callLater(0, self._fail, error)
        else:
            self._fail(error)

    def _fail(self, error: GatewayError) -> None:
        receiver = self._end(cut=True)
        if receiver is not None:
            receiver.failed(error)
            receiver.flush()

    def _writable(self, is_writable: bool) -> None:
        if self._receiver is not None:
            self._receiver.writable(is_writable)

    def _end(self, cut: bool) -> IAttemptReceiver | None:
        """Let go of both sides; returns the receiver if it has yet to hear of the end."""
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            # Twisted's request and its answer hold each other, and this by the one's body.
            self._request_body = self._response = self._answer_body = None
            connection = self._connection
            # An answer that the client was slow to take may outlive the loan: then the connection isn't ours any more.
            if connection.watcher is self:
                connection.watcher = None
                if cut or not connection.keep:
                    connection.drop()
            self._over(self)
        return receiver
