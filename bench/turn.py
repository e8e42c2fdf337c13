"""One turn of one entrant: loads what runs, and asks the kernel what that cost."""

from __future__ import annotations

import time
from dataclasses import dataclass

from bench import kernel
from bench.load.answers import Answers, Asked, Load
from bench.running import LOAD_CORE, PEER_CORE, Running

DISTURBANCE = 0.05
"""A turn is disturbed where other processes had more than this share of the peer's core."""


@dataclass(frozen=True)
class Turn:
    """What one turn of one entrant gave.

    Processor seconds are those of all its processes, `memory` the most bytes that they ever had; `peer_busy` and
    `load_busy` are shares of the two cores, `others_busy` that of the peer's core which other processes had. `extra`
    is what only some workloads have.
    """

    entrant: str
    answers: Answers
    user_s: float
    system_s: float
    memory: int
    peer_busy: float
    load_busy: float
    others_busy: float
    extra: dict[str, float]

    @property
    def per_second(self) -> float:
        """Whole answers a second."""
        return self.answers.whole / self.answers.seconds

    @property
    def cost_us(self) -> float:
        """Microseconds of processor time for each answer."""
        return (self.user_s + self.system_s) / max(1, self.answers.whole) * 1e6

    @property
    def bytes_per_second(self) -> float:
        """Bytes of bodies a second."""
        return self.answers.bytes / self.answers.seconds

    @property
    def cost_ns_a_byte(self) -> float:
        """Nanoseconds of processor time for each byte of a body."""
        return (self.user_s + self.system_s) / max(1, self.answers.bytes) * 1e9


def take(entrant: str, running: Running, load: Load, asked: Asked) -> Turn:
    """Load an entrant that runs; what that cost."""
    run_s, times = kernel.run_s(running.pid), kernel.times(running.pid)
    peer_core, load_core = kernel.core(PEER_CORE), kernel.core(LOAD_CORE)
    start = time.perf_counter()
    answers = load(asked)
    wall_s = time.perf_counter() - start
    peer_busy = kernel.core(PEER_CORE).busy_since(peer_core)
    load_busy = kernel.core(LOAD_CORE).busy_since(load_core)
    run_s = kernel.run_s(running.pid) - run_s
    went = kernel.times(running.pid).since(times)
    ticks = went.user_s + went.system_s
    user_s = run_s * went.user_s / ticks if ticks else run_s
    return Turn(
        entrant=entrant,
        answers=answers,
        user_s=user_s,
        system_s=run_s - user_s,
        memory=kernel.memory(running.pid, "VmHWM"),
        peer_busy=peer_busy,
        load_busy=load_busy,
        others_busy=max(0.0, peer_busy - run_s / wall_s),
        extra={},
    )
