"""Requests through treq that arrive as they were: what treq would change is taken away from it and put back.

treq asks for gzip and unpacks it, keeps cookies, normalises the URL and upper-cases the method; Twisted's `Agent`
loses an empty query, and its `Headers` the order and spelling of fields. A proxy must do none of that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConsumer, IStreamClientEndpoint
from twisted.web.client import ProxyAgent
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from apigateway.http.heads import CHUNKED
from apigateway.interfaces import Fields


class WireFields:
    """Fields in their own order and spelling, with as much of `Headers` as writing a request needs."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields

    def hasHeader(self, name: bytes) -> bool:
        """As `Headers.hasHeader`."""
        return bool(self.getRawHeaders(name, ()))

    def getRawHeaders(self, name: bytes, default: Sequence[bytes] | None = None) -> Sequence[bytes] | None:
        """As `Headers.getRawHeaders`."""
        wanted = name.lower()
        return [value for key, value in self._fields if key.lower() == wanted] or default

    def getAllRawHeaders(self) -> Iterator[tuple[bytes, Sequence[bytes]]]:
        """As `Headers.getAllRawHeaders`, but a repeated field comes where it stood."""
        return ((name, (value,)) for name, value in self._fields)


@implementer(IBodyProducer)
class StreamedBody:
    """A request body that is passed on as it arrives. `length` as `RequestHead.length`, but not 0."""

    def __init__(self, length: int, writable: Callable[[bool], None]) -> None:
        self.length: Any = UNKNOWN_LENGTH if length == CHUNKED else length
        self._writable = writable
        self._consumer: IConsumer | None = None
        self._complete: Deferred[None] = Deferred()

    def write(self, data: bytes) -> None:
        """Send a piece; nothing happens where the request was never begun or is over."""
        if self._consumer is not None and data:
            self._consumer.write(data)

    def finish(self) -> None:
        """The body is complete."""
        if self._consumer is not None:
            self._consumer = None
            self._complete.callback(None)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        """The head is written; pieces may follow."""
        self._consumer = consumer
        return self._complete

    def pauseProducing(self) -> None:
        """The service takes no more for now."""
        self._writable(False)

    def resumeProducing(self) -> None:
        """The service takes more."""
        self._writable(True)

    def stopProducing(self) -> None:
        """The connection is lost."""
        self._consumer = None


class _LeasedConnection:
    """A pool for one request: it gives the connection that is already there."""

    persistent = True

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def getConnection(self, key: object, endpoint: IStreamClientEndpoint) -> Deferred[Any]:
        """As `HTTPConnectionPool.getConnection`."""
        return succeed(self._connection)


@implementer(IAgent)
class VerbatimAgent:
    """Sends one given request on one given connection, whatever treq made of it in between.

    A `ProxyAgent` carries it, as that is the agent that sends the request target it is given.
    """

    def __init__(
        self, reactor: Any, connection: Any, method: bytes, target: bytes, fields: Fields, body: StreamedBody | None
    ) -> None:
        self._agent: Any = ProxyAgent(None, reactor, _LeasedConnection(connection))
        self._request = (method, target, WireFields(fields), body)

    def request(
        self, method: bytes, uri: bytes, headers: Headers | None = None, bodyProducer: IBodyProducer | None = None
    ) -> Deferred[IResponse]:
        """See `IAgent.request`; the arguments are treq's and are not used."""
        answer: Deferred[IResponse] = self._agent.request(*self._request)
        return answer.addCallback(self._without_fields)

    def _without_fields(self, response: IResponse) -> IResponse:
        # No Content-Encoding, nothing to decode; no Set-Cookie, nothing to keep. The connection has read the true ones.
        response.headers = Headers()
        return response
