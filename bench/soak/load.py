"""The clients of the soak: what each kind of visit does, and how often. Chance comes from one seed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from random import Random

from bench.soak.faults import CATALOGUE, LATE, RACES
from bench.soak.outcomes import Ledger, Outcome
from bench.soak.patterns import FAULT, NONCE, SHA, UNDECLARED, digest, pattern
from bench.soak.services import SERVICES
from bench.soak.wire import Answer, Connection, connected, read_answer, request

PIECE = 32 * 1024
LARGEST = 1024 * 1024
FAULT_SHARE = 0.06
MOST_AT_ONCE = 400


@dataclass
class Ask:
    """One request to be made. `size` of the answer, `body` of the request, in bytes; -1 for a body: there is none."""

    service: str
    method: str
    nonce: str
    fault: str = ""
    undeclared: str = ""
    size: int = 0
    body: int = -1
    is_chunked: bool = False
    drip_s: float = 0.0
    is_last: bool = False

    def head(self) -> bytes:
        """The head as it is sent."""
        fields = [(NONCE, self.nonce)]
        fields += [(FAULT, self.fault)] if self.fault else []
        fields += [(UNDECLARED, self.undeclared)] if self.undeclared else []
        fields += [("Connection", "close")] if self.is_last else []
        if self.body >= 0:
            chunked = ("Transfer-Encoding", "chunked")
            fields.append(chunked if self.is_chunked else ("Content-Length", str(self.body)))
        more = "&chunked=1" if self.is_chunked else ""
        more += f"&drip={self.drip_s}" if self.drip_s else ""
        return request(self.method, f"/{self.service}/x?size={self.size}{more}", fields)


class Load:
    """Visits, at random, for as long as they are wanted. `undeclared` is the share of faults that nobody admits."""

    def __init__(self, port: int, ledger: Ledger, random: Random, undeclared: float = 0.0) -> None:
        self._port = port
        self._ledger = ledger
        self._random = random
        self._undeclared = undeclared
        self._numbers = count(1)
        self._visits: set[asyncio.Task[None]] = set()
        self.skipped = 0
        self.until = 0.0

    async def run(self, rate: float, until: float) -> None:
        """Make about `rate` requests a second until then, and wait for the end of all."""
        self.until = until
        kinds = list(VISITS)
        weights = [VISITS[kind][1] for kind in kinds]
        a_visit = sum(VISITS[kind][1] * VISITS[kind][2] for kind in kinds) / sum(weights)
        due = time.monotonic()
        while due < until:
            due += self._random.expovariate(rate / a_visit)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if len(self._visits) >= MOST_AT_ONCE:
                self.skipped += 1
                continue
            (kind,) = self._random.choices(kinds, weights)
            self._begin(VISITS[kind][0](self, kind))
        if self._visits:
            await asyncio.wait(self._visits)

    def _begin(self, visit: Awaitable[None]) -> None:
        task = asyncio.ensure_future(visit)
        self._visits.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._visits.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._ledger.unexplained.append(f"a client broke: {task.exception()!r}")

    # What is asked.

    def ask(self, service: str = "", **given: object) -> Ask:
        """A request at random, but for what is given."""
        random = self._random
        if not service:
            names = list(SERVICES)
            (service,) = random.choices(names, [SERVICES[name].weight for name in names])
        method = random.choice(("GET", "GET", "GET", "GET", "HEAD", "POST", "POST", "PUT", "DELETE"))
        one = Ask(service, method, f"n{next(self._numbers)}")
        one.size = int(2 ** random.uniform(0, 15))
        one.is_chunked = random.random() < 0.3
        for name, value in given.items():
            setattr(one, name, value)
        if one.method in ("POST", "PUT") and one.body < 0:
            one.body = int(2 ** random.uniform(0, 14))
        if "fault" not in given:
            self._maybe_fault(one)
        return one

    def _maybe_fault(self, one: Ask) -> None:
        random, service = self._random, SERVICES[one.service]
        if random.random() < self._undeclared:
            one.undeclared = "status-500"
        elif random.random() < FAULT_SHARE and service.faults:
            names = [name for name in CATALOGUE if (service.races or name not in RACES)]
            names = [name for name in names if one.method != "HEAD" or name not in LATE]
            (one.fault,) = random.choices(names, [CATALOGUE[name].weight for name in names])

    # How it is asked.

    async def exchange(self, kind: str, connection: Connection, ask: Ask, pause_s: float = 0.0) -> Answer:
        """Send a request, read its answer, and enter both."""
        reader, writer = connection
        began = self._sent(ask)
        sending = asyncio.ensure_future(self._send(writer, ask))
        answer = await read_answer(reader, ask.method, ask.nonce, pause_s)
        if not sending.done():
            # Who is answered early need not send the rest.
            answer.fields["connection"] = "close"
            sending.cancel()
        with suppress(asyncio.CancelledError, ConnectionError):
            await sending
        self._enter(kind, ask, began, answer)
        return answer

    def _sent(self, ask: Ask) -> float:
        now = time.monotonic()
        if ask.fault:
            self._ledger.history.sent(ask.service, ask.fault, now)
        return now

    async def _send(self, writer: asyncio.StreamWriter, ask: Ask) -> None:
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

    def _enter(self, kind: str, ask: Ask, began: float, answer: Answer) -> None:
        fields = answer.fields
        is_right = answer.is_right and (answer.is_own or self._is_own_answer(ask, answer))
        self._ledger.add(
            Outcome(
                ask.service, kind, ask.method, ask.fault, began, time.monotonic(), answer.ending, answer.status,
                answer.cause, fields.get("x-request-id", ""), is_right, "x-gateway-fallback" in fields,
            )
        )  # fmt: skip

    @staticmethod
    def _is_own_answer(ask: Ask, answer: Answer) -> bool:
        """The nonce is ours, and what the service received is what was sent; early answers can't know that."""
        fields = answer.fields
        is_told = ask.fault == "early" or fields.get(SHA.lower()) == digest(ask.nonce, max(0, ask.body))
        return fields.get(NONCE.lower()) == ask.nonce and is_told

    # Visits.

    async def keep(self, kind: str) -> None:
        """Several requests on one connection."""
        connection = await connected(self._port)
        for _ in range(self._random.randint(1, 2 * VISITS[kind][2] - 1)):
            answer = await self.exchange(kind, connection, self.ask())
            if not answer.keeps_alive or time.monotonic() >= self.until:
                break
            await asyncio.sleep(self._random.expovariate(20))
        await _close(connection)

    async def come_once(self, kind: str) -> None:
        """A connection for one request."""
        await self._once(kind, self.ask(is_last=self._random.random() < 0.5))

    async def upload(self, kind: str) -> None:
        """A large body."""
        await self._once(kind, self.ask(method="POST", body=self._random.randint(10_000, LARGEST)))

    async def download(self, kind: str) -> None:
        """A large answer, read slowly at times."""
        pause_s = self._random.choice((0.0, 0.0, 0.05))
        await self._once(kind, self.ask(method="GET", size=self._random.randint(10_000, LARGEST)), pause_s)

    async def _once(self, kind: str, ask: Ask, pause_s: float = 0.0) -> None:
        connection = await connected(self._port)
        await self.exchange(kind, connection, ask, pause_s)
        await _close(connection)

    async def stream(self, kind: str) -> None:
        """An answer that takes long, and has no end that is known."""
        seconds = min(self._random.uniform(5, 60), max(1.0, self.until - time.monotonic()))
        size = int(seconds / 0.5) * 16 * 1024
        await self._once(kind, self.ask("steady", method="GET", fault="", size=size, is_chunked=True, drip_s=0.5))

    async def pipeline(self, kind: str) -> None:
        """Several requests at once; the answers must come in their order."""
        asks = [self.ask("steady", method="GET", fault="") for _ in range(self._random.randint(2, 8))]
        connection = reader, writer = await connected(self._port)
        began = time.monotonic()
        writer.write(b"".join(ask.head() for ask in asks))
        for ask in asks:
            answer = await read_answer(reader, ask.method, ask.nonce)
            self._enter(kind, ask, began, answer)
            if not answer.keeps_alive:
                break
        await _close(connection)

    async def leave(self, kind: str) -> None:
        """Go away in the middle of something."""
        ask = self.ask(method="POST", body=200_000, size=200_000, fault="")
        connection = reader, writer = await connected(self._port)
        began, way = time.monotonic(), self._random.randrange(4)
        data = ask.head()
        writer.write(data[: len(data) // 2] if way == 0 else data)
        with suppress(ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            if way >= 2 and not ask.is_chunked:
                writer.write(pattern(ask.nonce, 0, ask.body if way == 3 else ask.body // 2))
            if way == 3 and not ask.is_chunked:
                async with asyncio.timeout(2):
                    await reader.readexactly(1000)
            await asyncio.sleep(self._random.uniform(0, 0.2))
        if self._random.random() < 0.5:
            writer.transport.abort()
        else:
            await _close(connection)
        self._ledger.add(Outcome(ask.service, kind, ask.method, "", began, time.monotonic(), "left"))

    async def burst(self, kind: str) -> None:
        """Failures in a row, so that the breaker opens."""
        for _ in range(VISITS[kind][2]):
            await self._once(kind, self.ask("shaky", method="GET", fault="status-503", size=10))


async def _close(connection: Connection) -> None:
    writer = connection[1]
    writer.close()
    with suppress(ConnectionError, OSError):
        await writer.wait_closed()


VISITS: dict[str, tuple[Callable[[Load, str], Awaitable[None]], float, int]] = {
    "keep": (Load.keep, 30, 12),
    "once": (Load.come_once, 60, 1),
    "upload": (Load.upload, 10, 1),
    "download": (Load.download, 10, 1),
    "pipeline": (Load.pipeline, 8, 5),
    "leave": (Load.leave, 8, 1),
    "stream": (Load.stream, 0.4, 1),
    "burst": (Load.burst, 0.4, 14),
}
"""Each kind of visit: what it does, how often, and how many requests it makes on average."""
