"""Further steps of scripted services: one that waits for the test, and one that counts what its reader takes."""

from __future__ import annotations

from twisted.internet.interfaces import IPullProducer
from zope.interface import implementer

from apigateway.testing.scripted_service import ScriptedConnection
from apigateway.testing.wire import Message
from tests.behaviour.caller import hold_little


class Gate:
    """Goes no further until the test opens it; `waiting` are the connections before it, in their order."""

    def __init__(self) -> None:
        self.waiting: list[ScriptedConnection] = []
        self._is_open = False

    def __repr__(self) -> str:
        return f"<Gate {'open' if self._is_open else 'shut'} waiting={self.waiting}>"

    def run(self, connection: ScriptedConnection, request: Message | None) -> bool:
        """See `Step.run`."""
        if not self._is_open:
            self.waiting.append(connection)
        return self._is_open

    def open(self) -> None:
        """Let everybody through, from now on."""
        self._is_open = True
        while self.waiting:
            self.let_one()

    def let_one(self) -> ScriptedConnection:
        """Let the first in the line through."""
        connection = self.waiting.pop(0)
        connection.go_on()
        return connection


@implementer(IPullProducer)
class Flood:
    """Sends `size` bytes, as fast as the reader takes them; `sent` is how many it took."""

    def __init__(self, size: int, piece: int = 64 * 1024) -> None:
        self.sent = 0
        self._size = size
        self._piece = b"x" * piece
        self._connection: ScriptedConnection | None = None

    def run(self, connection: ScriptedConnection, request: Message | None) -> bool:
        """See `Step.run`."""
        hold_little(connection.transport)
        self._connection = connection
        connection.send_from(self)
        return False

    def resumeProducing(self) -> None:
        """Send one more piece."""
        assert self._connection is not None
        self._connection.write(self._piece)
        self.sent += len(self._piece)
        if self.sent >= self._size:
            self._connection.stop_sending()
            self._connection.go_on()

    def stopProducing(self) -> None:
        """The connection is lost."""


class HoldLittle:
    """Keeps the kernel from reading ahead of the service."""

    def run(self, connection: ScriptedConnection, request: Message | None) -> bool:
        """See `Step.run`."""
        hold_little(connection.transport)
        return True
