"""A service of the soak: `python -m bench.soak.service PORT NAME`. Answers with the pattern of the request's nonce.

Does what a fault in the request says, and sends back what comes over a WebSocket.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import ssl
import sys
from contextlib import suppress
from pathlib import Path
from random import Random

from bench.soak.answering import Asked, NotHttpError, Reader, Writer, answer, head, read_body, read_head
from bench.soak.deeds import FAULTS, UNREAD
from bench.soak.faults import ANY, MENDED
from bench.soak.frames import BINARY, CLOSE, PING, PONG, accepted, frame, read_frame


class Service:
    """What all connections share. `wild` is the share of requests that are misused at will."""

    def __init__(self, name: str, wild: float) -> None:
        self._name = name
        self._is_first = name.endswith("-0")
        self._wild = wild
        self._random = Random(name)

    async def serve(self, reader: Reader, writer: Writer) -> None:
        """One connection."""
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while await self._serve_one(reader, writer):
                pass
        except (NotHttpError, ValueError, asyncio.LimitOverrunError) as error:
            print(f"NOT HTTP: {error!r}", file=sys.stderr, flush=True)
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            pass  # the gateway has given up; it says why
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _serve_one(self, reader: Reader, writer: Writer) -> bool:
        """One request; whether there may be another on this connection."""
        asked = await read_head(reader)
        if asked is None:
            return False
        asked.by = self._name
        if asked.wants_socket:
            return await echo(reader, writer, asked)
        fault = self._fault(asked)
        if fault in UNREAD:
            return await UNREAD[fault](writer, asked)
        await read_body(reader, asked)
        if fault in FAULTS:
            return await FAULTS[fault](writer, asked)
        await answer(writer, asked)
        return True

    def _fault(self, asked: Asked) -> str:
        if asked.path == "/health":
            asked.size = 0
            return ""
        if asked.fault in MENDED and not self._is_first:
            return ""
        if self._wild and self._random.random() < self._wild:
            return self._random.choice(ANY)
        return asked.fault


async def echo(reader: Reader, writer: Writer, asked: Asked) -> bool:
    """Become a WebSocket, and send back what comes until it is closed."""
    switching = "101 Switching Protocols"
    accept = f"Sec-WebSocket-Accept: {accepted(asked.fields['sec-websocket-key'])}"
    writer.write(head(asked, switching, "Upgrade: websocket", "Connection: Upgrade", accept))
    code = BINARY
    while code != CLOSE:
        code, payload = await read_frame(reader)
        writer.write(frame(PONG if code == PING else code, payload))
        await writer.drain()
    return False


def encrypted(stem: Path) -> ssl.SSLContext:
    """TLS with the certificate of this name, read again at SIGHUP."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

    def load() -> None:
        context.load_cert_chain(stem.with_suffix(".pem"), stem.with_suffix(".key"))

    load()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, load)
    return context


async def main(options: argparse.Namespace) -> None:
    """Serve until ended."""
    context = encrypted(options.certificate) if options.certificate else None
    service = Service(options.name, options.wild)
    server = await asyncio.start_server(
        service.serve, "127.0.0.1", options.port, backlog=1024, limit=256 * 1024, ssl=context
    )
    print(f"{os.getpid()} serves", flush=True)
    async with server:
        await server.serve_forever()


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak.service", description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("name", help="who it is, with its number: steady-0")
    parser.add_argument("--wild", type=float, default=0.0, help="the share of requests that are misused at will")
    parser.add_argument("--certificate", type=Path, help="speak TLS; .pem and .key are added")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main(arguments()))
