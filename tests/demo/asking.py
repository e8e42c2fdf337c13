"""A demo site asked in memory: bytes of a request in, status, fields and body of the answer out."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.testing import StringTransport
from twisted.web.server import Site

PEER = IPv4Address("TCP", "127.0.0.1", 50000)


class Connection:
    """One connection to a site, closed by the server after its first answer.

    A byte that is no text is written as a lone surrogate: "\\udce9" is 0xE9.
    """

    def __init__(self, site: Site, method: str, path: str, body: bytes = b"", **fields: str) -> None:
        self.transport = StringTransport(peerAddress=PEER)
        self.protocol = site.buildProtocol(PEER)
        self.protocol.makeConnection(self.transport)
        sent = {"Host": "demo", "Connection": "close", "Content-Length": str(len(body)), **fields}
        head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        self.protocol.dataReceived(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode(errors="surrogateescape") + body)

    def answer(self) -> Answer:
        """What has come back."""
        return Answer(self.transport.value())


class Answer:
    """The parts of a whole answer."""

    def __init__(self, data: bytes) -> None:
        head, _, self.body = data.partition(b"\r\n\r\n")
        first, *fields = head.decode().split("\r\n")
        self.status = int(first.split(" ")[1]) if first else 0
        self.fields = {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}

    def value(self) -> Any:
        """The body read as JSON."""
        return json.loads(self.body)


def ask(site: Site, method: str, path: str, body: object = b"", **fields: str) -> Answer:
    """Send one request and read its answer; a body that is not bytes is sent as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Connection(site, method, path, data, **fields).answer()
