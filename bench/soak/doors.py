"""The gateway's listeners as its clients know them: one in the clear, one with TLS."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from dataclasses import dataclass

from bench.soak.wire import Connection

HOST = "127.0.0.1"
MOST_AT_ONCE = 256 * 1024
"""Bytes that a connection reads ahead."""

GOODBYE_S = 5.0
"""How long TLS may take to end."""


@dataclass(frozen=True)
class Doors:
    """Their ports, and whom clients trust."""

    plain: int
    encrypted: int
    context: ssl.SSLContext

    async def open(self, is_encrypted: bool = False) -> Connection:
        """A new connection. Raises `OSError` where there is none, or a certificate that is not trusted."""
        if not is_encrypted:
            return await asyncio.open_connection(HOST, self.plain, limit=MOST_AT_ONCE)
        return await asyncio.open_connection(
            HOST,
            self.encrypted,
            limit=MOST_AT_ONCE,
            ssl=self.context,
            server_hostname=HOST,
            ssl_shutdown_timeout=GOODBYE_S,
        )

    async def shown(self) -> bytes:
        """The certificate that a new client is shown, in DER."""
        connection = await self.open(is_encrypted=True)
        shown: bytes = connection[1].get_extra_info("ssl_object").getpeercert(True)
        await close(connection)
        return shown


async def close(connection: Connection) -> None:
    """End it, in peace."""
    writer = connection[1]
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
