"""The examples of docs/testing.md are tests, and pass."""

from __future__ import annotations

import re
import unittest
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.starting import ROOT

PAGE = ROOT / "docs" / "testing.md"


def examples() -> list[str]:
    """The Python blocks of the page, each at its own line so that tracebacks are right."""
    text = PAGE.read_text(encoding="utf-8")
    return [
        "\n" * text.count("\n", 0, found.start(1)) + found[1]
        for found in re.finditer(r"```python\n(.*?)```", text, re.S)
    ]


class TestingPageTests(SynchronousTestCase):
    def test_every_example_runs_and_passes(self) -> None:
        run = 0
        for source in examples():
            namespace: dict[str, Any] = {"__name__": "docs.testing"}
            exec(compile(source, str(PAGE), "exec"), namespace)
            cases = [
                value for value in namespace.values() if isinstance(value, type) and value is not SynchronousTestCase
            ]
            for case in cases:
                if issubclass(case, SynchronousTestCase):
                    result = unittest.TestResult()
                    unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
                    self.assertEqual([trace for _, trace in result.errors + result.failures], [])
                    run += result.testsRun
        self.assertGreaterEqual(run, 6)
