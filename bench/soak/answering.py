"""HTTP as the services of the soak speak it: a strict, small reader for what the gateway sends, and right answers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TypeAlias
from urllib.parse import parse_qs, urlsplit

from bench.soak.patterns import FAULT, NONCE, SERVED_BY, SHA, UNDECLARED, pattern

PIECE = 16 * 1024
OK = "200 OK"
Reader: TypeAlias = asyncio.StreamReader
Writer: TypeAlias = asyncio.StreamWriter


class NotHttpError(Exception):
    """The gateway sent what it must not send."""


@dataclass
class Asked:
    """One request. `drip_s` is the pause between two pieces of the answer, `by` names who answers."""

    method: str
    path: str
    fields: dict[str, str]
    size: int = 0
    is_chunked: bool = False
    is_events: bool = False
    drip_s: float = 0.0
    by: str = ""
    received: str = field(default=sha256().hexdigest())

    @property
    def nonce(self) -> str:
        """Whose it is."""
        return self.fields.get(NONCE.lower(), "")

    @property
    def fault(self) -> str:
        """What is to go wrong."""
        return self.fields.get(FAULT.lower()) or self.fields.get(UNDECLARED.lower(), "")

    @property
    def wants_socket(self) -> bool:
        """It asks for a WebSocket."""
        return self.fields.get("upgrade") == "websocket"


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
    asked.is_events = "events" in query
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
    framed = [] if status.startswith("1") else [framing]
    own = [f"{NONCE}: {asked.nonce}", f"{SHA}: {asked.received}", f"{SERVED_BY}: {asked.by}"]
    own += ["Content-Type: text/event-stream"] if asked.is_events else []
    lines = [f"HTTP/1.1 {status}", *framed, *own, *more]
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
