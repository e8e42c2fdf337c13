"""A process that is told to stop before there is anything to stop."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from apigateway.lifecycle.early import TO_STOP, leave_when_told
from tests.starting import PATIENCE, environment

AT_AN_IMPORT = """
import os, runpy, signal, sys

class Told:
    def find_spec(self, name, *about):
        if name == {module!r}:
            os.kill(os.getpid(), {number})

sys.meta_path.insert(0, Told())
sys.argv = ["apigateway", *{arguments!r}]
runpy.run_module("apigateway", run_name="__main__")
"""
"""Starts the gateway, and sends it a signal when it imports a module."""


class EarlyTests(SynchronousTestCase):
    def test_it_ends_at_once_with_success_whichever_signal_it_is(self) -> None:
        ways: dict[int, Callable[..., Any]] = {}
        left: list[int] = []
        leave_when_told(ways.__setitem__, left.append)
        self.assertEqual(set(ways), {signal.SIGTERM, signal.SIGINT})
        for number in TO_STOP:
            ways[number](number, None)
        self.assertEqual(left, [0, 0])

    def told(self, module: str, number: int, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A gateway that got a signal at an import, when it has ended."""
        code = AT_AN_IMPORT.format(module=module, number=int(number), arguments=arguments)
        command = [sys.executable, "-c", code]
        return subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=False)

    def test_so_does_the_gateway_wherever_in_its_start_it_is(self) -> None:
        listen = ("--listen", "tcp:0:interface=127.0.0.1")
        for module in ("twisted.scripts.twistd", "twisted.internet.tcp", "apigateway.tap", "apigateway.gateway"):
            for number in TO_STOP:
                done = self.told(module, number, *listen)
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""), (module, number))

    def test_a_check_that_was_not_finished_has_not_succeeded(self) -> None:
        self.assertEqual(self.told("apigateway.tap", signal.SIGTERM, "check").returncode, -signal.SIGTERM)
