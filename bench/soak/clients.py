"""One request of a client over a connection, from its head to what is entered of it. Knows no plan."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from random import Random

from bench.soak.asks import Ask
from bench.soak.doors import Doors, close
from bench.soak.ledger import Ledger
from bench.soak.outcomes import Outcome
from bench.soak.patterns import NONCE, SERVED_BY, SHA, digest, pattern
from bench.soak.sockets import Echoes
from bench.soak.wire import SWITCHING, Answer, Connection, read_answer

PIECE = 32 * 1024


class Clients:
    """All of them: they come by the same doors, and their outcomes go into one ledger."""

    def __init__(self, doors: Doors, ledger: Ledger, random: Random) -> None:
        self.doors = doors
        self.ledger = ledger
        self._random = random

    async def once(self, kind: str, ask: Ask, pause_s: float = 0.0) -> Answer:
        """A connection for one exchange."""
        connection = await self.doors.open(ask.is_encrypted)
        answer = await self.exchange(kind, connection, ask, pause_s)
        await close(connection)
        return answer

    async def exchange(self, kind: str, connection: Connection, ask: Ask, pause_s: float = 0.0) -> Answer:
        """Send a request, read its answer, and enter both; `pause_s` as for `read_answer`."""
        reader, writer = connection
        began = self._sent(ask)
        sending = asyncio.ensure_future(_send(writer, ask))
        answer = await read_answer(reader, ask.method, ask.nonce, pause_s)
        if not sending.done() or ask.fault == "early":
            # Who is answered early need not send the rest; and the gateway closes if it has not read all of it by then.
            answer.fields["connection"] = "close"
            sending.cancel()
        with suppress(asyncio.CancelledError, OSError):
            await sending
        self.enter(kind, ask, began, answer)
        return answer

    def _sent(self, ask: Ask) -> float:
        now = time.monotonic()
        if ask.fault:
            self.ledger.history.sent(ask.service, ask.fault, now)
        return now

    def enter(self, kind: str, ask: Ask, began: float, answer: Answer, good: int = 200, heard: float = 0.0) -> None:
        """What became of a request; `good` and `heard` as in `Outcome`."""
        fields = answer.fields
        is_right = answer.is_right and (answer.is_own or _is_to(ask, answer))
        self.ledger.add(
            Outcome(
                ask.service, kind, ask.method, ask.fault, began, time.monotonic(), answer.ending, answer.status,
                answer.cause, fields.get("x-request-id", ""), is_right, "x-gateway-fallback" in fields,
                fields.get(SERVED_BY.lower(), ""), ask.is_encrypted, good, heard,
            )
        )  # fmt: skip

    async def echo(self, kind: str, ask: Ask, until: float) -> None:
        """A WebSocket, until then or its end."""
        connection = reader, writer = await self.doors.open(ask.is_encrypted)
        began, heard = time.monotonic(), 0.0
        writer.write(ask.handshake())
        answer = await read_answer(reader, "GET", ask.nonce)
        if answer.status == SWITCHING and answer.ending == "whole":
            echoes = Echoes(connection, self._random, ask.nonce)
            await echoes.run(until)
            self.ledger.messages += echoes.count
            heard, answer.ending, answer.is_right = echoes.heard, echoes.ending, echoes.is_right
        await close(connection)
        self.enter(kind, ask, began, answer, SWITCHING, heard)


async def _send(writer: asyncio.StreamWriter, ask: Ask) -> None:
    writer.write(ask.head())
    at = 0
    while at < ask.body:
        piece = pattern(ask.nonce, at, min(PIECE, ask.body - at))
        at += len(piece)
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if ask.is_chunked else piece)
        await writer.drain()
    if ask.body >= 0 and ask.is_chunked:
        writer.write(b"0\r\n\r\n")
    await writer.drain()


def _is_to(ask: Ask, answer: Answer) -> bool:
    """The nonce is ours, and what the service received is what was sent; early answers can't know that."""
    fields = answer.fields
    is_told = ask.fault == "early" or fields.get(SHA.lower()) == digest(ask.nonce, max(0, ask.body))
    return fields.get(NONCE.lower()) == ask.nonce and is_told
