"""Clients that ask all the time on real sockets, and count every exchange that they lose.

A client that keeps its connection leaves it when an answer says so, as RFC 9112 §9.6 has it, and at no other time: a
connection that ends with a request on it and no whole answer is a lost exchange, and so is any status but 200.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from tests.behaviour.caller import connect
from tests.behaviour.waiting import a_turn, until


class _Connection(Protocol):
    """One connection: gives each answer as (status, whether the connection ends with it); None where it was lost."""

    transport: Any

    def __init__(self) -> None:
        self._received = b""
        self._answer: Deferred[tuple[int, bool] | None] | None = None
        self.is_lost = False

    def ask(self, request: bytes) -> Deferred[tuple[int, bool] | None]:
        """Send a request."""
        answer = self._answer = Deferred()
        if self.is_lost:
            self._give(None)
        else:
            self.transport.write(request)
        return answer

    def dataReceived(self, data: bytes) -> None:
        """Look whether the answer is whole."""
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if end:
            fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
            length = int(fields[b"content-length"])
            if len(body) >= length:
                self._received = body[length:]
                self._give((int(head.split(b" ", 2)[1]), fields.get(b"connection") == b"close"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """No more answers will come."""
        self.is_lost = True
        self._give(None)

    def _give(self, answer: tuple[int, bool] | None) -> None:
        waiting, self._answer = self._answer, None
        if waiting is not None:
            waiting.callback(answer)


class Load:
    """Clients that ask for a target until they are told to stop. `lost` tells what was not answered as it should be."""

    def __init__(self, target: str) -> None:
        self.answered = self.connections = self.refused = 0
        self.lost: list[str] = []
        self._request = f"GET {target} HTTP/1.1\r\nHost: here\r\n\r\n".encode()
        self._over = False
        self._clients: list[Deferred[None]] = []

    def __repr__(self) -> str:
        return f"<Load answered={self.answered} connections={self.connections} lost={self.lost[:5]}>"

    def begin(self, port: Callable[[], int | None], count: int, keep: bool) -> None:
        """More clients, for whatever `port` tells, None for none now; each keeps its connection, or none does."""
        self._clients += [Deferred.fromCoroutine(self._client(port, keep)) for _ in range(count)]

    async def more(self, count: int) -> None:
        """Wait until so many more are answered; a slow machine may take its time as long as it goes on."""
        while count > 0:
            enough = self.answered + min(count, 500)
            await until(lambda enough=enough: self.answered >= enough, self)  # type: ignore[misc]  # bound
            count -= 500

    async def end(self) -> None:
        """Let each client have its last answer."""
        self._over = True
        for client in self._clients:
            await client

    async def _client(self, port: Callable[[], int | None], keep: bool) -> None:
        while not self._over:
            number = port()
            if number is None:
                await a_turn()
                continue
            try:
                connection = await connect(number, _Connection)
            except Refused:
                self._no_way_in(port())
                continue
            self.connections += 1
            await self._use(connection, keep)
            if not connection.is_lost:
                connection.transport.loseConnection()

    def _no_way_in(self, port: int | None) -> None:
        self.refused += 1
        if port is not None:
            self.lost.append("refused while the port is open")

    async def _use(self, connection: _Connection, keep: bool) -> None:
        while not self._over:
            answer = await connection.ask(self._request)
            if answer is None or answer[0] != 200:
                self.lost.append("no whole answer" if answer is None else f"status {answer[0]}")
                return
            self.answered += 1
            if answer[1] or not keep:
                return
