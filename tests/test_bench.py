"""The benchmark: what it reads and reckons, and a short run of it, so that it never rots. No time is asserted."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bench.load import Answers, _read, missing_tools
from bench.peers import CATALOGUE
from bench.report import summary, table
from bench.run import Round
from tests.starting import ROOT, environment

TOLD = """\
Running 5s test @ http://127.0.0.1:8100/
  1 threads and 64 connections
  Latency Distribution
     50%    4.41ms
     75%    5.02ms
     90%    6.10ms
     99%   10.05ms
  60080 requests in 5.00s, 25.30MB read
  Socket errors: connect 0, read 3, write 0, timeout 1
  Non-2xx or 3xx responses: 7
Requests/sec:  12016.00
"""


def a_round(peer: str, whole: int, processor_s: float) -> Round:
    return Round(peer, Answers(whole, 0, 2.0, 1000.0, 2000.0), processor_s, 0.0, 2**20)


class ReckoningTests(SynchronousTestCase):
    def test_what_the_load_generator_says_is_read(self) -> None:
        self.assertEqual(_read(TOLD), Answers(60080, 11, 5.0, 4410.0, 10050.0))

    def test_output_without_a_count_is_an_error(self) -> None:
        self.assertRaises(RuntimeError, _read, "unable to connect")

    def test_a_peer_is_judged_by_its_median(self) -> None:
        figures = summary([a_round("a", whole, whole * 50e-6) for whole in (100, 200, 1000)])
        self.assertEqual((figures["per_second"], figures["per_second_least"]), (100.0, 50.0))
        self.assertAlmostEqual(figures["processor_us"], 50.0)

    def test_the_table_compares_with_the_first_peer(self) -> None:
        lines = table([a_round("ours", 300, 0.003), a_round("theirs", 100, 0.002)]).splitlines()
        self.assertEqual(lines[2].split()[-2:], ["3.00", "2.00"])


class RunTests(SynchronousTestCase):
    def test_a_short_run_measures_every_peer_that_is_here(self) -> None:
        if missing := missing_tools():
            self.skipTest("; ".join(missing))
        if len(os.sched_getaffinity(0)) < 2 or not {0, 1} <= os.sched_getaffinity(0):
            self.skipTest("the benchmark pins processes to cores 0 and 1, which are not both ours")
        names = [name for name, peer in CATALOGUE.items() if peer.is_present()]
        written = Path(self.mktemp()).absolute()
        options = ["--rounds=1", "--seconds=1", f"--json={written}", f"--peers={','.join(names)}"]
        command = [sys.executable, "-m", "bench", *options]
        subprocess.run(command, cwd=ROOT, env=environment(), check=True, capture_output=True, timeout=120)
        report = json.loads(written.read_text(encoding="utf-8"))
        self.assertEqual(list(report["peers"]), names)
        for name, figures in report["peers"].items():
            self.assertEqual(figures["bad"], 0, name)
            self.assertGreater(figures["processor_us"], 0, name)

    def test_a_peer_that_is_not_here_is_named_with_how_to_get_it(self) -> None:
        for peer in CATALOGUE.values():
            if shutil.which(peer.program) is None:
                self.assertFalse(peer.is_present())
            self.assertIn("install", peer.how_to_get)
