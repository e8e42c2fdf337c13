"""All stages by name, in the order in which an exchange passes them."""

from __future__ import annotations

from functools import cache

from bench.stages import policies
from bench.stages.forwarding import FORWARDING
from bench.stages.memory import CLIENTS, DEFAULT, Path
from bench.stages.reading import ANSWERING, READING
from bench.stages.recording import RECORDING
from bench.stages.routing import ROUTING
from bench.stages.stage import Stage

GROUPS = ("read", "route", "policies", "forward", "answer", "record", "whole")

WHOLE = f"the whole, {CLIENTS} clients in turn"


@cache
def catalogue() -> dict[str, Stage]:
    """The stages by name."""
    stages = (
        *READING,
        *ROUTING,
        *policies.stages(Path),
        *FORWARDING,
        *ANSWERING,
        *RECORDING,
        Stage(WHOLE, "whole", lambda now: Path(DEFAULT, CLIENTS, now).work()),
        Stage("the whole, 1 client", "whole", lambda now: Path(DEFAULT, 1, now).work()),
    )
    return {stage.name: stage for stage in stages}


def chosen(words: list[str]) -> dict[str, Stage]:
    """Those of the groups, or with the words in their names; all where there are none. Adds what is subtracted.

    Raises `LookupError` with the word that says nothing.
    """
    every = catalogue()
    for word in words:
        if not any(_fits(stage, word) for stage in every.values()):
            raise LookupError(word)
    found = {stage.name for stage in every.values() if not words or any(_fits(stage, word) for word in words)}
    found |= {every[name].minus for name in found if every[name].minus}
    return {name: stage for name, stage in every.items() if name in found}


def _fits(stage: Stage, word: str) -> bool:
    return stage.group == word if word in GROUPS else word in stage.name
