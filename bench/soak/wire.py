"""HTTP as the soak's clients speak it: requests out, answers in, every byte of a body checked. Knows no plan."""

from __future__ import annotations

import asyncio
import json
import ssl
from contextlib import suppress
from dataclasses import dataclass, field

from bench.soak.patterns import NONCE, Check

PATIENCE_S = 30.0
"""Longer than the gateway may be silent for anything here; a client that waits longer has been forgotten."""

SWITCHING = 101
"""The status of the last answer before another protocol."""

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Answer:
    """What came back. `ending` is how: whole, cut (in its middle), nothing (not a byte), late, broken (no HTTP)."""

    ending: str = "nothing"
    status: int = 0
    fields: dict[str, str] = field(default_factory=dict)
    cause: str = ""
    size: int = 0
    is_right: bool = True
    text: bytes = b""
    interim: int = 0

    @property
    def keeps_alive(self) -> bool:
        """Whether the connection may carry another request."""
        return self.ending == "whole" and self.fields.get("connection") != "close"

    @property
    def is_own(self) -> bool:
        """The gateway itself answered: no service repeated the nonce."""
        return NONCE.lower() not in self.fields


def request(method: str, target: str, fields: list[tuple[str, str]]) -> bytes:
    """The head of a request."""
    lines = [f"{method} {target} HTTP/1.1", "Host: soak", *(f"{name}: {value}" for name, value in fields)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class _Patient:
    """A reader whose patience begins anew with each piece."""

    def __init__(self, reader: asyncio.StreamReader, patience: asyncio.Timeout) -> None:
        self._reader = reader
        self._patience = patience

    async def until(self, separator: bytes) -> bytes:
        """All up to this, and this."""
        return self._moved(await self._reader.readuntil(separator))

    async def some(self, most: int) -> bytes:
        """What is there, so much at most."""
        return self._moved(await self._reader.read(most))

    async def exactly(self, size: int) -> bytes:
        """So much."""
        return self._moved(await self._reader.readexactly(size))

    def _moved(self, data: bytes) -> bytes:
        self._patience.reschedule(asyncio.get_running_loop().time() + PATIENCE_S)
        return data


async def read_answer(reader: asyncio.StreamReader, method: str, nonce: str, pause_s: float = 0.0) -> Answer:
    """The next answer, without raising; `pause_s` is between two pieces, for who reads slowly."""
    answer = Answer()
    try:
        async with asyncio.timeout(PATIENCE_S) as patience:
            await _read(_Patient(reader, patience), answer, method, nonce, pause_s)
    except TimeoutError:
        answer.ending = "late"
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        if answer.status or (isinstance(error, asyncio.IncompleteReadError) and error.partial):
            answer.ending = "cut"
    except (ValueError, IndexError, ssl.SSLError, asyncio.LimitOverrunError):
        answer.ending = "broken"
    if answer.is_own and answer.text:
        with suppress(ValueError, AttributeError):
            answer.cause = json.loads(answer.text).get("cause", "")
    return answer


async def _read(reader: _Patient, answer: Answer, method: str, nonce: str, pause_s: float) -> None:
    status, fields = await _read_head(reader)
    while status < 200 and status != SWITCHING:
        answer.interim += 1
        status, fields = await _read_head(reader)
    answer.status, answer.fields = status, fields
    check = Check(nonce)
    if method != "HEAD" and status not in (SWITCHING, 204, 304):
        await _read_body(reader, answer, check, pause_s)
    answer.ending = "whole"


async def _read_head(reader: _Patient) -> tuple[int, dict[str, str]]:
    head = (await reader.until(b"\r\n\r\n"))[:-4].decode("latin-1")
    start, *lines = head.split("\r\n")
    if not start.startswith("HTTP/1.1 "):
        raise ValueError(start)
    return int(start[9:12]), {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}


async def _read_body(reader: _Patient, answer: Answer, check: Check, pause_s: float) -> None:
    if answer.fields.get("transfer-encoding") == "chunked":
        while size := int((await reader.until(b"\r\n")).strip(), 16):
            await _take(reader, size, answer, check, pause_s)
            if await reader.exactly(2) != b"\r\n":
                raise ValueError("a chunk that does not end")
        while await reader.until(b"\r\n") != b"\r\n":
            pass
    else:
        await _take(reader, int(answer.fields["content-length"]), answer, check, pause_s)


async def _take(reader: _Patient, size: int, answer: Answer, check: Check, pause_s: float) -> None:
    while size:
        piece = await reader.some(min(size, 64 * 1024))
        if not piece:
            raise asyncio.IncompleteReadError(b"", size)
        size -= len(piece)
        answer.size += len(piece)
        if answer.is_own:
            answer.text = (answer.text + piece)[:4096]
        else:
            check.add(piece)
            answer.is_right = check.is_right
        if pause_s:
            await asyncio.sleep(pause_s)
