"""The demo's WebSocket: says back what it is told, as fast as it is heard."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure
from twisted.web.server import Request
from twisted.web.websocket import WebSocketResource, WebSocketTransport
from zope.interface import implementer


@implementer(IPushProducer)
class Echo:
    """One WebSocket. `connection` is the transport below it, which is not read while the client does not read.

    A message is gathered before it goes back, whatever its size.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def negotiationStarted(self, transport: WebSocketTransport) -> None:
        """Called by twisted.web before anything is said."""
        self._transport = transport
        transport.detachProducer()  # that of the HTTP connection which this was
        transport.attachProducer(self)

    def negotiationFinished(self) -> None:
        """Nothing to say unasked."""

    def textMessageReceived(self, message: str) -> None:
        """Called with a whole message."""
        self._transport.sendTextMessage(message)

    def bytesMessageReceived(self, data: bytes | bytearray) -> None:
        """Called with a whole message."""
        self._transport.sendBytesMessage(bytes(data))

    def pongReceived(self, payload: bytes) -> None:
        """Nobody was pinged."""

    def connectionLost(self, reason: Failure) -> None:
        """Nothing is kept."""

    def pauseProducing(self) -> None:
        """Called when the client reads more slowly than it writes."""
        self._connection.pauseProducing()

    def resumeProducing(self) -> None:
        """Called when it has caught up."""
        self._connection.resumeProducing()

    def stopProducing(self) -> None:
        """Called when the connection is lost."""


class _Echoes:
    """Makes one for each client."""

    def buildProtocol(self, request: Request) -> Echo:
        """Called by twisted.web for a handshake that it accepts."""
        return Echo(request.channel.transport)


def echo_page() -> WebSocketResource:
    """`/api/echo`, to be asked with the handshake of a WebSocket."""
    return WebSocketResource(_Echoes())
