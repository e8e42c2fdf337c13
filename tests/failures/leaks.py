"""What is left behind by thousands of failures of every kind: nothing may be.

All cases of the catalogue take turns, over both transports, with one target and with two, many exchanges at a time.
Then everything comes to rest, and what is there is compared with what was there after a first round, which fills
caches.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections import Counter
from itertools import cycle, islice
from time import perf_counter
from typing import NamedTuple

from twisted.logger import ILogObserver, globalLogBeginner
from zope.interface import implementer

from tests.failures.cases import CASES, Case
from tests.failures.world import REQUESTS, TRANSPORTS, World, service_name

AT_ONCE = 10
"""So many clients send the same request at the same time, to each of the four services."""

LONGEST_S = 15.0
"""Within this every exchange of the catalogue is over."""

REST_S = 70.0
"""Within this all time limits are over: those of clients are not shortened here."""


class Found(NamedTuple):
    """What there is when all rests: objects of our own and of Twisted by class, and bytes of memory."""

    objects: Counter[str]
    memory: int


class LeakHunt:
    """Failures of all kinds, one kind after the other, in one world; `failures` counts the exchanges."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self.world = World()
        self.failures = 0
        self._at_once = at_once
        self._names = cycle([(case, name) for case in CASES for name in case.requests])

    def rounds(self, count: int) -> None:
        """So many kinds of failure."""
        for case, name in islice(self._names, count):
            self._fail(case, name)
        self.world.network.advance(REST_S)

    def _fail(self, case: Case, name: str) -> None:
        world = self.world
        world.reset()
        if case.warm:
            world.warm_all()
        case.arrange(world)
        request = REQUESTS[name]
        clients = []
        for transport in TRANSPORTS:
            for spare in (False, True):
                path = f"/{service_name(transport, spare)}/x".encode()
                data = request.data.replace(b"{}", path, 1)
                clients += [world.gateway.client().send(data) for _ in range(self._at_once)]
        world.network.pump()
        for client in clients[::3]:
            # Some do not wait for what comes.
            if client.is_open:
                client.reset()
        world.network.advance(LONGEST_S)
        for client in clients:
            if client.is_open:
                client.close()
        world.network.pump()
        self.failures += len(world.gateway.observer.exchanges)
        world.gateway.observer.exchanges.clear()

    def found(self) -> Found:
        """What is there now."""
        world = self.world
        world.reset()
        world.network.advance(REST_S)
        world.forget()
        world.gateway.gateway.telemetry.statistics.last_minute()
        gc.collect()
        kinds = Counter(f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.get_objects())
        ours = Counter({kind: n for kind, n in kinds.items() if kind.startswith(("apigateway.", "twisted.", "treq."))})
        return Found(ours, tracemalloc.get_traced_memory()[0] if tracemalloc.is_tracing() else 0)


def round_of_all() -> int:
    """How many kinds of failure there are."""
    return sum(len(case.requests) for case in CASES)


def grown(before: Found, after: Found, rounds: int) -> dict[str, int]:
    """Classes of which there are more than before by at least one for each two kinds of failure."""
    more = after.objects - before.objects
    return {kind: count for kind, count in more.items() if count >= max(3, rounds // 2)}


@implementer(ILogObserver)
def _forget(event: object) -> None:
    """Keep nothing of an event."""


def report(failures: int) -> tuple[list[str], bool]:
    """Make so many failures; what was found, and whether that was nothing."""
    # Until logging begins, Twisted keeps the last events, and all that they name.
    globalLogBeginner.beginLoggingTo([_forget], redirectStandardIO=False)
    tracemalloc.start()
    hunt = LeakHunt()
    hunt.rounds(round_of_all())
    before, began, first = hunt.found(), perf_counter(), hunt.failures
    rounds = 0
    while hunt.failures - first < failures:
        hunt.rounds(10)
        rounds += 10
    after, took = hunt.found(), perf_counter() - began
    tracemalloc.stop()
    left, more = hunt.world.leftovers(), grown(before, after, rounds)
    lines = [
        f"{hunt.failures - first} exchanges that failed, {rounds} kinds one after the other, in {took:.0f} s",
        f"left behind: {left or 'nothing'}",
        f"classes with more objects than before: {dict(after.objects - before.objects) or 'none'}",
        f"memory: {before.memory} bytes before, {after.memory} after",
    ]
    return lines, not left and not more
