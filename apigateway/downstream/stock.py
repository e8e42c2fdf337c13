"""An exchange answered by a stock twisted.web Resource: makes the `Request` that such a Resource expects.

The other way round is `request_adapter`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import server
from twisted.web.http_headers import Headers
from twisted.web.resource import IResource
from zope.interface import implementer

from apigateway.downstream.request_adapter import fields_of
from apigateway.errors import BAD_REQUEST, BODY_TOO_LARGE, INTERNAL_ERROR, GatewayError, unforeseen_error
from apigateway.exchange import Exchange
from apigateway.http.dates import with_date
from apigateway.http.fields import response_fields
from apigateway.http.heads import CHUNKED
from apigateway.http.lines import join_lines
from apigateway.interfaces import Fields, IUpstream

if TYPE_CHECKING:
    from apigateway.downstream.http1_channel import Http1Channel
    from apigateway.downstream.site import GatewaySite

MAX_BODY = 10 * 1024 * 1024
"""Stock Resources get the whole request body at once, so it is bounded, in bytes; a Resource can have `max_body`."""


_log = Logger(namespace="apigateway.downstream")


class _Request(server.Request):
    """A stock request that knows its exchange, and the tree that it began with."""

    exchange: Exchange
    page: StockRequest
    root: IResource

    def render(self, resrc: IResource) -> None:
        """Called when a Resource has been found."""
        super().render(_Checked(resrc))

    def processingFailed(self, reason: Failure) -> Failure:
        """Called when a Resource, or looking for one, has failed."""
        _log.failure(
            "a mounted Resource failed", reason,
            event="page-failed", request_id=self.exchange.request_id.decode("latin-1"),
        )  # fmt: skip
        self.page.failed()
        return reason


class _Checked:
    """A Resource whose mistake is told to the log: of one that renders no bytes twisted.web would tell the client all.

    That page holds the `repr` of what was returned, which is nobody's business.
    """

    def __init__(self, resource: IResource) -> None:
        self._resource = resource

    def __repr__(self) -> str:
        return repr(self._resource)

    def render(self, request: server.Request) -> bytes | int:
        body = self._resource.render(request)
        if body is not server.NOT_DONE_YET and not isinstance(body, bytes):
            raise TypeError(f"{self._resource!r} rendered {type(body).__name__} instead of bytes")
        return body


class PullProducer:
    """Asks a producer that must be asked for each piece, one in each turn of the reactor, while it is not paused.

    `failed` is called where it raises: it is asked no more then.
    """

    def __init__(self, producer: Any, clock: IReactorTime, failed: Callable[[], None]) -> None:
        self._producer = producer
        self._clock = clock
        self._failed = failed
        self._wanted = True
        self._call: IDelayedCall | None = clock.callLater(0, self._pull)

    def _pull(self) -> None:
        self._call = None
        try:
            self._producer.resumeProducing()
        except Exception:
            self._wanted = False
            _log.failure("a producer failed")
            self._failed()
        if self._wanted:
            self.resumeProducing()

    def pauseProducing(self) -> None:
        """Ask for no more for now."""
        self._wanted = False
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def resumeProducing(self) -> None:
        """Ask again."""
        self._wanted = True
        if self._call is None:
            self._call = self._clock.callLater(0, self._pull)

    def stopProducing(self) -> None:
        """Ask never again, and say so."""
        self.pauseProducing()
        self._producer.stopProducing()


@implementer(IUpstream)
class StockRequest:
    """Gathers the request, lets a Resource render it, and is the channel that its `Request` writes to."""

    factory = None  # so that the site's own access log stays out

    def __init__(self, exchange: Exchange, channel: Http1Channel, site: GatewaySite, root: IResource) -> None:
        self._exchange = exchange
        self._channel = channel
        self._root = root
        self._request: _Request | None = None
        self._producer: Any = None
        self._over = False
        self.site = site
        self.transport = channel.transport

    def begin(self) -> None:
        """Take the body; the Resource is asked when it is complete."""
        exchange = self._exchange
        head = exchange.head
        exchange.upstream = self
        exchange.route = "stock"
        if exchange.max_body is None:
            exchange.max_body = MAX_BODY
        if head.length > exchange.max_body:
            raise self._too_large()
        self._request = request = _Request(self, False)
        request.exchange = exchange
        request.page = self
        request.root = self._root
        request.requestHeaders = Headers()
        for name, value in head.fields:
            request.requestHeaders.addRawHeader(name, value.strip())
        request.parseCookies()
        request.gotLength(None if head.length == CHUNKED else head.length)
        if head.length:
            exchange.downstream.send_continue()
            exchange.downstream.open_body()
        else:
            self.body_end([])

    def _too_large(self) -> GatewayError:
        return GatewayError(BODY_TOO_LARGE, f"At most {self._exchange.max_body} bytes are taken here.")

    # The client's side: see `IUpstream`.

    def body(self, data: bytes) -> None:
        """See `IUpstream.body`."""
        exchange = self._exchange
        exchange.bytes_in += len(data)
        if exchange.max_body is not None and exchange.bytes_in > exchange.max_body:
            self._over = True
            exchange.fail(self._too_large())
        elif self._request is not None:
            self._request.handleContentChunk(data)

    def body_end(self, trailers: Fields) -> None:
        """See `IUpstream.body_end`."""
        head = self._exchange.head
        if self._request is not None and not self._over:
            # As HTTP/1.0, so that the request leaves the framing of its answer to the channel.
            self._request.requestReceived(head.method, head.target, b"HTTP/1.0")

    def pause(self) -> None:
        """See `IUpstream.pause`."""
        if self._producer is not None:
            self._producer.pauseProducing()

    def resume(self) -> None:
        """See `IUpstream.resume`."""
        if self._producer is not None:
            self._producer.resumeProducing()

    def client_gone(self) -> None:
        """See `IUpstream.client_gone`."""
        self._over = True
        if self._request is not None:
            self._request.connectionLost(Failure(ConnectionDone()))
        if self._producer is not None:
            self._producer.stopProducing()

    # The request's channel.

    def getPeer(self) -> Any:
        """Where the client connects from."""
        return self._channel.address

    def getHost(self) -> Any:
        """Where the client connected to."""
        return self._channel.transport.getHost()

    def isSecure(self) -> bool:
        """Whether the client speaks TLS."""
        return self._exchange.secure

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Headers) -> None:
        """The head of the answer."""
        exchange = self._exchange
        if self._over:
            return
        headers.removeHeader(b"server")  # twisted.web sets it before the Resource is asked
        length = headers.getRawHeaders(b"content-length")
        exchange.status = int(code)
        exchange.answered = now = self.site.now()
        lines = join_lines(
            [*response_fields(fields_of(headers)), *exchange.extra, (b"X-Request-Id", exchange.request_id)]
        )
        exchange.downstream.send_head(int(code), reason, with_date(lines, now), int(length[0]) if length else None)

    def write(self, data: bytes) -> None:
        """A piece of the body."""
        if not self._over and data:
            self._exchange.bytes_out += len(data)
            self._exchange.downstream.send_body(data)
            self._exchange.downstream.flush()

    def writeSequence(self, pieces: list[bytes]) -> None:
        """Pieces of the body."""
        self.write(b"".join(pieces))

    def requestDone(self, request: server.Request) -> None:
        """The answer is complete."""
        if not self._over:
            self._over = True
            self._exchange.downstream.finish([])
            self._exchange.downstream.flush()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Whoever produces the answer listens to the client's pace."""
        self._producer = producer if streaming else PullProducer(producer, self.site.reactor, self.loseConnection)

    def unregisterProducer(self) -> None:
        """All has been produced."""
        if isinstance(self._producer, PullProducer):
            self._producer.pauseProducing()
        self._producer = None

    def _respondToBadRequestAndDisconnect(self) -> None:
        """The request found a malformed form in its body; the name is that of Twisted's own channel."""
        self._over = True
        self._exchange.fail(GatewayError(BAD_REQUEST, "The form in the body is malformed."))

    def failed(self) -> None:
        """The Resource failed: the client is told, or sees a broken answer; after the end of one it concerns nobody."""
        if self._exchange.status:
            self.loseConnection()
        elif not self._over:
            self.client_gone()
            self._exchange.fail(unforeseen_error())

    def loseConnection(self) -> None:
        """A Resource that can't go on cuts its answer; its request hears of the end as of any other."""
        if not self._over:
            self._over = True
            self._exchange.cause = INTERNAL_ERROR
            self._exchange.downstream.abort()
            self.client_gone()
