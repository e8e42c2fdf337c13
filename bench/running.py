"""Starts peers and the service behind them, each on its core, and ends them."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from apigateway.testing.certificates import Authority
from apigateway.testing.ports import free_port
from bench.peers import DEFAULTS, SERVICE, SOCKETS, Peer

PEER_CORE = 0
LOAD_CORE = 1
"""The core of the load and of the service behind; the peer has the other for itself."""

PATIENCE_S = 60.0
"""How long a peer may take to listen: ten thousand routes take their time."""

FILES = {"10k": 10 * 1024, "1m": 1 << 20, "100m": 100 << 20}
"""The service's files by name: sizes in bytes."""

OUTPUT = "output"
"""What a peer prints goes to this file in its home."""

TAIL = 2000
"""How many characters of it are shown where something failed."""

_numbers = count(1)


@dataclass(frozen=True)
class Running:
    """A process that listens: the number of the first one, its port, and its folder."""

    peer: Peer
    pid: int
    port: int
    home: Path

    @property
    def log(self) -> Path:
        """Its access log."""
        return self.home / self.peer.log

    def printed(self) -> str:
        """The end of what it printed."""
        return (self.home / OUTPUT).read_text(errors="replace")[-TAIL:]


def tied(*command: str) -> list[str]:
    """A command that whatever ends this process ends too, where there is a tool for it.

    A process that is left behind would spoil the numbers of the next run.
    """
    return ["setpriv", "--pdeathsig", "KILL", *command] if shutil.which("setpriv") else [*command]


@contextmanager
def started(
    peer: Peer,
    folder: Path,
    upstream: int,
    settings: Mapping[str, str] | None = None,
    core: int = PEER_CORE,
    host: str = "127.0.0.1",
    port: int = 0,
) -> Iterator[Running]:
    """A peer that listens, until the block is left. Raises `RuntimeError` with what it printed where it does not.

    Without `port` it gets one that is free.
    """
    port = port or free_port()
    home = folder / f"{peer.name}-{next(_numbers)}"
    home.mkdir()
    values = peer.values(home, port, upstream, settings or {})
    command = tied("taskset", "-c", str(core), *peer.prepare(values))
    environ = {**os.environ, "HOME": str(home), **peer.variables(values)}
    with (home / OUTPUT).open("wb") as output:
        # A session of its own, so that it can be ended with all that it starts.
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=home, env=environ, start_new_session=True)
    try:
        running = Running(peer, process.pid, port, home)
        _await(running, host, process)
        yield running
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        # Its access log alone may be a hundred megabytes.
        shutil.rmtree(home, ignore_errors=True)


def _await(running: Running, host: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection((host, running.port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"{running.peer.name} does not listen:\n{running.printed()}")


@contextmanager
def service(folder: Path) -> Iterator[Running]:
    """The service behind every peer, on the core of the load."""
    # nginx started by root reads them as nobody.
    folder.chmod(0o755)
    files = folder / "files"
    files.mkdir()
    line = b"".join(b"%07d\n" % number for number in range(1024))
    for name, size in FILES.items():
        (files / name).write_bytes((line * (size // len(line) + 1))[:size])
    _write_certificate(folder)
    with (
        started(SERVICE, folder, 0, {"files": str(files)}, LOAD_CORE) as running,
        started(SOCKETS, folder, running.port, core=LOAD_CORE, host=DEFAULTS["sockets"], port=running.port),
    ):
        yield running


def _write_certificate(folder: Path) -> None:
    """What all show that speak TLS."""
    issued = Authority().server("127.0.0.1")
    issued.write(folder)
    issued.write_together(folder)
