"""Processes that tests start: started, waited for by what they print, asked, and ended."""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from apigateway.testing.ports import free_port

ROOT = Path(__file__).resolve().parent.parent
"""The checkout."""

PATIENCE = 60.0
"""Seconds until a process that says nothing is taken for stuck."""


def environment(**more: str) -> dict[str, str]:
    """The environment of a process that runs the checkout, wherever it is started."""
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), **more}


def demo_urls() -> dict[str, str]:
    """Variables that put the demo services on ports of their own."""
    names = ("AUTH_SERVICE_URL", "PRODUCT_SERVICE_URL")
    return {name: f"http://127.0.0.1:{free_port()}" for name in names}


def fetch(url: str) -> bytes:
    """The body at a URL; raises where the status is 400 or above."""
    with urllib.request.urlopen(url, timeout=PATIENCE) as response:
        data: bytes = response.read()
        return data


def port_of(started: Started) -> int:
    """The port on which a gateway said it listens."""
    found = re.search(r"listening on \S*:(\d+)", started.everything())
    assert found, started.everything()
    return int(found[1])


class Started:
    """A process that has printed `sign`; ended by SIGTERM when the `with` block is left.

    What it prints is read all the time, so that it never blocks on a full pipe.
    """

    def __init__(
        self, command: Sequence[str], sign: str, environ: Mapping[str, str] | None = None, folder: str | None = None
    ) -> None:
        self._command = command
        self._sign = sign
        self._environ = environment() if environ is None else environ
        self._folder = folder
        self._lines: list[str] = []
        self._errors: list[str] = []
        self._seen = threading.Event()

    def __enter__(self) -> Started:
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self._environ,
            cwd=self._folder,
        )
        self._readers = [
            threading.Thread(target=self._read, args=(self._process.stdout, self._lines), daemon=True),
            threading.Thread(target=self._read, args=(self._process.stderr, self._errors), daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        self._seen.wait(PATIENCE)
        if not any(self._sign in line for line in self._lines + self._errors):
            self._end()
            raise AssertionError(f"{self._command} never printed {self._sign!r}:\n{self.everything()}")
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end()

    def send(self, number: int) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def says(self, sign: str, times: int = 1) -> bool:
        """Wait until it has printed something, so often; False where that does not come in time."""
        last = time.monotonic() + PATIENCE
        while self.everything().count(sign) < times and time.monotonic() < last:
            time.sleep(0.01)
        return self.everything().count(sign) >= times

    def end(self) -> int:
        """Wait until it has ended by itself, and all it printed is here; returns how it did, as `status`."""
        code = self._process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        return code

    def status(self) -> int | None:
        """How it ended: its exit status, or the number of a signal below zero; None while it runs."""
        return self._process.returncode

    def output(self) -> str:
        """What it has printed to standard output."""
        return "".join(self._lines)

    def error_output(self) -> str:
        """What it has printed to standard error."""
        return "".join(self._errors)

    def everything(self) -> str:
        """What it has printed to either."""
        return self.output() + self.error_output()

    def _read(self, stream: Sequence[str], lines: list[str]) -> None:
        for line in stream:
            lines.append(line)
            if self._sign in line:
                self._seen.set()
        self._seen.set()

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for reader in self._readers:
            reader.join(PATIENCE)
