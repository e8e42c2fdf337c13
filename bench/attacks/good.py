"""Well-behaved clients: each asks at its own steady pace from an address of its own, and now and then connects anew.

A latency counts from when its request was due. A kept connection that was closed meanwhile is not an error: as browsers
do, the client tries once more on a new one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import asdict, dataclass, field
from time import perf_counter

from bench.load.percentiles import percentile

CLIENTS = 16
EVERY_S = 0.08
"""How often each of them asks."""

REQUESTS = 20
"""So many on one connection."""

PATIENCE_S = 5.0


@dataclass
class Served:
    """What they got: answers with 200, requests that were due, what went wrong, and times in milliseconds."""

    good: int = 0
    due: int = 0
    seconds: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    wrong: dict[str, int] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """Served, of those that were due."""
        return self.good / self.due if self.due else 0.0


class Client:
    """One of them."""

    def __init__(self, number: int, port: int, served: Served, times: list[float]) -> None:
        self._from = (f"127.0.1.{number + 1}", 0)
        self._port = port
        self._served = served
        self._times = times
        self._open: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._asked = 0
        self._request = b"GET /api/product HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: good\r\nAccept: */*\r\n\r\n"

    async def ask_until(self, end: float) -> None:
        """Ask at its pace. The first request comes at a time of its own."""
        due = perf_counter() + EVERY_S * (self._from[0].__hash__() % 100) / 100
        while due < end:
            await asyncio.sleep(max(0.0, due - perf_counter()))
            self._served.due += 1
            try:
                await asyncio.wait_for(self._ask(), PATIENCE_S)
            except (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
                self._close()
                name = f"{type(error).__name__} {error}".strip()[:40]
                self._served.wrong[name] = self._served.wrong.get(name, 0) + 1
            else:
                self._served.good += 1
                self._times.append(perf_counter() - due)
            due = max(due + EVERY_S, perf_counter())
        self._close()

    async def _ask(self) -> None:
        is_kept = self._open is not None
        try:
            await self._exchange()
        except (OSError, asyncio.IncompleteReadError):
            self._close()
            if not is_kept:
                raise
            await self._exchange()

    async def _exchange(self) -> None:
        if self._open is None:
            self._open = await asyncio.open_connection("127.0.0.1", self._port, local_addr=self._from)
            self._asked = 0
        reader, writer = self._open
        writer.write(self._request)
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        (length,) = (int(line[15:]) for line in lines if line.startswith(b"content-length:"))
        await reader.readexactly(length)
        self._asked += 1
        if self._asked >= REQUESTS or b"connection: close" in lines:
            self._close()
        if not head.startswith(b"HTTP/1.1 200"):
            raise ValueError(head[9:12].decode())

    def _close(self) -> None:
        if self._open is not None:
            self._open[1].close()
            self._open = None


async def ask(port: int, seconds: float) -> Served:
    """All of them ask for so long."""
    served, times = Served(seconds=seconds), list[float]()
    end = perf_counter() + seconds
    await asyncio.gather(*(Client(number, port, served, times).ask_until(end) for number in range(CLIENTS)))
    times.sort()
    served.p50_ms, served.p99_ms = (percentile(times, percent) * 1000 for percent in (50, 99))
    return served


def main() -> None:
    """Ask as the command line tells."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    parser.add_argument("--seconds", type=float)
    told = parser.parse_args()
    json.dump(asdict(asyncio.run(ask(told.port, told.seconds))), sys.stdout)


if __name__ == "__main__":
    main()
