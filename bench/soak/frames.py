"""Frames of WebSockets (RFC 6455 §5.2) as both ends of the soak speak them: a message is one frame. Knows no plan."""

from __future__ import annotations

import asyncio
import struct
from base64 import b64encode
from hashlib import sha1

BINARY, CLOSE, PING, PONG = 2, 8, 9, 10
KEY = b64encode(bytes(16)).decode()
"""What all clients send: chance is for caches that nobody has here."""

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def accepted(key: str) -> str:
    """What belongs to a client's key (RFC 6455 §4.2.2)."""
    return b64encode(sha1((key + _GUID).encode()).digest()).decode()


def frame(code: int, payload: bytes, mask: bytes = b"") -> bytes:
    """A whole message; with a mask of four bytes it is a client's."""
    size, bit = len(payload), 0x80 if mask else 0
    if size < 126:
        head = struct.pack("!BB", 0x80 | code, bit | size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", 0x80 | code, bit | 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | code, bit | 127, size)
    return head + mask + (_masked(payload, mask) if mask else payload)


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The next frame: its code, and its payload without a mask. Raises `ValueError` for what neither end sends."""
    first, second = await reader.readexactly(2)
    if first & 0xF0 != 0x80:
        raise ValueError(f"a frame that nobody sent: {first:#x}")
    size = second & 0x7F
    if size > 125:
        size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8))
    mask = await reader.readexactly(4) if second & 0x80 else b""
    payload = await reader.readexactly(size)
    return first & 0x0F, _masked(payload, mask) if mask else payload


def _masked(payload: bytes, mask: bytes) -> bytes:
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(size)
