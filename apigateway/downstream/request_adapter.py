"""A stock twisted.web request as the client's side of an exchange, so that proxying works in any `Site`.

Stock requests arrive with their whole body, lose interim answers and trailers, and frame their answers themselves;
everything else is as on our own channel. The other way round is `stock`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers
from zope.interface import implementer

from apigateway.downstream.connections import host_of
from apigateway.errors import CLIENT_GONE
from apigateway.exchange import Exchange
from apigateway.http.fields import FRAMING
from apigateway.http.framing import read_head
from apigateway.http.heads import RequestHead
from apigateway.http.lines import split_lines
from apigateway.interfaces import Fields, IAttempt, IDownstream
from apigateway.sockets.unsent import unsent

PIECE = 64 * 1024


def fields_of(headers: Headers) -> Fields:
    """The fields of stock headers, one pair a value."""
    return [(name, value) for name, values in headers.getAllRawHeaders() for value in values]


def head_of(request: Any) -> RequestHead:
    """The head of a stock request, under the same rules as our own. Raises `GatewayError`."""
    version = "1.0" if request.clientproto == b"HTTP/1.0" else "1.1"
    kept = [field for field in fields_of(request.requestHeaders) if field[0].lower() not in FRAMING]
    head = read_head(request.method, request.uri, version, kept, True)
    request.content.seek(0, 2)
    head.length = request.content.tell()
    request.content.seek(0)
    return head


def exchange_for(request: Any, observe: Callable[[Exchange], None], now: Callable[[], float]) -> Exchange:
    """The exchange of a stock request. Raises `GatewayError` where its head must not be forwarded."""
    return _exchange(request, head_of(request), observe, now)


def refused_exchange(request: Any, observe: Callable[[Exchange], None], now: Callable[[], float]) -> Exchange:
    """The exchange of a stock request for which `exchange_for` raised: good for nothing but `fail`."""
    head = RequestHead(request.method, request.uri, 1, fields_of(request.requestHeaders), [], {})
    return _exchange(request, head, observe, now)


def _exchange(
    request: Any, head: RequestHead, observe: Callable[[Exchange], None], now: Callable[[], float]
) -> Exchange:
    downstream = RequestDownstream(request, now)
    peer = host_of(request.getClientAddress())
    downstream.exchange = exchange = Exchange(head, downstream, peer, request.isSecure(), now(), observe)
    return exchange


@implementer(IDownstream, IPushProducer)
class RequestDownstream:
    """Answers one exchange through an `IRequest`."""

    exchange: Exchange

    def __init__(self, request: Any, now: Callable[[], float]) -> None:
        self._request = request
        self._now = now
        self._over = self._held = self._finished = self._head_waits = self._until_close = False
        request.notifyFinish().addErrback(self._lost)
        request.registerProducer(self, True)

    def _lost(self, reason: Failure) -> None:
        if self._over:
            return
        self._over = True
        upstream, self.exchange.upstream = self.exchange.upstream, None
        if upstream is not None:
            upstream.client_gone()
        self.exchange.cause = self.exchange.cause or CLIENT_GONE
        self.exchange.end(self._now())

    def send_continue(self) -> None:
        """twisted.web has already told the client to go on."""

    def send_informational(self, status: int, fields: Fields) -> None:
        """twisted.web has no way to send interim answers."""

    def open_body(self) -> None:
        """See `IDownstream.open_body`: piece by piece from where twisted.web has put it."""
        while not self._held and not self._over:
            upstream = self.exchange.upstream
            if upstream is None:
                return
            piece = self._request.content.read(PIECE)
            if not piece:
                upstream.body_end([])
                return
            upstream.body(piece)

    def pause_body(self) -> None:
        """See `IDownstream.pause_body`."""
        self._held = True

    def resume_body(self) -> None:
        """See `IDownstream.resume_body`."""
        if self._held:
            self._held = False
            self.open_body()

    def send_head(self, status: int, reason: bytes, lines: bytes, length: int | None) -> None:
        """See `IDownstream.send_head`."""
        request = self._request
        self._head_waits = True
        self._until_close = length is None and request.clientproto == b"HTTP/1.0"
        request.setResponseCode(status, reason)
        request.defaultContentType = None
        for name in (b"server", b"date", b"content-type"):
            request.responseHeaders.removeHeader(name)
        for name, value in split_lines(lines):
            request.responseHeaders.addRawHeader(name, value)
        if length is not None and status not in (204, 304):
            request.responseHeaders.setRawHeaders(b"content-length", [b"%d" % length])

    def send_whole(self, status: int, reason: bytes, lines: bytes, body: bytes) -> None:
        """See `IDownstream.send_whole`."""
        self.send_head(status, reason, lines, len(body))
        self.send_body(body)
        self.finish([])
        self.flush()

    def send_body(self, data: bytes) -> None:
        """See `IDownstream.send_body`."""
        if not self._over and data:
            self._head_waits = False
            self._request.write(data)

    def finish(self, trailers: Fields) -> None:
        """See `IDownstream.finish`; twisted.web has no trailers."""
        self._finished = True

    def flush(self) -> None:
        """See `IDownstream.flush`."""
        if self._finished and not self._over:
            self._over = True
            self._request.unregisterProducer()
            self._request.finish()
            self.exchange.end(self._now())
        elif self._head_waits and not self._over:
            # Left alone, twisted.web would send the head with the first piece of the body.
            self._head_waits = False
            self._request.write(b"")

    def abort(self) -> None:
        """See `IDownstream.abort`."""
        if not self._over:
            self._over = True
            self._request.unregisterProducer()
            self._cut()
            self.exchange.end(self._now())

    def _cut(self) -> None:
        """Streams of HTTP/2 are reset, and so is a connection whose end would look like the end of the body."""
        channel = self._request.channel
        abort = getattr(channel, "abortConnection", None)
        if abort is None and self._until_close:
            abort = channel.transport.abortConnection
        (abort or self._request.loseConnection)()

    def offer_switch(self) -> bool:
        """A stock request has no way to another protocol."""
        return False

    def switch(self, reason: bytes, lines: bytes, attempt: IAttempt, account: Any) -> None:
        """See `offer_switch`: it is never asked for."""

    def progress(self) -> tuple[bool, int]:
        """See `IDownstream.progress`; twisted.web has read the whole request before it begins."""
        return True, unsent(getattr(self._request.channel, "transport", None))

    def pauseProducing(self) -> None:
        """The client reads slowly."""
        if self.exchange.upstream is not None:
            self.exchange.upstream.pause()

    def resumeProducing(self) -> None:
        """The client reads again."""
        if self.exchange.upstream is not None:
            self.exchange.upstream.resume()

    def stopProducing(self) -> None:
        """The client is gone; `notifyFinish` tells."""
