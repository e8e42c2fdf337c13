"""Fuzzing without coverage: mutated inputs from the corpus, one after the other."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

from tests.fuzz.catalogue import corpus, load
from tests.fuzz.findings import how_to_replay, in_time, keep
from tests.fuzz.mutations import Mutator
from tests.fuzz.target import Target


def inputs(target: Target, kept: Iterable[bytes], random: Random) -> Iterator[bytes]:
    """Inputs without end."""
    mutator = Mutator(target.tokens, tuple(kept), target.most, random)
    while True:
        yield mutator.made()


def run(name: str, seconds: float, seed: int, findings: Path) -> bool:
    """Try inputs for so long, and say how many; False where one broke a promise, which ends it."""
    target, kept = load(name), corpus(name).values()
    until, tried = time.monotonic() + seconds, 0
    for data in inputs(target, kept, Random(seed)):
        if time.monotonic() >= until:
            break
        tried += 1
        try:
            with in_time():
                target.check(data)
        except Exception:
            print(f"{name}: broken after {tried} inputs of seed {seed}")
            print(f"to see it again: {how_to_replay(name, keep(findings, name, data))}", flush=True)
            raise
    print(f"{name}: {tried} inputs of seed {seed}, nothing broken", flush=True)
    return True
