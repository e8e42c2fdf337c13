"""Scripted services behind TLS, as Twisted and pyOpenSSL speak it: another implementation than the gateway's.

Knows certificates and how a test wants them shown; nothing of the gateway.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from OpenSSL import crypto
from twisted.internet.ssl import Certificate, CertificateOptions, KeyPair, PrivateCertificate, TLSVersion
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from apigateway.testing.certificates import Authority, Issued
from apigateway.testing.scripted_service import ScriptedConnection, ScriptedService
from apigateway.testing.wire import Message
from tests.behaviour.waiting import reactor, until

TLS_1_2, TLS_1_3 = TLSVersion.TLSv1_2, TLSVersion.TLSv1_3


def options_of(issued: Issued, clients: Authority | None = None, only: Any = None) -> Any:
    """How a server speaks TLS: with this certificate, wanting one of clients that `clients` has issued."""
    own = PrivateCertificate.fromCertificateAndKeyPair(
        Certificate.loadPEM(issued.pem), KeyPair.load(issued.key_pem(), crypto.FILETYPE_PEM)
    )
    trusted = None if clients is None else Certificate.loadPEM(clients.pem).original
    versions = {} if only is None else {"insecurelyLowerMinimumTo": only, "lowerMaximumSecurityTo": only}
    return CertificateOptions(
        privateKey=own.privateKey.original,
        certificate=own.original,
        verify=trusted is not None,
        caCerts=None if trusted is None else [trusted],
        enableSessions=True,
        enableSessionTickets=True,
        acceptableProtocols=[b"http/1.1"],
        **versions,
    )


class SecureServices:
    """Services at `https://localhost:PORT`, and the files that a gateway needs to trust them, in `folder`."""

    def __init__(self, test: TestCase) -> None:
        self._test = test
        self.folder = Path(test.mktemp()).absolute()
        self.folder.mkdir()
        self.authority = Authority()
        self.ca = self.authority.write(self.folder)

    def service(self, issued: Issued | None = None, **how: Any) -> tuple[ScriptedService, str]:
        """A scripted service, and its URL; unless told otherwise with a good certificate."""
        service = ScriptedService()
        service.reactor = reactor
        service.greeting = (SendAtOnce(),)
        options = options_of(issued or self.authority.server("localhost"), **how)
        port = reactor.listenTCP(0, TLSMemoryBIOFactory(options, False, service), interface="127.0.0.1")
        self._test.addCleanup(_end, service, port)
        return service, f"https://localhost:{port.getHost().port}"

    def plain(self, service: ScriptedService) -> str:
        """The URL of a service that is believed to speak TLS, and does not."""
        listener: Any = service.listen(reactor)
        self._test.addCleanup(_end, service, listener)
        return f"https://localhost:{listener.getHost().port}"


async def _end(service: ScriptedService, listener: Any) -> None:
    await listener.stopListening()
    for connection in service.open_connections:
        connection.reset()
    await until(lambda: not service.open_connections, "the end of a service")


class SendAtOnce:
    """Lets small pieces leave though earlier ones have not been acknowledged."""

    def run(self, connection: ScriptedConnection, request: Message | None) -> bool:
        connection.transport.setTcpNoDelay(True)
        return True


class Recognise:
    """Notes the name in the certificate that the gateway has shown."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def run(self, connection: ScriptedConnection, request: Message | None) -> bool:
        tls: Any = connection.transport
        self.names.append(tls.getPeerCertificate().get_subject().CN)
        return True


class EndWithoutAWord:
    """Closes the connection of TCP in order, and says nothing of it in TLS."""

    def run(self, connection: ScriptedConnection, request: Message | None) -> bool:
        tls: Any = connection.transport
        tls.transport.loseConnection()
        return True


def told(test: SynchronousTestCase, event: str) -> list[Any]:
    """The log's events of one kind, from now on until the end of a test."""
    events: list[Any] = []

    @implementer(ILogObserver)
    def observe(found: LogEvent) -> None:
        if found.get("event") == event:
            events.append(found)

    globalLogPublisher.addObserver(observe)
    test.addCleanup(globalLogPublisher.removeObserver, observe)
    return events
