"""Counts the instructions of stages with valgrind: they are the same on a busy machine and on an idle one.

One process makes all stages ready; each is then called a few times in a child of its own, and more often in another.
The difference, less that of a stage that does nothing, is what the calls take.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from itertools import repeat
from pathlib import Path
from typing import Any

from bench.peers import ROOT, found
from bench.stages.catalogue import catalogue
from bench.stages.stage import Stage, Work

MISSING = "valgrind is missing. To have it: apt-get install valgrind"
FEW, MANY = 64, 256
"""Exchanges in the two children of each stage."""

PATIENCE_S = 900.0
EMPTY = "(nothing)"
MODULE = "bench.stages.instructions"

_SUMMARY = re.compile(r"^summary: (\d+)", re.MULTILINE)


def valgrind() -> str | None:
    """Where valgrind is, if it is there."""
    return found("valgrind")


def counted(stages: Mapping[str, Stage]) -> dict[str, float]:
    """Instructions for each exchange. Raises `RuntimeError` where valgrind fails."""
    with tempfile.TemporaryDirectory(prefix="stages-") as folder:
        command = [str(valgrind()), "--tool=cachegrind", "--cache-sim=no", f"--cachegrind-out-file={folder}/%p"]
        done = subprocess.run(
            [*command, sys.executable, "-m", MODULE, *stages],
            cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": "0"}, capture_output=True, text=True, check=False,
            timeout=PATIENCE_S,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"valgrind failed:\n{done.stderr[-2000:]}")
        counts = _read(done.stdout, Path(folder))
    own = {name: counts[name] - counts[EMPTY] for name in stages}
    return {name: own[name] - own.get(stage.minus, 0.0) for name, stage in stages.items()}


def _read(told: str, folder: Path) -> dict[str, float]:
    """What each stage took for one exchange, by the children that were told of."""
    counts: dict[str, float] = {}
    for line in told.splitlines():
        few, many, exchanges, name = line.split(" ", 3)
        difference = _count(folder / many) - _count(folder / few)
        counts[name] = difference / int(exchanges)
    return counts


def _count(file: Path) -> int:
    summary = _SUMMARY.search(file.read_text(encoding="utf-8"))
    if summary is None:
        raise RuntimeError(f"valgrind did not count: {file}")
    return int(summary[1])


# In valgrind.


def _child(work: Work, items: list[Any], calls: int) -> int:
    """The number of a process that made so many calls and is over."""
    pid = os.fork()
    if not pid:
        call = work.call
        for item in items[:calls]:
            call(item)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    if status:
        raise RuntimeError("a stage failed")
    return pid


def main(names: list[str]) -> None:
    """Call the stages that are named, and tell which children did."""
    still: Any = repeat(1000.0).__next__  # a clock that stands: nothing depends on how long valgrind takes
    works = {EMPTY: Work(lambda item: None), **{name: catalogue()[name].make(still) for name in names}}
    for name, work in works.items():
        few, many = max(1, FEW // work.of), max(2, MANY // work.of)
        for _ in range(few):
            work.call(work.item())  # what is done once for all, such as to specialize bytecode, is done
        items = [work.item() for _ in range(many)]
        told = _child(work, items, few), _child(work, items, many)
        print(*told, (many - few) * work.of, name, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
