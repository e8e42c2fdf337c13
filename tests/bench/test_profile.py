"""The profile: what is on the stack is seen and sorted into layers, system calls are read, and the command runs."""

from __future__ import annotations

import inspect
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import epollreactor
from twisted.trial.unittest import SynchronousTestCase

from apigateway.downstream import http1_channel
from apigateway.http import request_reader
from apigateway.policies import rate_limit
from apigateway.sockets import poller, transports
from bench.__main__ import missing_on_this_machine
from bench.profile import native, system_calls
from bench.profile.layers import ELSEWHERE, LLHTTP, REGULAR, Frame, function_of, layer_of, module_of, seen
from bench.profile.native import Symbol
from bench.profile.sampler import START, STOP, Sampler
from bench.profile.system_calls import Call
from tests.starting import ROOT, environment

PRINTED = """\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ------------------
 71.20    0.519996        1744       298        47 futex
 18.20    0.132943          16      8114           sendto
------ ----------- ----------- --------- --------- ------------------
100.00    0.652939                  8412        47 total
"""
RECORDED = """\
# Overhead  Shared Object         Symbol
# ........  ....................  ......................
#
    20.00%  libpython3.11.so.1.0  [.] _PyEval_EvalFrameDefault
    12.50%  [kernel.kallsyms]     [k] sock_def_readable           -      -
     6.25%  parser.so             [.] llhttp__internal_execute
     5.00%  libpython3.11.so.1.0  [.] sre_ucs1_match
"""


def frame_of(module: Any, text: str) -> Frame:
    """A frame at the first line of a module that has a text in it."""
    for number, line in enumerate(inspect.getsource(module).splitlines(), 1):
        if text in line:
            return module.__file__, "function", number
    raise LookupError(text)


class LayerTests(SynchronousTestCase):
    def test_what_c_does_is_told_from_what_calls_it(self) -> None:
        for module, text, layer in (
            (transports, "socket.send(", "kernel: send"),
            (transports, "socket.recv(", "kernel: recv"),
            (poller, "_epoll.poll(", "kernel: poll"),
            (epollreactor, "_poller.poll(", "kernel: poll"),
            (request_reader, "match_request(data", REGULAR),
            (request_reader, ".feed_data(", LLHTTP),
        ):
            self.assertEqual(layer_of((frame_of(module, text),)), layer)

    def test_the_rest_belongs_to_its_folder(self) -> None:
        for module, text, layer in (
            (transports, "def _send", "sockets"),
            (http1_channel, "def dataReceived", "downstream"),
            (rate_limit, "def check", "policies"),
            (request_reader, "def feed", "http"),
            (epollreactor, "class EPollReactor", "Twisted"),
        ):
            self.assertEqual(layer_of((frame_of(module, text),)), layer)

    def test_the_standard_library_works_for_whoever_called_it(self) -> None:
        library = ("/usr/lib/python3/json/encoder.py", "encode", 1)
        self.assertEqual(layer_of((library, frame_of(rate_limit, "def check"))), "policies")
        self.assertEqual(layer_of((library,)), ELSEWHERE)
        self.assertEqual(layer_of(()), ELSEWHERE)

    def test_seconds_are_added_up_by_function_and_with_what_it_calls(self) -> None:
        outer = (rate_limit.__file__, "outer", 1)
        inner = (request_reader.__file__, "inner", 1)
        found = seen([((inner, outer), 2.0), ((outer,), 1.0), ((inner, outer, outer), 4.0)])
        self.assertEqual(found.total, 7.0)
        self.assertEqual(found.layers, {"http": 6.0, "policies": 1.0})
        self.assertEqual(found.functions, {function_of(inner): 6.0, function_of(outer): 1.0})
        self.assertEqual(found.with_calls[function_of(outer)], 7.0)
        self.assertEqual(found.modules[module_of(inner)], 6.0)
        self.assertEqual(function_of(inner), "apigateway/http/request_reader.py inner")


class SamplerTests(SynchronousTestCase):
    def setUp(self) -> None:
        for one in (START, STOP, signal.SIGALRM):
            self.addCleanup(signal.signal, one, signal.getsignal(one))
        # A bell that still rings when nobody listens would end the process.
        self.addCleanup(signal.setitimer, signal.ITIMER_REAL, 0)

    def busy(self, is_enough: Callable[[], bool]) -> None:
        """Do something until there was enough of it."""
        while not is_enough():
            sum(range(100))

    def test_it_sees_who_is_busy_and_writes_it_when_it_is_told_to(self) -> None:
        file = Path(self.mktemp())
        sampler = Sampler(file)
        sampler.listen()
        signal.raise_signal(START)
        self.busy(lambda: sampler.looks >= 10)
        self.assertFalse(file.exists())
        signal.raise_signal(STOP)
        told = json.loads(file.read_text(encoding="utf-8"))
        self.assertGreaterEqual(told["looks"], 10)
        functions = {function for stack, _ in told["stacks"] for _, function, _ in stack}
        self.assertIn("SamplerTests.busy", functions)
        self.assertGreater(sum(seconds for _, seconds in told["stacks"]), 0)
        self.assertEqual(signal.getitimer(signal.ITIMER_REAL), (0.0, 0.0))


class SystemCallTests(SynchronousTestCase):
    def test_what_strace_prints_is_read(self) -> None:
        self.assertEqual(
            system_calls.read(PRINTED), [Call("futex", 298, 47, 0.519996), Call("sendto", 8114, 0, 0.132943)]
        )


class NativeTests(SynchronousTestCase):
    def test_what_perf_prints_is_read_and_added_up_by_object(self) -> None:
        found = native.read(RECORDED)
        self.assertEqual(found[1], Symbol("sock_def_readable", "[kernel.kallsyms]", 0.125))
        self.assertEqual(
            native.by_object(found), {"libpython3.11.so.1.0": 0.25, "[kernel.kallsyms]": 0.125, "parser.so": 0.0625}
        )


class RunTests(SynchronousTestCase):
    def test_the_smallest_run_shows_layers_functions_and_system_calls(self) -> None:
        if missing := missing_on_this_machine():
            self.skipTest("; ".join(missing))
        command = [sys.executable, "-m", "bench.profile", "--seconds=1", "--lines=5", "--connections=8"]
        done = subprocess.run(
            command, cwd=ROOT, env=environment(), check=False, capture_output=True, text=True, timeout=300
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        for said in ("by layer", "kernel: send", "kernel: recv", "downstream", "telemetry", "by module", "by function"):
            self.assertIn(said, done.stdout)
        counted = "sendto" in done.stdout if "no count of system calls" not in done.stdout else True
        self.assertTrue(counted, done.stdout)
