"""Starts a peer on its core, loads it, and asks the kernel what the turn cost."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.load import LOAD_CORE, Answers, load
from bench.peers import SERVICE, Peer

PEER_CORE = 0
PATIENCE_S = 15.0
WARM_UP_S = 1.0
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Round:
    """One turn of one peer. Processor times are seconds of all its processes, memory bytes at the end."""

    peer: str
    answers: Answers
    user_s: float
    system_s: float
    memory: int

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return self.answers.whole / self.answers.seconds

    @property
    def processor_us(self) -> float:
        """Microseconds of processor time for each answer."""
        return (self.user_s + self.system_s) / max(1, self.answers.whole) * 1e6


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started(peer: Peer, core: int, folder: Path, port: int, upstream: int) -> Iterator[int]:
    """A peer that listens; yields the number of its first process."""
    home = folder / f"{peer.name}-{port}"
    home.mkdir()
    command = ["taskset", "-c", str(core), *peer.command(home, port, upstream)]
    with (home / "output").open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, cwd=home, env={**os.environ, **peer.environ, "HOME": str(home)}
        )
    try:
        _await(port, process, home / "output")
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(port: int, process: subprocess.Popen[bytes], output: Path) -> None:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"it does not listen:\n{output.read_text(errors='replace')[-2000:]}")


@contextmanager
def service(folder: Path) -> Iterator[int]:
    """The service behind every peer, on the core of the load; yields its port."""
    port = free_port()
    with started(SERVICE, LOAD_CORE, folder, port, 0):
        yield port


def measure(peer: Peer, folder: Path, upstream: int, connections: int, seconds: float) -> Round:
    """One turn, after a short one that does not count."""
    port = free_port()
    with started(peer, PEER_CORE, folder, port, upstream) as pid:
        url = f"http://127.0.0.1:{port}/api/products/1"
        load(url, connections, WARM_UP_S)
        before = _times(pid)
        answers = load(url, connections, seconds)
        user, system = (after - then for after, then in zip(_times(pid), before, strict=True))
        return Round(peer.name, answers, user, system, _memory(pid))


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [pid, *(one for child in children for one in _family(int(child)))]


def _times(pid: int) -> tuple[float, float]:
    """User and system seconds of a process and those that it started."""
    fields = [Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split() for one in _family(pid)]
    return sum(int(field[11]) for field in fields) * _TICK_S, sum(int(field[12]) for field in fields) * _TICK_S


def _memory(pid: int) -> int:
    pages = sum(int(Path(f"/proc/{one}/statm").read_text(encoding="ascii").split()[1]) for one in _family(pid))
    return pages * os.sysconf("SC_PAGE_SIZE")
