"""The look at known vulnerabilities: what is locked, and what is said of it."""

from __future__ import annotations

import importlib.util
import json
import re
from importlib.metadata import requires
from typing import Any

from packaging.requirements import Requirement
from twisted.trial.unittest import SynchronousTestCase

from tests.starting import ROOT


def script() -> Any:
    """The script, as a module."""
    spec = importlib.util.spec_from_file_location("audit", ROOT / ".ci" / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def normal(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def needs(requirement: Requirement) -> list[Requirement]:
    """What a package needs, on this Python and with the extras that are asked for."""
    extras = requirement.extras or {""}
    found = map(Requirement, requires(requirement.name) or [])
    return [
        one for one in found if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in extras)
    ]


class LockTests(SynchronousTestCase):
    def setUp(self) -> None:
        text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
        self.locked = {normal(line.partition("==")[0]): line.partition("==")[2] for line in script().locked(text)}
        lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
        self.wanted = [Requirement(line) for line in lines if not line.startswith("#")]

    def test_every_requirement_is_locked_with_all_that_it_needs(self) -> None:
        seen: set[str] = set()
        while self.wanted:
            requirement = self.wanted.pop()
            name = normal(requirement.name)
            if name not in seen:
                seen.add(name)
                self.assertIn(name, self.locked)
                self.wanted += needs(requirement)
        self.assertGreater(len(seen), 15)

    def test_what_is_locked_is_what_is_asked_for(self) -> None:
        for requirement in self.wanted:
            self.assertIn(self.locked[normal(requirement.name)], requirement.specifier)


class VerdictTests(SynchronousTestCase):
    def verdict(self, *dependencies: dict[str, Any]) -> tuple[int, list[str]]:
        found: tuple[int, list[str]] = script().verdict(json.dumps({"dependencies": dependencies, "fixes": []}), 2)
        return found

    def test_a_vulnerability_fails_and_is_named(self) -> None:
        flaw = {"id": "PYSEC-1", "fix_versions": ["2.0"], "aliases": []}
        status, lines = self.verdict(
            {"name": "a", "version": "1.0", "vulns": [flaw]}, {"name": "b", "skip_reason": "x"}
        )
        self.assertEqual((status, lines), (1, ["a 1.0: PYSEC-1, mended in 2.0"]))

    def test_none_is_said(self) -> None:
        clean = ({"name": name, "version": "1.0", "vulns": []} for name in "ab")
        self.assertEqual(self.verdict(*clean), (0, ["2 packages audited, no known vulnerability"]))

    def test_what_was_not_looked_up_is_not_called_clean(self) -> None:
        status, lines = self.verdict({"name": "a", "skip_reason": "x"}, {"name": "b", "skip_reason": "x"})
        self.assertEqual(status, 0)
        self.assertIn("not audited", lines[0])
        status, lines = self.verdict({"name": "a", "version": "1.0", "vulns": []}, {"name": "b", "skip_reason": "x"})
        self.assertEqual(lines, ["1 packages audited, no known vulnerability; not audited: 1"])

    def test_without_a_network_it_does_not_fail(self) -> None:
        for report in ("", "not JSON", "[]"):
            status, lines = script().verdict(report, 2)
            self.assertEqual((status, "can't be reached" in lines[0]), (0, True))
