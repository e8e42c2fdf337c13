"""`python -m tests.websocket.echo PORT`: a service that sends every message back, of `twisted.web.websocket`.

Of the two that are at hand it is the one that passes all of Autobahn's cases.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet import reactor as the_reactor
from twisted.web.server import Site
from twisted.web.websocket import WebSocketResource, WebSocketTransport

reactor: Any = the_reactor


class Echo:
    """One WebSocket: see `WebSocketProtocol`."""

    @classmethod
    def buildProtocol(cls, request: Any) -> Echo:
        """A new one."""
        return cls()

    def negotiationStarted(self, transport: WebSocketTransport) -> None:
        """Messages can be sent to this."""
        self._transport = transport

    def negotiationFinished(self) -> None:
        """It is open."""

    def pongReceived(self, payload: bytes) -> None:
        """Nobody has asked."""

    def textMessageReceived(self, message: str) -> None:
        """Send it back."""
        self._transport.sendTextMessage(message)

    def bytesMessageReceived(self, data: bytes | bytearray) -> None:
        """Send it back."""
        self._transport.sendBytesMessage(bytes(data))

    def connectionLost(self, reason: Any) -> None:
        """It is over."""


def main(port: int) -> None:
    """Serve until the process is ended."""
    resource = WebSocketResource(Echo)
    resource.isLeaf = True
    reactor.listenTCP(port, Site(resource), interface="127.0.0.1")
    reactor.callWhenRunning(print, "echoing", flush=True)
    reactor.run()


if __name__ == "__main__":
    main(int(sys.argv[1]))
