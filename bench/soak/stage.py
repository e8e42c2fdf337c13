"""A gateway with its services, each a process, and what is done to them: restarts and reloads, at random."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

from bench.running import free_port
from bench.soak.outcomes import History
from bench.soak.processes import Process
from bench.soak.services import SERVICES, configuration
from bench.soak.wire import connected, read_answer, request

RESTART_S = (4.0, 15.0)
RELOAD_S = (2.0, 8.0)
PATIENCE_S = 10.0
"""How long a reload may take to be seen."""


class Stage:
    """All processes of a soak, in a folder."""

    def __init__(self, folder: Path, history: History, random: Random) -> None:
        self._folder = folder
        self._history = history
        self._random = random
        self._file = folder / "gateway.yaml"
        self.log = folder / "access.log"
        self.port = free_port()
        self.services = {
            name: [self._service(f"{name}-{number}") for number in range(service.targets)]
            for name, service in SERVICES.items()
        }
        output = folder / "gateway.out"
        self.gateway = Process("apigateway", ["-c", str(self._file)], self.port, output)
        self.generation = self.restarts = self.reloads = self.bad_files = 0
        self.troubles: list[str] = []

    def _service(self, name: str) -> Process:
        port = free_port()
        return Process("bench.soak.service", [str(port)], port, self._folder / f"{name}.out")

    async def start(self) -> None:
        """Start all."""
        await asyncio.gather(*(one.start() for group in self.services.values() for one in group))
        self._write()
        await self.gateway.start()

    async def end(self) -> None:
        """End all services; the gateway is ended by who looks at how it ends."""
        await asyncio.gather(*(one.end() for group in self.services.values() for one in group))

    def _write(self) -> None:
        ports = {name: [one.port for one in group] for name, group in self.services.items()}
        self._replace(configuration(self.port, ports, self.log, self.generation))

    def _replace(self, text: str) -> None:
        """As deployments do it: nobody sees half a file."""
        new = self._file.with_suffix(".new")
        new.write_text(text, encoding="utf-8")
        new.replace(self._file)

    # What is done to them.

    async def restart_at_random(self) -> None:
        """Kill services and start them again, until cancelled."""
        names = [name for name, service in SERVICES.items() if service.restarts]
        while True:
            await asyncio.sleep(self._random.uniform(*RESTART_S))
            name = self._random.choice(names)
            process = self._random.choice(self.services[name])
            began = time.monotonic()
            down = self._history.down[name]
            down.append((began, float("inf")))
            at = len(down) - 1
            await process.end(self._random.choice((signal.SIGKILL, signal.SIGTERM)))
            await asyncio.sleep(self._random.uniform(0.2, 3.0))
            await process.start()
            self.restarts += 1
            down[at] = (began, time.monotonic())

    async def reload_at_random(self) -> None:
        """Give the gateway another file and tell it, until cancelled; every fifth is one that cannot be used."""
        while True:
            await asyncio.sleep(self._random.uniform(*RELOAD_S))
            if self._random.random() < 0.2:
                await self._reload_badly()
            else:
                await self._reload()

    async def _reload(self) -> None:
        self.generation += 1
        self.reloads += 1
        self._write()
        self.gateway.tell(signal.SIGHUP)
        if not await self._sees(self.generation):
            self.troubles.append(f"generation {self.generation} of the file was not seen in {PATIENCE_S:g} s")

    async def _reload_badly(self) -> None:
        self.bad_files += 1
        self._replace("services: {}\nlisten_on: nothing\n")
        self.gateway.tell(signal.SIGHUP)
        await asyncio.sleep(1.0)
        if not await self._sees(self.generation):
            self.troubles.append(f"a file that cannot be used took generation {self.generation} away")
        self._write()

    async def _sees(self, generation: int) -> bool:
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until and not self.gateway.has_ended:
            fields = await self._ask("/quiet/generation")
            if fields.get("x-generation") == str(generation):
                return True
            await asyncio.sleep(0.05)
        return False

    async def _ask(self, target: str) -> dict[str, str]:
        with suppress(OSError):
            reader, writer = await connected(self.port)
            writer.write(request("GET", target, [("Connection", "close")]))
            answer = await read_answer(reader, "GET", "")
            writer.close()
            return answer.fields
        return {}

    async def statistics(self) -> dict[str, Any]:
        """What `/gateway/stats` says."""
        reader, writer = await connected(self.port)
        writer.write(request("GET", "/gateway/stats", [("Connection", "close")]))
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.read()
        writer.close()
        if b" 200 " not in head:
            raise RuntimeError(f"no statistics: {head.decode()}")
        seen: dict[str, Any] = json.loads(body)
        return seen
