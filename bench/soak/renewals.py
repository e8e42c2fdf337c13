"""What is replaced beside the gateway's configuration, at random: certificates, and lists of targets."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Mapping, Sequence
from random import Random

from bench.soak.configuration import LISTENER, Configuration
from bench.soak.doors import Doors
from bench.soak.history import History
from bench.soak.processes import Process
from bench.soak.services import ENCRYPTED, FOUND, SERVICES, target

CERTIFICATE_S = (3.0, 12.0)
LIST_S = (4.0, 12.0)
BAD_SHARE = 0.25
BAD_S = 3.0
"""How long what cannot be used stays there: long enough to be looked at more than once."""

PATIENCE_S = 10.0
"""How long a new certificate may take to be shown."""

WEIGHTS = (1, 3)


class Renewals:
    """Replaces them; `certificates` and `lists` count what is good, `bad` what cannot be used or trusted.

    `turn` is held while the gateway could not take another configuration, as its certificates cannot be used.
    """

    def __init__(
        self,
        configuration: Configuration,
        doors: Doors,
        services: Mapping[str, Sequence[Process]],
        history: History,
        random: Random,
        turn: asyncio.Lock,
    ) -> None:
        self._configuration = configuration
        self._doors = doors
        self._services = services
        self._history = history
        self._random = random
        self._turn = turn
        self.certificates = self.lists = self.bad = 0
        self.troubles: list[str] = []

    # Certificates.

    async def certificates_at_random(self) -> None:
        """Replace certificates, until cancelled."""
        while True:
            await asyncio.sleep(self._random.uniform(*CERTIFICATE_S))
            name = self._random.choice((LISTENER, *ENCRYPTED))
            is_bad = self._random.random() < BAD_SHARE
            self.bad += is_bad
            if name == LISTENER:
                await self._renew_listener(is_bad)
            else:
                await self._renew_service(name, is_bad)
            self.certificates += 1

    async def _renew_listener(self, is_bad: bool) -> None:
        async with self._turn:
            if is_bad:
                await self._confuse_listener()
            der = self._configuration.certificates.renew(LISTENER).der
        if not await self._is_shown(der):
            self.troubles.append(f"a new certificate was not shown within {PATIENCE_S:g} s")

    async def _confuse_listener(self) -> None:
        before = await self._doors.shown()
        self._configuration.certificates.confuse(LISTENER)
        await asyncio.sleep(BAD_S)
        if await self._doors.shown() != before:
            self.troubles.append("a certificate without its key was shown")

    async def _is_shown(self, der: bytes) -> bool:
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            # While certificate and key are looked at one by one nobody may see anything but one that is trusted.
            if await self._doors.shown() == der:
                return True
            await asyncio.sleep(0.1)
        return False

    async def _renew_service(self, name: str, is_bad: bool) -> None:
        certificates = self._configuration.certificates
        if is_bad:
            spans, began = self._history.untrusted[name], time.monotonic()
            spans.append((began, float("inf")))
            certificates.forge(name)
            self._tell(name)
            await asyncio.sleep(BAD_S)
        certificates.renew(name)
        self._tell(name)
        if is_bad:
            spans[-1] = (began, time.monotonic())

    def _tell(self, name: str) -> None:
        for number, process in enumerate(self._services[name]):
            if SERVICES[name].is_encrypted(number):
                process.tell(signal.SIGHUP)

    # Lists of targets.

    def list_all(self) -> None:
        """List all targets of all services that have a list."""
        for name in FOUND:
            self._list(name, dict.fromkeys(range(SERVICES[name].targets), 1))

    async def lists_at_random(self) -> None:
        """Replace lists, until cancelled; some are such that the one before must stay."""
        while True:
            await asyncio.sleep(self._random.uniform(*LIST_S))
            name = self._random.choice(FOUND)
            if self._random.random() < BAD_SHARE:
                await self._spoil(name)
                continue
            numbers = range(SERVICES[name].targets)
            chosen = self._random.sample(numbers, self._random.randint(1, len(numbers)))
            self._list(name, {number: self._random.randint(*WEIGHTS) for number in chosen})
            self.lists += 1

    def _list(self, name: str, weights: Mapping[int, int]) -> None:
        text = self._configuration.listed(name, weights)
        entry = time.monotonic(), frozenset(target(name, number) for number in weights)
        self._history.listed.setdefault(name, []).append(entry)
        self._write(name, text)

    async def _spoil(self, name: str) -> None:
        good = self._configuration.found(name).read_text(encoding="utf-8")
        self.bad += 1
        self._write(name, self._random.choice((good[: len(good) // 2], "", "[]", '["ftp://127.0.0.1"]')))
        await asyncio.sleep(BAD_S)
        self._write(name, good)

    def _write(self, name: str, text: str) -> None:
        file = self._configuration.found(name)
        new = file.with_suffix(".new")
        new.write_text(text, encoding="utf-8")
        new.replace(file)
