"""A client's connection until its TLS handshake is done; then somebody else speaks with the client.

To the site it is a channel at rest: it is counted, swept, and may have to make room. Knows nothing of certificates but
that there is a context for each client.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from apigateway.downstream.connections import Client
from apigateway.downstream.sending_pace import NEVER
from apigateway.errors import GatewayError
from apigateway.sockets.tls import TlsFailed
from apigateway.sockets.tls_handshake import Handshake
from apigateway.sockets.tls_server import ServerTls
from apigateway.sockets.tls_stream import TlsStream

if TYPE_CHECKING:
    from apigateway.downstream.site import CameBy, GatewaySite

NO_ROOM, STOPPING = "NO_ROOM", "STOPPING"
"""Why handshakes end that nobody failed in: another connection needed the room, or the gateway stops."""

_SAID = b"This port speaks HTTPS, and what came was HTTP without TLS. Ask for a URL that begins with https://\n"
IN_CLEAR = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n"
    b"Connection: close\r\n\r\n%b" % (len(_SAID), _SAID)
)
"""The answer to requests that come without TLS."""


class Arriving(Protocol):
    """`following` gives the protocol that speaks over the stream; `failed` is told of what comes to nothing."""

    def __init__(
        self,
        site: GatewaySite,
        listener: CameBy,
        peer: str,
        tls: ServerTls,
        following: Callable[[TlsStream], Protocol],
        failed: Callable[[TlsFailed, str], None],
    ) -> None:
        self._site = site
        self.listener = listener
        self.peer = peer
        self._following = following
        self._told = failed
        self._handshake = Handshake(tls.arriving(), self._build, self._failed, site.handshakes)
        self.deadline = NEVER
        self.rests_since = 0.0
        self.client: Client | None = None
        self.at_rest = True

    def __repr__(self) -> str:
        return f"<Arriving {self.peer} {self._handshake!r}>"

    def connectionMade(self) -> None:
        """Begin to wait."""
        transport: Any = self.transport
        transport.setTcpNoDelay(True)
        self.rests_since = self._site.now()
        self.deadline = self.rests_since + self._site.limits.head_s
        self._site.channel_opened(self)
        self._handshake.makeConnection(transport)

    def dataReceived(self, data: bytes) -> None:
        """Some of the handshake."""
        self._handshake.dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The client is gone."""
        self._handshake.connectionLost(reason)

    def _build(self, stream: TlsStream) -> Protocol:
        following: Any = self._following(stream)
        self.deadline = NEVER
        self._site.switched(self, following)
        return following  # type: ignore[no-any-return]  # a channel, which is a protocol

    def _failed(self, why: TlsFailed) -> None:
        self._over()
        self._told(why, self.peer)

    def _over(self) -> None:
        self.deadline = NEVER
        self._site.channel_closed(self)

    # The site sweeps, makes room, and stops.

    def expired(self) -> None:
        """It takes too long."""
        self._handshake.give_up()

    def make_room(self) -> None:
        """Close."""
        self._handshake.give_up(NO_ROOM)

    def stop(self) -> None:
        """No request has begun."""
        self._handshake.give_up(STOPPING)

    def leave(self) -> None:
        """The listener tells whoever follows."""

    def cut(self, error: GatewayError | None = None) -> None:
        """End it."""
        self._handshake.give_up(STOPPING)
