"""Runs a workload: its entrants in turn, round after round, each turn with a fresh process."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

from bench import kernel
from bench.load.answers import Asked
from bench.load.beside import Lost
from bench.peers import CATALOGUE
from bench.running import Running, started
from bench.turn import DISTURBANCE, Turn, take
from bench.workloads import Entrant, Workload

WARM_UP_S = 1.0

Start = Callable[[Entrant], AbstractContextManager[Running]]


def run(
    workload: Workload,
    entrants: tuple[Entrant, ...],
    rounds: int,
    seconds: float,
    rate: float,
    folder: Path,
    upstream: int,
    repeats: int = 0,
) -> list[Turn]:
    """All turns of a workload; `rate` is that of requests, where the workload has one.

    A turn in which other processes had a part of the peer's core is repeated so often at most; the best one counts.
    """
    with ExitStack() as kept:
        lasting = {
            one.label: kept.enter_context(_lasting(one, folder, upstream))
            for one in entrants
            if one.prepare is not None
        }

        def start(entrant: Entrant) -> AbstractContextManager[Running]:
            if entrant.label in lasting:
                return nullcontext(lasting[entrant.label])
            return started(CATALOGUE[entrant.peer], folder, upstream, entrant.settings)

        turns = []
        for number in range(rounds):
            # Nobody is always after the same one.
            first = number % len(entrants)
            for entrant in entrants[first:] + entrants[:first]:
                print(f"{workload.name}, round {number + 1} of {rounds}: {entrant.label}", file=sys.stderr)
                tries: list[Turn] = []
                while len(tries) <= repeats and (not tries or tries[-1].others_busy > DISTURBANCE):
                    with start(entrant) as running:
                        tries.append(_turn(workload, entrant, running, seconds, rate))
                turns.append(min(tries, key=lambda turn: turn.others_busy))
        return turns


@contextmanager
def _lasting(entrant: Entrant, folder: Path, upstream: int) -> Iterator[Running]:
    with started(CATALOGUE[entrant.peer], folder, upstream, entrant.settings) as running:
        print(f"preparing {entrant.label}", file=sys.stderr)
        assert entrant.prepare is not None
        entrant.prepare(Asked(running.port, 0.0, running.home))
        yield running


def _turn(workload: Workload, entrant: Entrant, running: Running, seconds: float, rate: float) -> Turn:
    asked = Asked(running.port, seconds, running.home, rate)
    load = entrant.load or workload.load
    load(replace(asked, seconds=WARM_UP_S))
    before = kernel.memory(running.pid, "VmRSS")
    with _beside(workload, asked) as lost:
        held = kernel.memory(running.pid, "VmRSS") - before
        turn = take(entrant.label, running, load, asked)
        gone = lost()
    if gone:
        answers = replace(turn.answers, bad=turn.answers.bad + gone)
        turn = replace(turn, answers=answers)
    if turn.answers.bad:
        print(f"  {entrant.label}: {turn.answers.bad} requests failed; what it printed:", file=sys.stderr)
        print(running.printed(), file=sys.stderr)
    return replace(turn, extra={"before": before, "each": held / workload.clients}) if workload.clients else turn


def _beside(workload: Workload, asked: Asked) -> AbstractContextManager[Lost]:
    return workload.beside(asked) if workload.beside else nullcontext(lambda: 0)
