"""Processes of the soak: started, waited for, ended, and started again. None outlives the soak."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from bench.peers import ROOT
from bench.running import tied

PATIENCE_S = 30.0


class Process:
    """A Python module as a process that listens on a port; what it prints goes to a file."""

    def __init__(self, module: str, arguments: Sequence[str], port: int, output: Path) -> None:
        self._command = [sys.executable, "-m", module, *arguments]
        self._output = output
        self._running: subprocess.Popen[bytes] | None = None
        self.port = port

    @property
    def pid(self) -> int:
        """Its number."""
        assert self._running is not None
        return self._running.pid

    @property
    def has_ended(self) -> bool:
        """It runs no more, though nobody ended it."""
        return self._running is not None and self._running.poll() is not None

    def printed(self) -> str:
        """All that it printed."""
        return self._output.read_text(errors="replace")

    async def start(self) -> None:
        """Start it, and wait until it listens. Raises `RuntimeError` where it does not."""
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        with self._output.open("ab") as output:
            self._running = subprocess.Popen(
                tied(*self._command), stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environ, cwd=ROOT
            )
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not await self._listens():
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise RuntimeError(f"{self._command} does not listen:\n{self.printed()[-2000:]}") from None

    async def _listens(self) -> bool:
        if self.has_ended:
            raise RuntimeError(f"{self._command} ended:\n{self.printed()[-2000:]}")
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        return True

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    async def end(self, number: signal.Signals = signal.SIGKILL) -> int:
        """End it; its exit status. One that does not heed the signal is killed."""
        if self._running is None:
            return 0
        self.tell(number)
        try:
            async with asyncio.timeout(PATIENCE_S):
                while self._running.poll() is None:
                    await asyncio.sleep(0.02)
        except TimeoutError:
            self._running.kill()
        return self._running.wait()
