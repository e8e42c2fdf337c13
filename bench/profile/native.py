"""Where a process is in machine code, with perf: by shared object and by symbol. Knows nothing of Python."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.peers import found

MISSING = "perf is missing. To have it: apt-get install linux-perf"
RATE = 997
"""Looks a second, which is no multiple of anything that the process does."""

KERNEL = "[kernel.kallsyms]"
# Share, object, [k]ernel or [.] user, symbol, and two columns for what only some processors count.
_ROW = re.compile(r"^ +([\d.]+)% +(\S+) +\[(.)\] (.+?)(?: +- +-)? *$", re.MULTILINE)


@dataclass(frozen=True)
class Symbol:
    """A function in machine code, the object that it is in, and its share of the time, 0 to 1."""

    name: str
    where: str
    share: float


def perf() -> str | None:
    """Where perf is, if it is there."""
    return found("perf")


@contextmanager
def recorded(pid: int, seconds: float, file: Path) -> Iterator[None]:
    """Look at a process from now on, for that long; whatever happens, it ends."""
    command = [str(perf()), "record", "-q", "-e", "cpu-clock", "-F", str(RATE), "-o", str(file), "-p", str(pid)]
    recording = subprocess.Popen(
        [*command, "--", "sleep", str(seconds)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
        recording.wait(seconds + 10)
    finally:
        recording.terminate()
        recording.wait()


def symbols(file: Path) -> list[Symbol]:
    """What was recorded, the largest share first; nothing where perf was not allowed to look."""
    command = [str(perf()), "report", "-i", str(file), "--stdio", "--no-children", "-g", "none", "-s", "dso,symbol"]
    return read(subprocess.run(command, capture_output=True, text=True, check=False).stdout)


def read(told: str) -> list[Symbol]:
    """What `perf report` prints."""
    return [Symbol(name, where, float(share) / 100) for share, where, _, name in _ROW.findall(told)]


def by_object(some: list[Symbol]) -> dict[str, float]:
    """Shares by shared object, the largest first."""
    sums: dict[str, float] = {}
    for one in some:
        sums[one.where] = sums.get(one.where, 0.0) + one.share
    return dict(sorted(sums.items(), key=lambda pair: -pair[1]))
