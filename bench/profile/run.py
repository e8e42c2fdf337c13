"""The turns of a profile: the same load on the gateway as it is, and on one that each of the tools looks at."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from bench import kernel
from bench.load.answers import Asked, Load
from bench.peers import CATALOGUE, Peer
from bench.profile.layers import Stack
from bench.profile.native import Symbol, perf, recorded, symbols
from bench.profile.sampler import START, STOP
from bench.profile.system_calls import MISSING, Call, NotTraced, read, strace, traced
from bench.running import Running, started
from bench.turn import Turn, take

PATIENCE_S = 60.0
WARM_S = 1.0
TRACED_S = 2.0
GATEWAY = CATALOGUE["apigateway"]
SAMPLES = "samples.json"
SAMPLED = replace(GATEWAY, command=("-m", "bench.profile.sampled", f"$home/{SAMPLES}", "-c", "$file"))
"""The gateway with a sampler in its process."""


@dataclass(frozen=True)
class Profile:
    """What the turns gave.

    `plain` is the turn without any tool, `threads` the processor seconds of its threads by name; `sampled` that with
    the sampler, `looks` and `stacks` what it saw. `calls` are the system calls of `exchanges` exchanges; where
    there are none, `uncounted` says why. `symbols` are what the processor was at; none without perf.
    """

    plain: Turn
    threads: Mapping[str, float]
    sampled: Turn
    looks: int
    stacks: list[tuple[Stack, float]]
    calls: list[Call]
    exchanges: int
    uncounted: str
    symbols: list[Symbol]


@dataclass(frozen=True)
class Where:
    """Where the turns happen: a folder, the port of the service behind, and the settings of the gateway."""

    folder: Path
    upstream: int
    settings: Mapping[str, str]

    def turn(
        self, peer: Peer, load: Load, seconds: float, around: Callable[[Running, Callable[[], Turn]], Turn]
    ) -> Turn:
        """Start the gateway, warm it up, and load it; `around` does so."""
        with started(peer, self.folder, self.upstream, self.settings) as running:
            load(Asked(running.port, WARM_S, self.folder))
            asked = Asked(running.port, seconds, self.folder)
            return around(running, lambda: take(peer.name, running, load, asked))


def profile(where: Where, load: Load, seconds: float) -> Profile:
    """All turns, one after the other."""
    threads: dict[str, float] = {}
    plain = where.turn(GATEWAY, load, seconds, lambda running, loaded: _by_thread(running, loaded, threads))
    told: list[str] = []
    sampled = where.turn(SAMPLED, load, seconds, lambda running, loaded: _sampled(running, loaded, told))
    samples = json.loads(told[0])
    stacks = [(tuple(map(tuple, stack)), weight) for stack, weight in samples["stacks"]]
    calls, exchanges, why = _calls(where, load)
    return Profile(
        plain, threads, sampled, samples["looks"], stacks, calls, exchanges, why, _symbols(where, load, seconds)
    )


def _symbols(where: Where, load: Load, seconds: float) -> list[Symbol]:
    found: list[Symbol] = []
    if perf() is not None:
        where.turn(GATEWAY, load, seconds, lambda running, loaded: _recorded(running, loaded, seconds, found))
    return found


def _recorded(running: Running, loaded: Callable[[], Turn], seconds: float, found: list[Symbol]) -> Turn:
    file = running.home / "perf"
    with recorded(running.pid, seconds, file):
        turn = loaded()
    found += symbols(file)
    return turn


def _calls(where: Where, load: Load) -> tuple[list[Call], int, str]:
    """The system calls of some exchanges, or why they could not be counted."""
    if strace() is None:
        return [], 0, MISSING
    lines: list[str] = []
    try:
        slowed = where.turn(GATEWAY, load, TRACED_S, lambda running, loaded: _traced(running, loaded, lines))
    except NotTraced as error:
        return [], 0, str(error)
    return read(lines[0]), slowed.answers.whole, ""


def _by_thread(running: Running, loaded: Callable[[], Turn], threads: dict[str, float]) -> Turn:
    before = thread_seconds(running.pid)
    turn = loaded()
    threads.update({name: s - before.get(name, 0.0) for name, s in thread_seconds(running.pid).items()})
    return turn


def thread_seconds(pid: int) -> dict[str, float]:
    """The processor seconds of a process's threads: "main", and the others together."""
    seconds = {"main": 0.0, "others": 0.0}
    for one in kernel.family(pid):
        for thread in Path(f"/proc/{one}/task").iterdir():
            with suppress(FileNotFoundError):  # it has just ended
                ran = int((thread / "schedstat").read_text(encoding="ascii").split()[0])
                seconds["main" if thread.name == str(pid) else "others"] += ran / 1e9
    return seconds


def _sampled(running: Running, loaded: Callable[[], Turn], told: list[str]) -> Turn:
    os.kill(running.pid, START)
    turn = loaded()
    os.kill(running.pid, STOP)
    file = running.home / SAMPLES
    until = time.monotonic() + PATIENCE_S
    while not file.exists():
        if time.monotonic() > until:
            raise RuntimeError(f"the sampler wrote nothing:\n{running.printed()}")
        time.sleep(0.02)
    told.append(file.read_text(encoding="utf-8"))
    return turn


def _traced(running: Running, loaded: Callable[[], Turn], lines: list[str]) -> Turn:
    file = running.home / "strace"
    with traced(running.pid, TRACED_S + PATIENCE_S, file):
        turn = loaded()
    lines.append(file.read_text(encoding="utf-8"))
    return turn
