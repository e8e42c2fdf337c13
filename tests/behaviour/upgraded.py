"""Services and clients that speak another protocol after a 101, byte by byte as a test says."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from apigateway.testing.scripted_service import ScriptedConnection
from apigateway.testing.wire import Message
from tests.behaviour.caller import Caller
from tests.behaviour.waiting import reactor, until

WISH = ("Connection: Upgrade", "Upgrade: chat/1")
"""What a client sends that would like to speak `chat/1`."""

SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat/1\r\n\r\n"

CHAT = {"prefix": "/api", "upgrades": {"protocols": ["chat/1", "websocket"]}}
"""A service that may speak it."""

KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
PROOF = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""The example of RFC 6455 §1.3."""

SOCKET_WISH = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", KEY)
SOCKET_OPEN = b"HTTP/1.1 101 Welcome\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\n%b\r\n\r\n" % PROOF.encode()


class Speaks:
    """A step: from now on the service takes what comes for bytes, and keeps them in `received`."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.connection: ScriptedConnection | None = None

    def __repr__(self) -> str:
        return f"<Speaks {self.received[:80]!r} {self.connection}>"

    def run(self, connection: ScriptedConnection, request: Message | None) -> bool:
        """See `Step.run`."""
        self.connection = connection
        connection.dataReceived = self._take  # type: ignore[method-assign]  # as a protocol that was swapped
        return False

    @property
    def received(self) -> bytes:
        """All that came so far."""
        self._pieces = [b"".join(self._pieces)]
        return self._pieces[0]

    def _take(self, data: bytes) -> None:
        self._pieces.append(data)

    def write(self, data: bytes) -> None:
        """Send bytes."""
        assert self.connection is not None
        self.connection.write(data)

    async def has(self, data: bytes) -> None:
        """Wait until this, and nothing else, has arrived."""
        await until(lambda: len(self.received) >= len(data), self)
        assert self.received == data, self

    @property
    def is_open(self) -> bool:
        """The connection has not ended."""
        return self.connection is not None and self.connection.lost is None


def behind_head(caller: Caller) -> bytes:
    """What a client has received behind the head of its first answer."""
    return caller.connection.received.partition(b"\r\n\r\n")[2]


async def hears(caller: Caller, data: bytes) -> None:
    """Wait until a client has received this, and nothing else, behind the head."""
    await until(lambda: len(behind_head(caller)) >= len(data), caller)
    assert behind_head(caller) == data, caller


@implementer(IHalfCloseableProtocol)
class Halved(Protocol):
    """One end of a connection that may be closed in halves. `is_over`: the other end sends no more."""

    transport: Any

    def __init__(self) -> None:
        self.received = b""
        self.is_over = False
        self.lost: Failure | None = None

    def __repr__(self) -> str:
        return f"<Halved over={self.is_over} lost={self.lost} {self.received!r}>"

    def dataReceived(self, data: bytes) -> None:
        """Keep it."""
        self.received += data

    def readConnectionLost(self) -> None:
        """No more will come."""
        self.is_over = True

    def writeConnectionLost(self) -> None:
        """No more will go."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Keep the reason."""
        self.lost = reason


class Switching(Halved):
    """A service that answers any head with 101."""

    def dataReceived(self, data: bytes) -> None:
        """Keep what is behind the head."""
        if not self.received.count(b"\r\n\r\n"):
            self.transport.write(SWITCHED)
        super().dataReceived(data)

    @property
    def heard(self) -> bytes:
        """What came behind the head."""
        return self.received.partition(b"\r\n\r\n")[2]


def switching_service(test: TestCase) -> tuple[str, list[Switching]]:
    """The URL of a service of `Switching` connections, and these."""
    made: list[Switching] = []

    class Made(Factory):
        noisy = False

        def buildProtocol(self, addr: object) -> Switching:
            made.append(Switching())
            return made[-1]

    port = reactor.listenTCP(0, Made(), interface="127.0.0.1")
    test.addCleanup(port.stopListening)
    return f"http://127.0.0.1:{port.getHost().port}", made
