"""Pairs of protocols that speak TLS with one another over real sockets: our own ends, or one of them Python's."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ClientFactory, Factory, Protocol

from apigateway.sockets.pem import identify, trust
from apigateway.sockets.tls import ClientTls, TlsFailed
from apigateway.sockets.tls_handshake import Handshake
from apigateway.sockets.tls_server import ServerTls, server_context
from apigateway.testing.certificates import Authority, Issued
from tests.sockets.test_transports import Connected, Peer, reactor


def context_for(issued: Issued, minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2) -> ssl.SSLContext:
    """A server's context that shows a certificate."""
    context = server_context(minimum)
    identify(context, issued.pem, issued.key_pem())
    return context


def trusting(authority: Authority, issued: Issued | None = None) -> ssl.SSLContext:
    """A client's context."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust(context, authority.pem)
    if issued is not None:
        identify(context, issued.pem, issued.key_pem())
    return context


class SecureFactory(Factory):
    """Gives `build()` to each client whose handshake is done; `failures` are those of the others."""

    noisy = False

    def __init__(self, turns: Any, tls: ServerTls, build: Callable[[], Protocol]) -> None:
        self.failures: list[TlsFailed] = []
        self._turns = turns
        self._tls = tls
        self._build = build

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        return Handshake(self._tls.arriving(), lambda stream: self._build(), self.failures.append, self._turns)


class Wanting(ClientFactory[Protocol]):
    """Gives the protocol that is there; `failures` are those of connecting."""

    noisy = False

    def __init__(self, protocol: Protocol | None) -> None:
        self.there = protocol
        self.failures: list[Any] = []
        self.lost: list[Any] = []

    def buildProtocol(self, addr: object) -> Any:
        return self.there

    def clientConnectionFailed(self, connector: object, reason: Any) -> None:
        self.failures.append(reason.value)

    def clientConnectionLost(self, connector: object, reason: Any) -> None:
        self.lost.append(reason.value)


class Secured(Connected):
    """Has an authority, a server's context for `localhost`, and makes pairs that speak TLS."""

    def setUp(self) -> None:
        super().setUp()
        self.authority = Authority()
        self.context = context_for(self.authority.server("localhost"))
        self.client_context = trusting(self.authority)
        self.tls = ClientTls(self.client_context, "localhost")

    def serve(self, server: Protocol, in_clear: bytes = b"") -> SecureFactory:
        """Wait for clients; `self.port` is where."""
        self.secure = SecureFactory(self.sockets.turns, ServerTls(lambda name: self.context, in_clear), lambda: server)
        listening: Any = self.sockets.take(reactor.listenTCP(0, self.secure, interface="127.0.0.1"))
        self.addCleanup(listening.stopListening)
        self.port = listening.getHost().port
        return self.secure

    async def secure_pair(self, server: Peer | None = None, client: Peer | None = None) -> tuple[Peer, Peer]:
        """Two that are connected."""
        server, client = server or Peer(), client or Peer()
        self.serve(server)
        self.sockets.connect("127.0.0.1", self.port, Wanting(client), 5, self.tls)
        await server.made
        await client.made
        self.addCleanup(self.part, server, client)
        return server, client

    def folder(self) -> Path:
        """A folder for this test."""
        made = Path(self.mktemp())
        made.mkdir()
        return made
