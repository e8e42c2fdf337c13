"""A site with a listener that speaks TLS, on a memory network, and clients that do as well."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from twisted.internet.protocol import ClientFactory
from twisted.trial.unittest import SynchronousTestCase

from apigateway.downstream.listeners import Listener, Listeners
from apigateway.downstream.opening import Opening
from apigateway.downstream.site import SiteLimits
from apigateway.downstream.tls_terms import KeyPair, TlsTerms
from apigateway.sockets.tls import ClientTls
from apigateway.sockets.transports import Sockets
from apigateway.testing.certificates import Authority, Issued
from apigateway.testing.client import MemoryClient
from tests.downstream.stand import Stand, echo
from tests.sockets.secure import trusting

PORT = 8443
CLIENT = "203.0.113.7"


def pair(issued: Issued, path: str = "server.pem") -> KeyPair:
    """A certificate as the listener wants it."""
    return KeyPair(path, issued.pem, issued.key_pem())


class Wanting(ClientFactory[MemoryClient]):
    """Gives one client; `failures` tells why there was no connection."""

    noisy = False

    def __init__(self, client: MemoryClient) -> None:
        self.client = client
        self.failures: list[Any] = []

    def buildProtocol(self, addr: object) -> MemoryClient:
        return self.client

    def clientConnectionFailed(self, connector: object, reason: Any) -> None:
        self.failures.append(reason.value)


class SecureStand:
    """`stand` with one more listener, at `PORT`; its authority has issued the certificate for `localhost`."""

    def __init__(self, test: SynchronousTestCase, terms: TlsTerms | None = None, limits: SiteLimits | None = None):
        self.authority = Authority()
        self.stand = Stand(echo, limits)
        self.terms = terms or TlsTerms((pair(self.authority.server("localhost")),))
        self.listeners = Listeners(self.stand.site, self.stand.network.reactor, lambda port: port)
        self.listener: Listener = test.successResultOf(self.listeners.begin(self.opening(self.terms)))
        network = self.stand.network
        self.sockets = Sockets(network.reactor, network.now)

    @staticmethod
    def opening(terms: TlsTerms | None) -> Opening:
        """What is wanted of the listener."""
        return Opening(f"tcp:{PORT}", tls=terms)

    def wants(self, name: str = "localhost", context: ssl.SSLContext | None = None) -> Wanting:
        """A client that has tried to connect with TLS."""
        wanting = Wanting(MemoryClient())
        tls = ClientTls(context or trusting(self.authority), name)
        self.sockets.connect("192.0.2.1", PORT, wanting, 5, tls)
        self.stand.network.pump()
        return wanting

    def connect(self, name: str = "localhost", context: ssl.SSLContext | None = None) -> MemoryClient:
        """A client that speaks TLS."""
        wanting = self.wants(name, context)
        assert not wanting.failures, wanting.failures
        return wanting.client

    def raw(self, *data: bytes) -> MemoryClient:
        """A client that sends these bytes, and knows no TLS."""
        client = self.stand.network.client(PORT, source=CLIENT)
        self.stand.network.pump()
        self.stand.send(client, *data)
        return client


def folder_of(test: SynchronousTestCase) -> Path:
    """A folder for a test."""
    made = Path(test.mktemp()).absolute()
    made.mkdir()
    return made
