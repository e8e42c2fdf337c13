"""A service of the soak: `python -m bench.soak.service PORT`. Answers with the pattern of the request's nonce.

Does what a fault in the request says. Has its own reader of HTTP, for what the gateway sends: strict, and small.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TypeAlias
from urllib.parse import parse_qs, urlsplit

from bench.soak.patterns import FAULT, NONCE, SHA, UNDECLARED, pattern

PIECE = 16 * 1024
STALL_S = 30.0
"""Longer than any time limit of the gateway here."""

OK = "200 OK"
Reader: TypeAlias = asyncio.StreamReader
Writer: TypeAlias = asyncio.StreamWriter


class NotHttpError(Exception):
    """The gateway sent what it must not send."""


@dataclass
class Asked:
    """One request. `drip_s` is the pause between two pieces of the answer."""

    method: str
    path: str
    fields: dict[str, str]
    size: int = 0
    is_chunked: bool = False
    drip_s: float = 0.0
    received: str = field(default=sha256().hexdigest())

    @property
    def nonce(self) -> str:
        """Whose it is."""
        return self.fields.get(NONCE.lower(), "")

    @property
    def fault(self) -> str:
        """What is to go wrong."""
        return self.fields.get(FAULT.lower()) or self.fields.get(UNDECLARED.lower(), "")


async def read_head(reader: Reader) -> Asked | None:
    """The next head; None where the connection ends."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise NotHttpError(f"the end in the middle of a head: {error.partial[:100]!r}") from None
        return None
    start, *lines = head[:-4].decode("latin-1").split("\r\n")
    method, target, version = start.split(" ")
    pairs = [line.split(": ", 1) for line in lines]
    names = [name.lower() for name, _ in pairs]
    if version != "HTTP/1.1" or names.count(NONCE.lower()) > 1 or names.count("x-request-id") > 1:
        raise NotHttpError(start)
    parts = urlsplit(target)
    asked = Asked(method, parts.path, {name.lower(): value for name, value in pairs})
    query = parse_qs(parts.query)
    asked.size = int(query.get("size", ["0"])[0])
    asked.is_chunked = "chunked" in query
    asked.drip_s = float(query.get("drip", ["0"])[0])
    return asked


async def read_body(reader: Reader, asked: Asked) -> None:
    """Read the body, and remember what it was."""
    seen = sha256()
    if asked.fields.get("transfer-encoding") == "chunked":
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            seen.update(await reader.readexactly(size))
            await reader.readexactly(2)
        while await reader.readuntil(b"\r\n") != b"\r\n":
            pass
    else:
        left = int(asked.fields.get("content-length", 0))
        while left:
            piece = await reader.read(min(left, 64 * 1024))
            if not piece:
                raise asyncio.IncompleteReadError(b"", left)
            seen.update(piece)
            left -= len(piece)
    asked.received = seen.hexdigest()


def head(asked: Asked, status: str = OK, *more: str) -> bytes:
    """The head of the answer."""
    framing = "Transfer-Encoding: chunked" if asked.is_chunked else f"Content-Length: {asked.size}"
    lines = [f"HTTP/1.1 {status}", framing, f"{NONCE}: {asked.nonce}", f"{SHA}: {asked.received}", *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def send_body(writer: Writer, asked: Asked, size: int, drip_s: float = 0.0) -> None:
    """So much of the pattern."""
    at = 0
    while at < size and asked.method != "HEAD":
        piece = pattern(asked.nonce, at, min(PIECE, size - at))
        at += len(piece)
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if asked.is_chunked else piece)
        await writer.drain()
        if drip_s:
            await asyncio.sleep(drip_s)


async def answer(writer: Writer, asked: Asked, status: str = OK, drip_s: float = 0.0) -> None:
    """A whole answer."""
    writer.write(head(asked, status))
    await send_body(writer, asked, asked.size, drip_s or asked.drip_s)
    if asked.is_chunked and asked.method != "HEAD":
        writer.write(b"0\r\n\r\n")
    await writer.drain()


def reset(writer: Writer) -> None:
    """End the connection with a reset."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


# What a fault does; True where the connection goes on after it.


async def _reset_before(writer: Writer, asked: Asked) -> bool:
    reset(writer)
    return False


async def _close_before(writer: Writer, asked: Asked) -> bool:
    return False


async def _begin(writer: Writer, asked: Asked) -> None:
    asked.size = max(asked.size, 2000)
    writer.write(head(asked))
    await send_body(writer, asked, asked.size // 2)


async def _reset_midway(writer: Writer, asked: Asked) -> bool:
    await _begin(writer, asked)
    reset(writer)
    return False


async def _close_midway(writer: Writer, asked: Asked) -> bool:
    await _begin(writer, asked)
    return False


async def _stall_before(writer: Writer, asked: Asked) -> bool:
    await asyncio.sleep(STALL_S)
    return False


async def _stall_midway(writer: Writer, asked: Asked) -> bool:
    await _begin(writer, asked)
    await asyncio.sleep(STALL_S)
    return False


async def _status_500(writer: Writer, asked: Asked) -> bool:
    await answer(writer, asked, "500 Internal Server Error")
    return True


async def _status_503(writer: Writer, asked: Asked) -> bool:
    await answer(writer, asked, "503 Service Unavailable")
    return True


async def _garbage(writer: Writer, asked: Asked) -> bool:
    writer.write(b"\x16\x03\x01 this is not HTTP\r\n\r\n" * 3)
    await writer.drain()
    return False


async def _two_lengths(writer: Writer, asked: Asked) -> bool:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd")
    await writer.drain()
    return False


async def _garbage_after(writer: Writer, asked: Asked) -> bool:
    await answer(writer, asked)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad")
    await writer.drain()
    return True


async def _interim(writer: Writer, asked: Asked) -> bool:
    writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
    await answer(writer, asked)
    return True


async def _slow(writer: Writer, asked: Asked) -> bool:
    await asyncio.sleep(0.3)
    asked.size = min(asked.size, 4 * PIECE)
    await answer(writer, asked, drip_s=0.3)
    return True


async def _close_after(writer: Writer, asked: Asked) -> bool:
    await answer(writer, asked)
    return False


EARLY = "early"
FAULTS = {
    "reset-before": _reset_before, "close-before": _close_before, "reset-midway": _reset_midway,
    "close-midway": _close_midway, "stall-before": _stall_before, "stall-midway": _stall_midway,
    "status-500": _status_500, "status-503": _status_503, "garbage": _garbage, "two-lengths": _two_lengths,
    "garbage-after": _garbage_after, "interim": _interim, "slow": _slow, "close-after": _close_after,
}  # fmt: skip


async def serve_one(reader: Reader, writer: Writer) -> bool:
    """One request; whether there may be another on this connection."""
    asked = await read_head(reader)
    if asked is None:
        return False
    if asked.fault == EARLY:
        # Answered before the body is read, and then nobody reads it.
        await answer(writer, asked)
        return False
    await read_body(reader, asked)
    if asked.path == "/health":
        asked.size = 0
    does = FAULTS.get(asked.fault)
    if does is not None:
        return await does(writer, asked)
    await answer(writer, asked)
    return True


async def serve(reader: Reader, writer: Writer) -> None:
    """One connection."""
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        while await serve_one(reader, writer):
            pass
    except (NotHttpError, ValueError, asyncio.LimitOverrunError) as error:
        print(f"NOT HTTP: {error!r}", file=sys.stderr, flush=True)
    except (ConnectionError, asyncio.IncompleteReadError):
        pass  # the gateway has given up; it says why
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def main(port: int) -> None:
    """Serve until ended."""
    server = await asyncio.start_server(serve, "127.0.0.1", port, backlog=1024, limit=256 * 1024)
    print(f"{os.getpid()} serves", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
