"""The peers: their configurations are whole and say why they are fair, and each really does its duties."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from string import Template

from twisted.trial.unittest import SynchronousTestCase

from bench.duties import DUTIES, observed, rows
from bench.peers import CATALOGUE, FILES, SERVICE, found
from bench.running import LOAD_CORE, PEER_CORE
from bench.workloads import CATALOGUE as WORKLOADS
from bench.workloads import QUICK

OURS = ("port", "upstream", "home", "limit", "files")


class PeerTests(SynchronousTestCase):
    def test_every_peer_says_how_to_get_it(self) -> None:
        for peer in CATALOGUE.values():
            self.assertRegex(peer.how_to_get, r"^(apt-get|pip) install ", peer.name)

    def test_a_peer_whose_program_or_module_is_not_here_is_not_present(self) -> None:
        peer = CATALOGUE["nginx"]
        self.assertFalse(replace(peer, program="no-such-program").is_present())
        self.assertFalse(replace(CATALOGUE["aiohttp"], modules=("no_such_module",)).is_present())
        self.assertIsNone(found("no-such-program"))

    def test_configurations_are_filled_in(self) -> None:
        for peer in (*CATALOGUE.values(), SERVICE):
            home = Path(self.mktemp())
            home.mkdir()
            command = peer.prepare(peer.values(home, 8101, 8102, {"files": "/files"}))
            written = (home / peer.file).read_text(encoding="utf-8") if peer.file else ""
            for text in (written, *command, *peer.variables(peer.values(home, 8101, 8102, {})).values()):
                left = {one for match in Template.pattern.findall(text) for one in match} & set(OURS)
                self.assertEqual(left, set(), f"{peer.name}: {text}")

    def test_each_configuration_begins_with_why_it_is_fair(self) -> None:
        for file in FILES.iterdir():
            if file.suffix in (".yaml", ".conf", ".cfg") or file.name == "Caddyfile":
                self.assertRegex(file.read_text(encoding="utf-8"), r"\A# \w", file.name)

    def test_the_gateways_configuration_is_the_default_one(self) -> None:
        text = (FILES / "apigateway.yaml").read_text(encoding="utf-8")
        keys = re.findall(r"^ *(\w+):", text, re.MULTILINE)
        self.assertEqual(keys, ["listen", "access_log", "services", "product", "targets", "transport", "rate_limit"])


class DutyTests(SynchronousTestCase):
    def test_every_peer_that_is_here_does_its_duties_and_no_others(self) -> None:
        if not {PEER_CORE, LOAD_CORE} <= os.sched_getaffinity(0):
            self.skipTest("the benchmark pins processes to cores 0 and 1, which are not both ours")
        for peer in CATALOGUE.values():
            if peer.is_present():
                self.assertEqual(observed(peer), set(DUTIES) - set(peer.cannot), peer.name)

    def test_the_table_says_who_cannot_and_why(self) -> None:
        lines = rows([CATALOGUE["nginx"], CATALOGUE["caddy"]])
        self.assertEqual(lines[1], ["nginx", *["yes"] * len(DUTIES)])
        self.assertIn("not without a plugin", lines[2])

    def test_what_a_peer_cannot_is_a_duty(self) -> None:
        for peer in CATALOGUE.values():
            self.assertEqual(set(peer.cannot) - set(DUTIES), set(), peer.name)


class WorkloadTests(SynchronousTestCase):
    def test_every_entrant_is_a_peer_with_a_label_of_its_own(self) -> None:
        for workload in WORKLOADS.values():
            labels = [entrant.label for entrant in workload.entrants]
            self.assertEqual(len(labels), len(set(labels)), workload.name)
            for entrant in workload.entrants:
                self.assertIn(entrant.peer, CATALOGUE)

    def test_a_quick_run_is_of_workloads_that_there_are(self) -> None:
        self.assertEqual(set(QUICK) - set(WORKLOADS), set())
