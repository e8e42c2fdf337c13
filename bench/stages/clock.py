"""Times stages: in turn, round after round, so that what else the machine does falls on all of them alike."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from time import monotonic, perf_counter
from typing import Any

from bench.stages.stage import Stage, Work, nothing

CALLS = 64
"""How often a stage is called in a round, at most: as many exchanges as that, where a call serves several."""

WARM = 3
"""Rounds that do not count."""


@dataclass(frozen=True)
class Times:
    """Microseconds for each exchange: the best round, and the median of all."""

    best: float
    median: float

    def less(self, other: Times) -> Times:
        """What it costs beyond another."""
        return Times(self.best - other.best, self.median - other.median)


def timed(stages: Mapping[str, Stage], rounds: int) -> dict[str, Times]:
    """Each stage's times, without what the loop around it takes."""
    works = {name: stage.make(monotonic) for name, stage in stages.items()}
    empty = Work(lambda item: None)
    seconds: dict[str, list[float]] = {name: [] for name in works}
    alone: list[float] = []
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        for number in range(WARM + rounds):
            for name, work in works.items():
                took = _round(work)
                if number >= WARM:
                    seconds[name].append(took)
            alone.append(_round(empty))
    finally:
        gc.enable()
        gc.unfreeze()
    loop = min(alone)
    times = {name: _times(some, loop, works[name].of) for name, some in seconds.items()}
    return {
        name: times[name].less(times[stage.minus]) if stage.minus else times[name] for name, stage in stages.items()
    }


def _round(work: Work) -> float:
    """The seconds of one call."""
    items: Iterable[Any] = _items(work)
    call = work.call
    start = perf_counter()
    for item in items:
        call(item)
    return (perf_counter() - start) / calls_of(work)


def calls_of(work: Work) -> int:
    """How often it is called in a round."""
    return max(1, CALLS // work.of)


def _items(work: Work) -> list[Any]:
    count = calls_of(work)
    return [None] * count if work.item is nothing else [work.item() for _ in range(count)]


def _times(seconds: list[float], loop: float, of: int) -> Times:
    scale = 1e6 / of
    return Times((min(seconds) - loop) * scale, (median(seconds) - loop) * scale)
