"""Fuzzing guided by coverage: libFuzzer, as atheris brings it to Python. Must be imported before what it is to see."""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import atheris  # type: ignore[import-untyped]  # it has no types

from tests.fuzz.catalogue import CORPUS, corpus
from tests.fuzz.findings import LONGEST_S, how_to_replay, keep
from tests.fuzz.mutations import Mutator


def run(name: str, seconds: float, seed: int, findings: Path) -> None:
    """Try inputs for so long. Does not return: libFuzzer ends the process, with 0 where nothing is broken."""
    with atheris.instrument_imports(include=["apigateway"]):
        from tests.fuzz.catalogue import load  # noqa: PLC0415  # only here is it instrumented

        target = load(name)
    random = Random(seed)
    mutator = Mutator(target.tokens, tuple(corpus(name).values()), target.most, random)

    def check(data: bytes) -> None:
        try:
            target.check(data)
        except Exception:
            print(f"{name}: broken\nto see it again: {how_to_replay(name, keep(findings, name, data))}", flush=True)
            raise

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        # libFuzzer's own changes follow what it has compared; ours know the language.
        if seed & 1:
            changed: bytes = atheris.Mutate(data, most)
            return changed
        return mutator.mutated(data)[:most]

    findings.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="fuzz-") as grown:
        options = [
            f"-max_total_time={int(seconds)}", f"-seed={seed}", f"-timeout={int(LONGEST_S)}",
            f"-max_len={target.most}", f"-artifact_prefix={findings}/{name}-libfuzzer-", "-print_final_stats=1",
            "-verbosity=0",
        ]  # fmt: skip
        # New inputs go to the first folder; the kept corpus is only read.
        atheris.Setup([sys.argv[0], *options, grown, str(CORPUS / name)], check, custom_mutator=mutate)
        atheris.Fuzz()
