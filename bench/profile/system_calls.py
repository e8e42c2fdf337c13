"""Counts the system calls of a process with strace, for a while. Knows nothing of what the process is."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.peers import found

MISSING = "strace is missing. To have it: apt-get install strace"
PATIENCE_S = 60.0

# % time, seconds, usecs/call, calls, errors (or nothing), name
_ROW = re.compile(r"^ *[\d.]+ +([\d.]+) +\d+ +(\d+) +(?:(\d+) +)?(\w+)$", re.MULTILINE)


class NotTraced(RuntimeError):
    """The process can't be traced here."""


@dataclass(frozen=True)
class Call:
    """A system call by name: how often, how many of them failed, and seconds in the kernel while it was traced."""

    name: str
    count: int
    failed: int
    seconds: float


def strace() -> str | None:
    """Where strace is, if it is there."""
    return found("strace")


def read(told: str) -> list[Call]:
    """What `strace -c` prints."""
    calls = [
        Call(name, int(count), int(failed or 0), float(seconds)) for seconds, count, failed, name in _ROW.findall(told)
    ]
    return [call for call in calls if call.name != "total"]


@contextmanager
def traced(pid: int, seconds: float, file: Path) -> Iterator[None]:
    """Count in `file` what a process and its threads call inside of the block; after so many seconds it ends anyway.

    Raises `NotTraced` where strace does not begin.
    """
    program = strace()
    assert program is not None
    command = ["timeout", "--signal=INT", str(seconds), program, "-c", "-f", "-q", "-o", str(file), "-p", str(pid)]
    tracing = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        _await(pid, tracing)
        yield
    finally:
        tracing.send_signal(signal.SIGINT)
        tracing.communicate(timeout=PATIENCE_S)


def _await(pid: int, tracing: subprocess.Popen[str]) -> None:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and tracing.poll() is None:
        if re.search(r"^TracerPid:\t[1-9]", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"), re.MULTILINE):
            return
        time.sleep(0.02)
    raise NotTraced("strace may not trace the gateway; a container needs the capability SYS_PTRACE for that")
