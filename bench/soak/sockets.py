"""One WebSocket of a client: what it sends must come back, in its order, until the client itself closes it."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from contextlib import suppress
from random import Random

from bench.soak.frames import BINARY, CLOSE, PING, PONG, frame, read_frame
from bench.soak.patterns import pattern
from bench.soak.wire import PATIENCE_S, Connection

PAUSE_S = 0.25
"""Between two bursts of messages, on average."""

MOST_IN_BURST = 6
PING_SHARE = 0.1
LARGEST = 17
"""The power of two of the largest messages, which are rare."""


class Echoes:
    """`count` messages came back so far, and `heard` is when the last one did. `ending` as in `wire.Answer`,
    or `closed`: somebody else closed it in good order."""

    def __init__(self, connection: Connection, random: Random, nonce: str) -> None:
        self._reader, self._writer = connection
        self._random = random
        self._nonce = nonce
        self._awaited: deque[tuple[int, bytes]] = deque()
        self._is_closing = False
        self._numbers = 0
        self.count = 0
        self.is_right = True
        self.heard = time.monotonic()
        self.ending = ""

    async def run(self, until: float) -> None:
        """Talk until then, or until it ends."""
        sending = asyncio.ensure_future(self._send(until))
        try:
            self.ending = await self._receive()
        except TimeoutError:
            self.ending = "late"
        except (asyncio.IncompleteReadError, ConnectionError):
            self.ending = "cut"
        except (ValueError, ssl.SSLError):
            self.ending = "broken"
        sending.cancel()
        with suppress(asyncio.CancelledError, OSError):
            await sending

    async def _send(self, until: float) -> None:
        while time.monotonic() < until:
            for _ in range(self._random.randint(1, MOST_IN_BURST)):
                await self._say(*self._message())
            await asyncio.sleep(self._random.expovariate(1 / PAUSE_S))
        self._is_closing = True
        self._writer.write(frame(CLOSE, (1000).to_bytes(2), self._random.randbytes(4)))

    def _message(self) -> tuple[int, bytes]:
        self._numbers += 1
        start = b"%s %d " % (self._nonce.encode(), self._numbers)
        if self._random.random() < PING_SHARE:
            return PING, start
        return BINARY, start + pattern(self._nonce, self._numbers, int(2 ** (LARGEST * self._random.random() ** 2)))

    async def _say(self, code: int, payload: bytes) -> None:
        self._awaited.append((PONG if code == PING else code, payload))
        self._writer.write(frame(code, payload, self._random.randbytes(4)))
        await self._writer.drain()

    async def _receive(self) -> str:
        while True:
            async with asyncio.timeout(PATIENCE_S):
                came = await read_frame(self._reader)
            self.heard = time.monotonic()
            if came[0] == CLOSE:
                return await self._end()
            self.is_right = self.is_right and bool(self._awaited) and came == self._awaited.popleft()
            self.count += 1

    async def _end(self) -> str:
        """Nothing comes after a close frame, and nothing is left out before it."""
        if not self._is_closing or self._awaited:
            return "closed"
        async with asyncio.timeout(PATIENCE_S):
            return "broken" if await self._reader.read() else "whole"
