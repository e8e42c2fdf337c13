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

from apigateway.testing.ports import free_port
from bench.soak.certificates import Certificates
from bench.soak.configuration import LISTENER, Configuration
from bench.soak.doors import Doors
from bench.soak.history import History
from bench.soak.processes import Process
from bench.soak.renewals import Renewals
from bench.soak.services import DIVIDED, ENCRYPTED, SERVICES, target
from bench.soak.wire import read_answer, request

RESTART_S = (4.0, 15.0)
RELOAD_S = (2.0, 8.0)
PATIENCE_S = 10.0
"""How long a reload may take to be seen."""


class Stage:
    """All processes of a soak, in a folder."""

    def __init__(self, folder: Path, history: History, random: Random) -> None:
        self._history = history
        self._random = random
        self._file = folder / "gateway.yaml"
        certificates = Certificates(folder)
        for name in (LISTENER, *ENCRYPTED):
            certificates.renew(name)
        self.services = {
            name: [_process(name, number, folder, certificates) for number in range(service.targets)]
            for name, service in SERVICES.items()
        }
        urls = {
            name: [_url(name, number, one.port) for number, one in enumerate(group)]
            for name, group in self.services.items()
        }
        self.configuration = Configuration(free_port(), free_port(), urls, folder, certificates)
        self.doors = Doors(self.configuration.plain, self.configuration.encrypted, certificates.trusted())
        self.gateway = Process("apigateway", ["-c", str(self._file)], self.doors.plain, folder / "gateway.out")
        self._turn = asyncio.Lock()
        self.renewals = Renewals(self.configuration, self.doors, self.services, history, random, self._turn)
        self.generation = self.restarts = self.reloads = self.bad_files = 0
        self._troubles: list[str] = []

    @property
    def troubles(self) -> list[str]:
        """Whatever was done to it and did not have the effect that it must have."""
        return self._troubles + self.renewals.troubles

    async def start(self) -> None:
        """Start all."""
        await asyncio.gather(*(one.start() for group in self.services.values() for one in group))
        self.renewals.list_all()
        self._write()
        await self.gateway.start()

    async def end(self) -> None:
        """End all services; the gateway is ended by who looks at how it ends."""
        await asyncio.gather(*(one.end() for group in self.services.values() for one in group))

    def _write(self) -> None:
        self._replace(self.configuration.text(self.generation))

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
            number = self._random.randrange(len(self.services[name]))
            process = self.services[name][number]
            spans = [self._history.down[one] for one in (name, target(name, number), *_led_from(name))]
            began = time.monotonic()
            for span in spans:
                span.append((began, float("inf")))
            await process.end(self._random.choice((signal.SIGKILL, signal.SIGTERM)))
            await asyncio.sleep(self._random.uniform(0.2, 3.0))
            await process.start()
            self.restarts += 1
            for span in spans:
                span[-1] = (began, time.monotonic())

    async def reload_at_random(self) -> None:
        """Give the gateway another file and tell it, until cancelled; every fifth is one that cannot be used."""
        while True:
            await asyncio.sleep(self._random.uniform(*RELOAD_S))
            async with self._turn:
                await (self._reload_badly() if self._random.random() < 0.2 else self._reload())

    async def _reload(self) -> None:
        self.generation += 1
        self.reloads += 1
        self._write()
        self.gateway.tell(signal.SIGHUP)
        if not await self._sees(self.generation):
            self._troubles.append(f"generation {self.generation} of the file was not seen in {PATIENCE_S:g} s")

    async def _reload_badly(self) -> None:
        self.bad_files += 1
        self._replace("services: {}\nlisten_on: nothing\n")
        self.gateway.tell(signal.SIGHUP)
        await asyncio.sleep(1.0)
        if not await self._sees(self.generation):
            self._troubles.append(f"a file that cannot be used took generation {self.generation} away")
        self._write()

    async def _sees(self, generation: int) -> bool:
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until and not self.gateway.has_ended:
            fields = await self._ask("/quiet/generation")
            if fields.get("x-generation") == str(generation):
                return True
            await asyncio.sleep(0.05)
        return False

    async def _ask(self, path: str) -> dict[str, str]:
        with suppress(OSError):
            reader, writer = await self.doors.open()
            writer.write(request("GET", path, [("Connection", "close")]))
            answer = await read_answer(reader, "GET", "")
            writer.close()
            return answer.fields
        return {}

    async def statistics(self) -> dict[str, Any]:
        """What `/gateway/stats` says."""
        reader, writer = await self.doors.open()
        writer.write(request("GET", "/gateway/stats", [("Connection", "close")]))
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.read()
        writer.close()
        if b" 200 " not in head:
            raise RuntimeError(f"no statistics: {head.decode()}")
        seen: dict[str, Any] = json.loads(body)
        return seen


def _process(name: str, number: int, folder: Path, certificates: Certificates) -> Process:
    own, port, service = target(name, number), free_port(), SERVICES[name]
    arguments = [str(port), own, f"--wild={service.wild}"]
    arguments += [f"--certificate={certificates.stem(name)}"] if service.is_encrypted(number) else []
    return Process("bench.soak.service", arguments, port, folder / f"{own}.out")


def _url(name: str, number: int, port: int) -> str:
    return f"{'https' if SERVICES[name].is_encrypted(number) else 'http'}://127.0.0.1:{port}"


def _led_from(name: str) -> list[str]:
    """Where what happens to it is seen as well."""
    return [DIVIDED[name]] if name in DIVIDED else []
