"""What a scripted service does after a request: steps, one after the other. Most are values; all are small.

A step's `run` returns whether the next may follow at once; if not, the step calls `connection.go_on` when it is over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.interfaces import IPullProducer
from zope.interface import implementer

from apigateway.testing.wire import Message

if TYPE_CHECKING:
    from apigateway.testing.scripted_service import ScriptedConnection

HeaderValues = Mapping[str, str] | Sequence[tuple[str, str]]


class Step(Protocol):
    """Something that a service does."""

    def run(self, connection: ScriptedConnection, request: Message | None) -> bool:
        """Do it. `request` is None in the script that runs when a connection is made."""


@dataclass(frozen=True)
class Respond:
    """Send bytes as they are."""

    data: bytes

    def run(self, connection: ScriptedConnection, request: Message | None) -> bool:
        connection.write(self.data)
        return True


@dataclass(frozen=True)
class Answer:
    """Send a well-formed answer: with a length, or in chunks of the given pieces. To HEAD goes only the head."""

    status: int = 200
    body: bytes = b""
    headers: HeaderValues = field(default_factory=dict)
    chunks: tuple[bytes, ...] | None = None

    def run(self, connection: ScriptedConnection, request: Message | None) -> bool:
        connection.write(self.head())
        if request is None or request.method != "HEAD":
            connection.write(self.payload())
        return True

    def head(self) -> bytes:
        """The head of the answer."""
        pairs = pairs_of(self.headers)
        if self.chunks is not None:
            pairs.append(("Transfer-Encoding", "chunked"))
        elif self.status not in (204, 304):
            pairs.append(("Content-Length", str(len(self.body))))
        return head_bytes(self.status, pairs)

    def payload(self) -> bytes:
        """The body as it is framed."""
        if self.chunks is None:
            return self.body
        return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in self.chunks if piece) + b"0\r\n\r\n"


def pairs_of(headers: HeaderValues) -> list[tuple[str, str]]:
    """Fields as they will be sent, in their order."""
    return list(headers.items() if isinstance(headers, Mapping) else headers)


def head_bytes(status: int, pairs: Sequence[tuple[str, str]]) -> bytes:
    """The head of an answer with these fields and no others."""
    lines = [f"HTTP/1.1 {status} {_phrase(status)}", *(f"{name}: {value}" for name, value in pairs)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


@implementer(IPullProducer)
class _Repeated:
    """Writes the same piece as often as asked, as fast as the reader takes it."""

    def __init__(self, connection: ScriptedConnection, data: bytes, times: int) -> None:
        self._connection = connection
        self._data = data
        self._left = times

    def resumeProducing(self) -> None:
        self._left -= 1
        self._connection.write(self._data)
        if not self._left:
            self._connection.stop_sending()
            self._connection.go_on()

    def stopProducing(self) -> None:
        self._left = 0


@dataclass(frozen=True)
class Send:
    """Send `data` so many `times`, never more of it than the reader takes; for bodies that must not be gathered."""

    data: bytes
    times: int = 1

    def run(self, connection: ScriptedConnection, request: Message | None) -> bool:
        connection.send_from(_Repeated(connection, self.data, self.times))
        return False


@dataclass(frozen=True)
class Wait:
    """Do nothing for some seconds."""

    seconds: float

    def run(self, connection: ScriptedConnection, request: Message | None) -> bool:
        connection.later(self.seconds)
        return False


@dataclass(frozen=True)
class ReadAll:
    """Wait until the request body is complete."""

    def run(self, connection: ScriptedConnection, request: Message | None) -> bool:
        return request is None or connection.wait_until(lambda: request.is_complete)


@dataclass(frozen=True)
class Stall:
    """Do nothing any more."""

    def run(self, connection: ScriptedConnection, request: Message | None) -> bool:
        return False


@dataclass(frozen=True)
class StopReading:
    """Take no more of what is sent."""

    def run(self, connection: ScriptedConnection, request: Message | None) -> bool:
        connection.read(False)
        return True


@dataclass(frozen=True)
class ReadAgain:
    """Take what is sent."""

    def run(self, connection: ScriptedConnection, request: Message | None) -> bool:
        connection.read(True)
        return True


@dataclass(frozen=True)
class Close:
    """Close the connection when all is sent."""

    def run(self, connection: ScriptedConnection, request: Message | None) -> bool:
        connection.close()
        return False


@dataclass(frozen=True)
class CloseSending:
    """Send no more, but go on reading."""

    def run(self, connection: ScriptedConnection, request: Message | None) -> bool:
        connection.close_sending()
        return True


@dataclass(frozen=True)
class Reset:
    """Close the connection at once; the other end sees a reset."""

    def run(self, connection: ScriptedConnection, request: Message | None) -> bool:
        connection.reset()
        return False


@dataclass(frozen=True)
class Call:
    """Call a function with the request, for what no other step can do."""

    function: Callable[[Any], object]

    def run(self, connection: ScriptedConnection, request: Message | None) -> bool:
        self.function(request)
        return True
