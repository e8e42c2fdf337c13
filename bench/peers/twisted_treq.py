"""twisted.web's `Site` and treq as a gateway, as their manuals show: a leaf resource that asks and collects.

The access log is the Site's own, the connections to the service are kept in a pool.
"""

from __future__ import annotations

import os
import sys
import time
import uuid
from typing import Any

import treq
from twisted.internet import reactor as _reactor  # noqa: TID253  # a program, not a library
from twisted.internet.defer import ensureDeferred
from twisted.python import log
from twisted.python.failure import Failure
from twisted.web.client import HTTPConnectionPool
from twisted.web.http_headers import Headers
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from bench.peers.client_limit import ClientLimit

reactor: Any = _reactor

UPSTREAM = b"http://127.0.0.1:" + os.environ["UPSTREAM"].encode()
HOP_BY_HOP = (b"connection", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding", b"upgrade")


class Forward(Resource):
    """Every request, to the service and back."""

    isLeaf = True

    def __init__(self, pool: HTTPConnectionPool, limit: ClientLimit) -> None:
        super().__init__()
        self._pool = pool
        self._limit = limit

    def render(self, request: Request) -> Any:
        """Called by the Site for each request."""
        if not self._limit.admits(request.getClientAddress().host):
            request.setResponseCode(429)
            return b""
        forwarding = ensureDeferred(self._forward(request))
        # A client that goes away ends what is done for it.
        request.notifyFinish().addErrback(lambda _: forwarding.cancel())
        forwarding.addErrback(self._failed, request)
        return NOT_DONE_YET

    def _failed(self, failure: Failure, request: Request) -> None:
        if request.channel is not None:
            log.err(failure)
            request.setResponseCode(502)
            request.finish()

    async def _forward(self, request: Request) -> None:
        answer = await treq.request(
            request.method.decode(),
            (UPSTREAM + request.uri).decode(),
            headers=upstream_headers(request),
            data=body_of(request),
            pool=self._pool,
            allow_redirects=False,
            browser_like_redirects=False,
            unbuffered=True,
        )
        request.setResponseCode(answer.code)
        for name, values in answer.headers.getAllRawHeaders():
            if name.lower() not in HOP_BY_HOP:
                request.responseHeaders.setRawHeaders(name, values)
        await treq.collect(answer, request.write)
        request.finish()


def body_of(request: Request) -> bytes | None:
    """Its body, which a Site has whole before it asks a resource."""
    return request.content.read() or None if request.content else None


def upstream_headers(request: Request) -> Headers:
    """What the service is sent."""
    headers = request.requestHeaders.copy()
    for name in (*HOP_BY_HOP, b"host", b"content-length"):
        headers.removeHeader(name)
    headers.setRawHeaders(b"X-Request-Id", [str(uuid.uuid4()).encode()])
    headers.setRawHeaders(b"X-Forwarded-For", [request.getClientAddress().host.encode()])
    headers.setRawHeaders(b"X-Forwarded-Proto", [b"http"])
    headers.setRawHeaders(b"X-Forwarded-Host", [request.getHeader(b"host") or b""])
    return headers


def main() -> None:
    """Serve."""
    log.startLogging(sys.stderr)
    pool = HTTPConnectionPool(reactor, persistent=True)
    # Its defaults keep 2 connections a host, for 4 minutes.
    pool.maxPersistentPerHost = 1024
    # A leading answer of 5xx is not retried, as with the others.
    pool.retryAutomatically = False
    limit = ClientLimit(int(os.environ["LIMIT"]), time.monotonic)
    site = Site(Forward(pool, limit), logPath=os.environ["LOG"], timeout=75)
    reactor.listenTCP(int(os.environ["PORT"]), site, backlog=1024, interface="127.0.0.1")
    reactor.run()


if __name__ == "__main__":
    main()
