"""What the services of the soak do wrong: each fault by its name. Knows no plan."""

from __future__ import annotations

import asyncio
import socket
import struct

from bench.soak.answering import PIECE, Asked, Writer, answer, head, send_body

STALL_S = 30.0
"""Longer than any time limit of the gateway here."""


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


FAULTS = {
    "reset-before": _reset_before, "close-before": _close_before, "reset-midway": _reset_midway,
    "close-midway": _close_midway, "stall-before": _stall_before, "stall-midway": _stall_midway,
    "status-500": _status_500, "status-503": _status_503, "garbage": _garbage, "two-lengths": _two_lengths,
    "garbage-after": _garbage_after, "interim": _interim, "slow": _slow, "close-after": _close_after,
    "first-resets": _reset_before, "first-closes": _close_before, "first-says-503": _status_503,
    "first-is-slow": _slow,
}  # fmt: skip
UNREAD = {"early": _close_after, "first-resets-unread": _reset_before}
"""Done before the body is read, and then nobody reads it."""
