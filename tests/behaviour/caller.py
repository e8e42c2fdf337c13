"""Clients of the gateway on real sockets: raw bytes out, answers in, read by a parser that is not the gateway's."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint, wrapClientTLS
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates
from twisted.python.failure import Failure
from zope.interface import implementer

from apigateway.testing.certificates import Authority
from apigateway.testing.client import MemoryClient
from apigateway.testing.wire import Message, WireReader
from tests.behaviour.waiting import reactor, until

Pairs = tuple[tuple[str, str], ...]

MIB = 1024 * 1024


def request(
    method: str, target: str, *fields: str, body: bytes = b"", version: str = "HTTP/1.1", host: str = "Host: here"
) -> bytes:
    """A request; a body gets its length unless a field says how it is framed."""
    lines = [f"{method} {target} {version}", *([host] if host else []), *fields]
    if body and not any(field.lower().startswith(("transfer-encoding", "content-length")) for field in fields):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def chunked(*pieces: bytes, trailers: str = "") -> bytes:
    """A body in chunks."""
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n%b\r\n" % trailers.encode()


class Caller:
    """One connection to the gateway."""

    def __init__(self, connection: MemoryClient) -> None:
        self.connection = connection
        self._answered = 0
        self._read = 0
        self._reader = WireReader(is_response=True)

    def __repr__(self) -> str:
        return f"<Caller {self.connection!r} {self.connection.received[-300:]!r}>"

    def send(self, data: bytes) -> Caller:
        """Send bytes as they are."""
        self.connection.send(data)
        return self

    def ask(self, method: str, target: str, *fields: str, body: bytes = b"", version: str = "HTTP/1.1") -> Caller:
        """Send a request."""
        self._reader.expect(method)  # an answer to HEAD has no body
        return self.send(request(method, target, *fields, body=body, version=version))

    @property
    def messages(self) -> list[Message]:
        """All that has come so far, interim answers among them."""
        received = self.connection.received
        fresh, self._read = received[self._read :], len(received)
        self._reader.feed(fresh)
        if not self.is_open:
            self._reader.end()
        return self._reader.messages

    @property
    def finals(self) -> list[Message]:
        """The final answers so far."""
        return [message for message in self.messages if message.status >= 200]

    @property
    def interims(self) -> list[Message]:
        """The interim answers so far."""
        return [message for message in self.messages if message.status < 200]

    @property
    def is_open(self) -> bool:
        """The gateway has not closed the connection."""
        return self.connection.is_open

    async def head(self) -> Message:
        """The next final answer, as soon as its head is here."""
        at = self._answered
        await until(lambda: len(self.finals) > at or not self.is_open, self)
        if len(self.finals) <= at:
            raise AssertionError(f"closed without an answer: {self!r}")
        return self.finals[at]

    async def answer(self) -> Message:
        """The next final answer, complete."""
        at = self._answered
        await until(lambda: (len(self.finals) > at and self.finals[at].is_complete) or not self.is_open, self)
        if len(self.finals) <= at or not self.finals[at].is_complete:
            raise AssertionError(f"closed without a complete answer: {self!r}")
        self._answered += 1
        return self.finals[at]

    async def broken(self) -> Message:
        """The next final answer as far as it came before the connection ended; fails if it looks complete."""
        message = await self.head()
        await self.closed()
        message = self.finals[self._answered]
        if message.is_complete and not self.was_reset:
            raise AssertionError(f"looks complete: {self!r}")
        return message

    async def get(self, target: str, *fields: str) -> Message:
        """Ask with GET and take the answer."""
        return await self.ask("GET", target, *fields).answer()

    async def received(self, data: bytes) -> None:
        """Wait until some bytes have arrived."""
        await until(lambda: data in self.connection.received, f"{data!r} at {self!r}")

    async def closed(self) -> None:
        """Wait until the gateway has closed the connection."""
        await until(lambda: not self.is_open, f"the end of {self!r}")

    @property
    def was_reset(self) -> bool:
        """The connection ended without a proper end."""
        lost = self.connection.lost
        return lost is not None and lost.check(ConnectionDone) is None


@implementer(IHandshakeListener)
class Sink(Protocol):
    """A client that counts what it reads, and reads only while it is told to; its socket holds little."""

    transport: Any

    def __init__(self) -> None:
        self.size = 0
        self.tail = b""
        self.shook_hands = False
        self.lost: Failure | None = None

    def connectionMade(self) -> None:
        """Keep the kernel from reading ahead."""
        hold_little(self.transport)

    def handshakeCompleted(self) -> None:
        """TLS is there: only now can it be left unread."""
        self.shook_hands = True

    def dataReceived(self, data: bytes) -> None:
        """Count it."""
        self.size += len(data)
        self.tail = (self.tail + data)[-64:]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Keep the reason."""
        self.lost = reason


def hold_little(transport: Any) -> None:
    """Bound what the kernel keeps for a socket, so that a slow end is felt soon."""
    sock = getattr(transport, "transport", transport).getHandle()  # TLS has another one below
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)


def held_on_the_way() -> int:
    """How many bytes may be under way between two ends through the gateway, of which one does not take any.

    The ends hold little. What the kernel keeps for the gateway grows with the pace at which it was once read, up to
    bounds that are each machine's own: one socket is read from, and one written to.
    """
    bounds = (Path(f"/proc/sys/net/ipv4/{name}") for name in ("tcp_rmem", "tcp_wmem"))
    kept = sum(int(one.read_text(encoding="ascii").split()[2]) if one.exists() else 8 * MIB for one in bounds)
    return kept + 2 * MIB


async def connect(port: int, protocol: Callable[[], Protocol], trusted: Authority | None = None) -> Any:
    """A connected protocol; with `trusted` over TLS, as Twisted itself speaks it."""
    endpoint: Any = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
    if trusted is not None:
        root = trustRootFromCertificates([Certificate.loadPEM(trusted.pem)])
        endpoint = wrapClientTLS(optionsForClientTLS("localhost", root), endpoint)
    return await endpoint.connect(Factory.forProtocol(protocol))


__all__ = ["Caller", "Message", "Sink", "WireReader", "chunked", "connect", "held_on_the_way", "hold_little", "request"]
