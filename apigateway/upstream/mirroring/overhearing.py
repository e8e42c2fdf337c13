"""Listens to the body of one request on its way to the service, for those who send it again when it is complete.

Stands between both sides of the exchange while the body is arriving, and leaves then. What is listened to waits for
nobody: the service gets each piece first, and what does not fit in is let go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from apigateway.interfaces import Fields, IAttempt, IDownstream, IUpstream

if TYPE_CHECKING:
    from apigateway.exchange import Exchange
    from apigateway.upstream.mirroring.mirror import Mirror


@implementer(IDownstream, IUpstream)
class Tap:
    """Between an exchange's client and whatever answers it, until the body is complete or the exchange is over."""

    __slots__ = ("_exchange", "_client", "_answerer", "_observe", "_mirrors", "_pieces", "_size")

    def __init__(self, exchange: Exchange, mirrors: list[Mirror]) -> None:
        self._exchange = exchange
        self._client = exchange.downstream
        self._answerer: IUpstream | None = None
        self._observe = exchange.observe
        self._mirrors = mirrors
        self._pieces: list[bytes] = []
        self._size = 0
        for mirror in mirrors:
            mirror.hold()
        exchange.downstream = self
        exchange.observe = self._over

    def __repr__(self) -> str:
        return f"<Tap {self._exchange.route} kept={self._size} for={len(self._mirrors)}>"

    def _over(self, exchange: Exchange) -> None:
        """The exchange is over; where the body is not complete, nobody sends it again."""
        self._leave()
        self._observe(exchange)

    def _leave(self) -> None:
        exchange = self._exchange
        for mirror in self._mirrors:
            mirror.let_go()
        self._mirrors = []
        self._pieces.clear()
        if exchange.downstream is self:
            exchange.downstream = self._client
            exchange.observe = self._observe
        if exchange.upstream is self:
            exchange.upstream = self._answerer

    def _listen(self) -> None:
        """What comes now comes to us; whatever answers may have changed."""
        exchange = self._exchange
        if self._mirrors and exchange.upstream is not self:
            self._answerer = exchange.upstream
            exchange.upstream = self

    # The client's side tells: see `IUpstream`.

    def body(self, data: bytes) -> None:
        """The service comes first."""
        if self._answerer is not None:
            self._answerer.body(data)
        if self._mirrors:
            self._size += len(data)
            self._pieces.append(data)
            self._drop_small()

    def _drop_small(self) -> None:
        """Those for whom the body is too large by now want it no more."""
        for mirror in [one for one in self._mirrors if one.max_body < self._size]:
            self._mirrors.remove(mirror)
            mirror.counts.too_large += 1
            mirror.let_go()
        if not self._mirrors:
            self._leave()

    def body_end(self, trailers: Fields) -> None:
        """The service comes first, and then the copies are sent."""
        exchange, mirrors, body = self._exchange, self._mirrors, b"".join(self._pieces)
        service = exchange.service
        self._leave()
        if self._answerer is not None:
            self._answerer.body_end(trailers)
        for mirror in mirrors:
            mirror.send(exchange, service, body, trailers)

    def pause(self) -> None:
        """See `IUpstream.pause`."""
        if self._answerer is not None:
            self._answerer.pause()

    def resume(self) -> None:
        """See `IUpstream.resume`."""
        if self._answerer is not None:
            self._answerer.resume()

    def client_gone(self) -> None:
        """See `IUpstream.client_gone`."""
        if self._answerer is not None:
            self._answerer.client_gone()

    # The service's side asks: see `IDownstream`.

    def open_body(self) -> None:
        """From now on listen."""
        self._listen()
        self._client.open_body()

    def resume_body(self) -> None:
        """From now on listen."""
        self._listen()
        self._client.resume_body()

    def pause_body(self) -> None:
        """See `IDownstream.pause_body`."""
        self._client.pause_body()

    def send_continue(self) -> None:
        """See `IDownstream.send_continue`."""
        self._client.send_continue()

    def send_informational(self, status: int, fields: Fields) -> None:
        """See `IDownstream.send_informational`."""
        self._client.send_informational(status, fields)

    def send_head(self, status: int, reason: bytes, lines: bytes, length: int | None) -> None:
        """See `IDownstream.send_head`."""
        self._client.send_head(status, reason, lines, length)

    def send_whole(self, status: int, reason: bytes, lines: bytes, body: bytes) -> None:
        """See `IDownstream.send_whole`."""
        self._client.send_whole(status, reason, lines, body)

    def send_body(self, data: bytes) -> None:
        """See `IDownstream.send_body`."""
        self._client.send_body(data)

    def finish(self, trailers: Fields) -> None:
        """See `IDownstream.finish`."""
        self._client.finish(trailers)

    def flush(self) -> None:
        """See `IDownstream.flush`."""
        self._client.flush()

    def abort(self) -> None:
        """See `IDownstream.abort`."""
        self._client.abort()

    def offer_switch(self) -> bool:
        """See `IDownstream.offer_switch`."""
        return self._client.offer_switch()

    def switch(self, reason: bytes, lines: bytes, attempt: IAttempt, account: Any) -> None:
        """See `IDownstream.switch`."""
        self._client.switch(reason, lines, attempt, account)

    def progress(self) -> tuple[bool, int]:
        """See `IDownstream.progress`."""
        return self._client.progress()
