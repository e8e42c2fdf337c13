"""Health probes over HTTP, made with treq: ask, throw the body away, tell the status.

Knows no targets and no health. What goes wrong is told as one sentence for people.
"""

from __future__ import annotations

from collections.abc import Callable
from http.cookiejar import DefaultCookiePolicy

from treq.client import HTTPClient
from treq.cookies import IndexableCookieJar
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse

BODY_BOUND = 64 * 1024
"""Bytes of a body that are read to keep the connection; with a longer one it is cheaper to close it."""

USER_AGENT = "apigateway health check"


class ProbeError(Exception):
    """A probe got no whole answer; the message says why."""


class _Discard(Protocol):
    """Throws a body away; `over` fires when it has ended, or is too long to wait for, and fails when it broke off."""

    def __init__(self) -> None:
        self.left = BODY_BOUND
        self.over: Deferred[None] = Deferred(self._cut)

    def dataReceived(self, data: bytes) -> None:
        self.left -= len(data)
        if self.left < 0 and not self.over.called:
            self._cut()
            self.over.callback(None)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.over.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.over.callback(None)
        else:
            self.over.errback(ProbeError("the answer broke off"))

    def _cut(self, over: object = None) -> None:
        if self.transport is not None:
            self.transport.loseConnection()


def _status(response: IResponse) -> Deferred[int]:
    discard = _Discard()
    response.deliverBody(discard)
    return discard.over.addCallback(lambda _: response.code)


def _sentence(failure: Failure) -> Failure:
    """Turn what Twisted raises into a `ProbeError`; a probe that its owner cancelled stays cancelled."""
    if failure.check(ProbeError):
        return failure
    reasons = getattr(failure.value, "reasons", None) or [failure]
    if any(reason.check(CancelledError) for reason in reasons):
        return Failure(CancelledError())
    return Failure(ProbeError("; ".join(reason.getErrorMessage() or repr(reason.value) for reason in reasons)))


def _too_late(result: object, timeout: float) -> Failure:
    return Failure(ProbeError(f"no answer within {timeout:g} s"))


def treq_probe(
    reactor: IReactorTime, pool: HTTPConnectionPool, clock: IReactorTime | None = None
) -> Callable[[str, float], Deferred[int]]:
    """A probe over the connections of `pool`: called with a URL and a time limit in seconds, it tells the status.

    The time limit is for the whole answer, and runs on `clock`, or else the reactor. Redirects are not followed,
    cookies not kept. What a probe gives fails with `ProbeError`.
    """
    client = HTTPClient(Agent(reactor, pool=pool), IndexableCookieJar(DefaultCookiePolicy(allowed_domains=())))

    def probe(url: str, timeout: float) -> Deferred[int]:
        asked = client.get(
            url,
            headers=Headers({"User-Agent": [USER_AGENT]}),
            allow_redirects=False,
            unbuffered=True,
            reactor=reactor,  # type: ignore[arg-type]  # the interface that treq names is private to it
        )
        status = asked.addCallback(_status)
        status.addTimeout(timeout, clock or reactor, _too_late)
        return status.addErrback(_sentence)

    return probe
