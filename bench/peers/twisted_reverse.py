"""twisted.web's `ReverseProxyResource`, with its duties added before it forwards.

It opens a connection to the service for each request and speaks HTTP/1.0 there: that is all it can.
"""

from __future__ import annotations

import os
import sys
import time
import uuid
from typing import Any

from twisted.internet import reactor as _reactor  # noqa: TID253  # a program, not a library
from twisted.python import log
from twisted.web.proxy import ReverseProxyResource
from twisted.web.server import Request, Site

from bench.peers.client_limit import ClientLimit

reactor: Any = _reactor


class Forward(ReverseProxyResource):
    """All paths below one; limits clients and names them to the service."""

    def __init__(self, port: int, path: bytes, limit: ClientLimit) -> None:
        super().__init__("127.0.0.1", port, path, reactor)
        self._limit = limit

    def getChild(self, path: bytes, request: Request) -> Forward:
        """Called by the Site for each segment of a path."""
        return Forward(self.port, self.path + b"/" + path, self._limit)

    def render(self, request: Request) -> Any:
        """Called by the Site for each request."""
        client = request.getClientAddress().host
        if not self._limit.admits(client):
            request.setResponseCode(429)
            return b""
        headers = request.requestHeaders
        headers.setRawHeaders(b"X-Request-Id", [str(uuid.uuid4()).encode()])
        headers.setRawHeaders(b"X-Forwarded-For", [client.encode()])
        headers.setRawHeaders(b"X-Forwarded-Proto", [b"http"])
        headers.setRawHeaders(b"X-Forwarded-Host", [request.getHeader(b"host") or b""])
        return super().render(request)


def main() -> None:
    """Serve."""
    log.startLogging(sys.stderr)
    limit = ClientLimit(int(os.environ["LIMIT"]), time.monotonic)
    site = Site(Forward(int(os.environ["UPSTREAM"]), b"", limit), logPath=os.environ["LOG"], timeout=75)
    reactor.listenTCP(int(os.environ["PORT"]), site, backlog=1024, interface="127.0.0.1")
    reactor.run()


if __name__ == "__main__":
    main()
