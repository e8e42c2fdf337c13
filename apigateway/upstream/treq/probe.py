"""Health probes over HTTP, made with treq: ask, throw the body away, tell the status.

Each has a connection of its own: that a service still serves old connections says nothing of whether it takes new ones.
Heads are read by the same reader and within the same bounds as those of exchanges. Knows no targets and no health. What
goes wrong is told as one sentence for people, in which nothing stands that the service has sent.
"""

from __future__ import annotations

from collections.abc import Callable
from http.cookiejar import DefaultCookiePolicy
from typing import Any

from treq.client import HTTPClient
from treq.cookies import IndexableCookieJar
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory, IResponse
from zope.interface import implementer

from apigateway.errors import GatewayError
from apigateway.http.response_reader import ResponseReader
from apigateway.interfaces import Fields
from apigateway.upstream.dialing.dial import Resolve, Way
from apigateway.upstream.dialing.endpoint import endpoint_for
from apigateway.upstream.treq.connection import TreqConnection, TreqConnectionFactory
from apigateway.upstream.treq.errors import connect_error, exchange_error

BODY_BOUND = 64 * 1024
"""Bytes of a body that are read; the status of a longer one is told without waiting for its end."""

USER_AGENT = "apigateway health check"

Probe = Callable[..., Deferred[int]]


class ProbeError(Exception):
    """A probe got no whole answer; the message says why."""


@implementer(IStreamClientEndpoint, IAgentEndpointFactory)
class _Way:
    """The way of one probe to its service: makes the connection, and watches it.

    `error` is why the answer was refused; `ended_cleanly`: the service has closed the connection, as it should.
    """

    def __init__(self, reactor: Any, url: str, timeout: float, resolve: Resolve | None, way: Way | None) -> None:
        self.heard = False
        self.error: GatewayError | None = None
        self.connection: TreqConnection | None = None
        self.ended_cleanly = False
        self.secure = url.startswith("https:")
        self._endpoint = endpoint_for(reactor, url, timeout, resolve, way=way)

    def endpointForURI(self, uri: object) -> IStreamClientEndpoint:
        return self

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        factory = TreqConnectionFactory(protocolFactory, self._made, self._gone)
        connecting: Deferred[Any] = self._endpoint.connect(factory)
        return connecting.addCallback(lambda made: made.ready).addErrback(_not_connected)

    def _made(self, connection: TreqConnection) -> None:
        self.connection = connection
        connection.lend(self)
        connection.expect_answer(is_head=False)

    def _gone(self, connection: TreqConnection) -> None:
        self.ended_cleanly = connection.ended_cleanly
        self.connection = None  # which holds this

    def cut(self) -> None:
        """End the connection, whatever the service does."""
        if self.connection is not None:
            self.connection.drop()

    # As the connection's watcher.

    def interim_read(self, status: int, fields: Fields) -> None:
        """They say nothing of its health; the reader refuses too many."""

    def head_read(self, reader: ResponseReader) -> None:
        """Twisted tells of it."""

    def head_refused(self, error: GatewayError) -> None:
        self.error = error

    def segment_over(self) -> None:
        """Nobody waits for it."""


def _not_connected(failure: Failure) -> Failure:
    return failure if failure.check(CancelledError, ConnectingCancelledError) else Failure(connect_error(failure))


class _Discard(Protocol):
    """Throws a body away; `over` fires when it has ended, or is too long to wait for, and fails when it broke off."""

    def __init__(self, way: _Way) -> None:
        self._way = way
        self._left = BODY_BOUND
        self.over: Deferred[None] = Deferred(lambda over: way.cut())

    def dataReceived(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0 and not self.over.called:
            self.over.callback(None)
            self._way.cut()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.over.called:
            return
        if reason.check(ResponseDone) or (reason.check(PotentialDataLoss) and self._way.ended_cleanly):
            self.over.callback(None)
        else:
            self.over.errback(ProbeError("the answer broke off"))


def _status(response: IResponse, way: _Way) -> Deferred[int]:
    discard = _Discard(way)
    response.deliverBody(discard)
    return discard.over.addCallback(lambda _: response.code)


def _sentence(failure: Failure, way: _Way) -> Failure:
    """Turn what Twisted raises into a `ProbeError`; a probe that its owner cancelled stays cancelled."""
    if failure.check(ProbeError):
        return failure
    reasons = getattr(failure.value, "reasons", None) or [failure]
    if any(reason.check(CancelledError, ConnectingCancelledError) for reason in reasons):
        return Failure(CancelledError())
    detail = (way.error or exchange_error(failure, False)).detail
    return Failure(ProbeError(detail[:1].lower() + detail[1:].rstrip(".")))


def _too_late(result: object, timeout: float) -> Failure:
    return Failure(ProbeError(f"no answer within {timeout:g} s"))


def _fields(host: str | None) -> Headers:
    return Headers({"User-Agent": [USER_AGENT]} if host is None else {"User-Agent": [USER_AGENT], "Host": [host]})


def treq_probe(
    reactor: Any,
    clock: IReactorTime | None = None,
    resolve: Resolve | None = None,
    plain: Way | None = None,
) -> Probe:
    """A probe: called with a URL and a time limit in seconds, it tells the status.

    It may be told the way to an `https` URL, and the `Host` to ask for where that is not the URL's. `plain` is the way
    to all others; by Twisted's own endpoints unless it is given.

    The time limit is for the whole answer, and runs on `clock`, or else the reactor. `resolve` finds the addresses of a
    name; the reactor does unless it is given. Redirects are not followed,
    cookies not kept. What a probe gives fails with `ProbeError`.
    """
    pool = HTTPConnectionPool(reactor, persistent=False)

    def probe(url: str, timeout: float, way_to: Way | None = None, host: str | None = None) -> Deferred[int]:
        way = _Way(reactor, url, timeout, resolve, way_to or plain)
        agent = Agent.usingEndpointFactory(reactor, way, pool)
        asked = HTTPClient(agent, IndexableCookieJar(DefaultCookiePolicy(allowed_domains=()))).get(
            url, headers=_fields(host), allow_redirects=False, unbuffered=True, reactor=reactor
        )
        status = asked.addCallback(_status, way)
        status.addTimeout(timeout, clock or reactor, _too_late)
        return status.addErrback(_sentence, way).addBoth(_leave, way)

    return probe


def _leave(result: Any, way: _Way) -> Any:
    """End a connection that the end of the answer has not; over TLS one may wait for ever for the other's consent."""
    if way.secure or isinstance(result, Failure):
        way.cut()
    return result
