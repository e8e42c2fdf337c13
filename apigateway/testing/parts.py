"""Steps for answers in parts, so that a service can go wrong between any two of them; and for what is no answer.

See `steps` for what a step is. `Head(200, length=10), Respond(b"12345"), Reset()` breaks off in the middle of a body.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from apigateway.testing.steps import HeaderValues, Wait, head_bytes, pairs_of
from apigateway.testing.wire import Message

if TYPE_CHECKING:
    from apigateway.testing.scripted_service import ScriptedConnection


@dataclass(frozen=True)
class Head:
    """Send the head of an answer and no more: with a `length`, for chunks, or else for a body until the end."""

    status: int = 200
    length: int | None = None
    chunked: bool = False
    headers: HeaderValues = ()

    def run(self, connection: ScriptedConnection, request: Message | None) -> bool:
        connection.write(self.data())
        return True

    def data(self) -> bytes:
        """As it is sent."""
        framing = [("Transfer-Encoding", "chunked")] if self.chunked else []
        if self.length is not None:
            framing.append(("Content-Length", str(self.length)))
        return head_bytes(self.status, [*pairs_of(self.headers), *framing])


@dataclass(frozen=True)
class Chunk:
    """Send one chunk of a body."""

    body: bytes

    def run(self, connection: ScriptedConnection, request: Message | None) -> bool:
        connection.write(b"%x\r\n%b\r\n" % (len(self.body), self.body))
        return True


@dataclass(frozen=True)
class LastChunk:
    """Send the end of a body in chunks, with trailers."""

    trailers: Sequence[tuple[str, str]] = ()

    def run(self, connection: ScriptedConnection, request: Message | None) -> bool:
        lines = "".join(f"{name}: {value}\r\n" for name, value in self.trailers)
        connection.write(b"0\r\n%b\r\n" % lines.encode("latin-1"))
        return True


@dataclass(frozen=True)
class Trickle:
    """Send `data` in pieces of `piece` bytes, `every` so many seconds."""

    data: bytes
    every: float = 1.0
    piece: int = 1

    def run(self, connection: ScriptedConnection, request: Message | None) -> bool:
        connection.write(self.data[: self.piece])
        rest = self.data[self.piece :]
        if rest:
            connection.insert(Wait(self.every), Trickle(rest, self.every, self.piece))
        return True


@dataclass(frozen=True)
class Garbage:
    """Send bytes by chance, the same for the same `seed`."""

    size: int = 1000
    seed: int = 1

    def run(self, connection: ScriptedConnection, request: Message | None) -> bool:
        connection.write(Random(self.seed).randbytes(self.size))
        return True


@dataclass(frozen=True)
class ReadSome:
    """Wait until so many bytes of the request body have arrived, or all of it has."""

    size: int

    def run(self, connection: ScriptedConnection, request: Message | None) -> bool:
        return request is None or connection.wait_until(lambda: request.is_complete or request.size >= self.size)
