"""The clients of the soak: what each kind of visit does, and how often. Chance comes from one seed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import Random

from bench.soak.asks import Asks
from bench.soak.clients import Clients
from bench.soak.doors import close
from bench.soak.outcomes import Outcome
from bench.soak.patterns import SERVED_BY, pattern
from bench.soak.services import EVENTS, SOCKETS
from bench.soak.wire import read_answer

LARGEST = 1024 * 1024
MOST_AT_ONCE = 400
PIECE = 16 * 1024
QUIET_S = 2.5
"""Between two events of a stream: longer than other answers may be silent."""

AGAIN_S = 0.5
"""Before a lasting WebSocket that has ended is opened again."""


class Load:
    """Visits, at random, for as long as they are wanted."""

    def __init__(self, clients: Clients, asks: Asks, random: Random) -> None:
        self._clients = clients
        self._asks = asks
        self._random = random
        self._visits: set[asyncio.Task[None]] = set()
        self.skipped = 0
        self.until = 0.0

    async def run(self, rate: float, until: float) -> None:
        """Make about `rate` requests a second until then, and wait for the end of all."""
        self.until = until
        for service in SOCKETS:
            for is_encrypted in (False, True):
                self._begin(self._stay_open(service, is_encrypted))
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
            self._clients.ledger.unexplained.append(f"a client broke: {task.exception()!r}")

    async def _stay_open(self, service: str, is_encrypted: bool) -> None:
        """A WebSocket all the time; a new one where it ends."""
        while time.monotonic() < self.until:
            ask = self._asks.ask(service, method="GET", fault="", is_encrypted=is_encrypted)
            await self._clients.echo("lasting socket", ask, self.until)
            await asyncio.sleep(AGAIN_S)

    def _moment(self, least: float, most: float) -> float:
        """So many seconds, but not much longer than there is load."""
        return min(self._random.uniform(least, most), max(1.0, self.until - time.monotonic()))

    # Visits.

    async def keep(self, kind: str) -> None:
        """Several requests on one connection."""
        is_encrypted = self._asks.is_encrypted()
        connection = await self._clients.doors.open(is_encrypted)
        for _ in range(self._random.randint(1, 2 * VISITS[kind][2] - 1)):
            ask = self._asks.ask(is_encrypted=is_encrypted)
            answer = await self._clients.exchange(kind, connection, ask)
            if not answer.keeps_alive or time.monotonic() >= self.until:
                break
            await asyncio.sleep(self._random.expovariate(20))
        await close(connection)

    async def come_once(self, kind: str) -> None:
        """A connection for one request."""
        await self._clients.once(kind, self._asks.ask(is_last=self._random.random() < 0.5))

    async def come_back(self, kind: str) -> None:
        """Several connections of a client that stays at the target that it came to first."""
        cookie = first = ""
        for _ in range(VISITS[kind][2]):
            answer = await self._clients.once(kind, self._asks.ask("sticky", cookie=cookie))
            target = answer.fields.get(SERVED_BY.lower(), "")
            if first and target and target != first:
                self._clients.ledger.unexplained.append(f"a client that stays at {first} came to {target}")
            first = first or target
            cookie = answer.fields.get("set-cookie", cookie).partition(";")[0]

    async def upload(self, kind: str) -> None:
        """A large body."""
        await self._clients.once(kind, self._asks.ask(method="POST", body=self._random.randint(10_000, LARGEST)))

    async def download(self, kind: str) -> None:
        """A large answer, read slowly at times."""
        pause_s = self._random.choice((0.0, 0.0, 0.05))
        ask = self._asks.ask(method="GET", size=self._random.randint(10_000, LARGEST))
        await self._clients.once(kind, ask, pause_s)

    async def stream(self, kind: str) -> None:
        """An answer that takes long, and has no end that is known."""
        await self._drip(kind, "steady", 0.5)

    async def listen(self, kind: str) -> None:
        """A stream of events, with long silences."""
        await self._drip(kind, self._random.choice(EVENTS), QUIET_S, is_events=True)

    async def _drip(self, kind: str, service: str, drip_s: float, is_events: bool = False) -> None:
        size = (int(self._moment(5, 60) / drip_s) + 1) * PIECE
        ask = self._asks.ask(service, method="GET", fault="", size=size, is_chunked=True, drip_s=drip_s)
        ask.is_events = is_events
        await self._clients.once(kind, ask)

    async def socket(self, kind: str) -> None:
        """A WebSocket for a while."""
        ask = self._asks.ask(self._random.choice(SOCKETS), method="GET", fault="")
        await self._clients.echo(kind, ask, time.monotonic() + self._moment(1, 30))

    async def pipeline(self, kind: str) -> None:
        """Several requests at once; the answers must come in their order."""
        is_encrypted = self._asks.is_encrypted()
        asks = [
            self._asks.ask("steady", method="GET", fault="", is_encrypted=is_encrypted)
            for _ in range(self._random.randint(2, 8))
        ]
        connection = reader, writer = await self._clients.doors.open(is_encrypted)
        began = time.monotonic()
        writer.write(b"".join(ask.head() for ask in asks))
        for ask in asks:
            answer = await read_answer(reader, ask.method, ask.nonce)
            self._clients.enter(kind, ask, began, answer)
            if not answer.keeps_alive:
                break
        await close(connection)

    async def leave(self, kind: str) -> None:
        """Go away in the middle of something."""
        ask = self._asks.ask(method="POST", body=200_000, size=200_000, fault="")
        connection = reader, writer = await self._clients.doors.open(ask.is_encrypted)
        began, way = time.monotonic(), self._random.randrange(4)
        data = ask.head()
        writer.write(data[: len(data) // 2] if way == 0 else data)
        with suppress(OSError, asyncio.IncompleteReadError):
            if way >= 2 and not ask.is_chunked:
                writer.write(pattern(ask.nonce, 0, ask.body if way == 3 else ask.body // 2))
            if way == 3 and not ask.is_chunked:
                async with asyncio.timeout(2):
                    await reader.readexactly(1000)
            await asyncio.sleep(self._random.uniform(0, 0.2))
        if self._random.random() < 0.5:
            writer.transport.abort()
        else:
            await close(connection)
        self._clients.ledger.add(
            Outcome(ask.service, kind, ask.method, "", began, time.monotonic(), "left", is_encrypted=ask.is_encrypted)
        )

    async def burst(self, kind: str) -> None:
        """Failures in a row, so that the breaker opens."""
        for _ in range(VISITS[kind][2]):
            ask = self._asks.ask("shaky", method="GET", fault="status-503", size=10)
            await self._clients.once(kind, ask)


VISITS: dict[str, tuple[Callable[[Load, str], Awaitable[None]], float, int]] = {
    "keep": (Load.keep, 30, 12),
    "once": (Load.come_once, 60, 1),
    "back": (Load.come_back, 6, 4),
    "upload": (Load.upload, 10, 1),
    "download": (Load.download, 10, 1),
    "pipeline": (Load.pipeline, 8, 5),
    "leave": (Load.leave, 8, 1),
    "stream": (Load.stream, 0.4, 1),
    "events": (Load.listen, 0.4, 1),
    "socket": (Load.socket, 0.6, 1),
    "burst": (Load.burst, 0.4, 14),
}
"""Each kind of visit: what it does, how often, and how many requests it makes on average."""
