"""The long run, for a short while."""

from __future__ import annotations

import io
from contextlib import redirect_stderr

from twisted.trial.unittest import SynchronousTestCase

from tests.smuggling.__main__ import NUMBERS, run, table


class RunTests(SynchronousTestCase):
    def test_it_tries_both_sides_and_finds_nothing(self) -> None:
        said = io.StringIO()
        with redirect_stderr(said):
            counts = run(1.0, seed=7)
        self.assertEqual(said.getvalue(), "")
        *_, last = table(counts).splitlines()
        name, tried, refused, forwarded, disagreements = last.split()
        self.assertEqual((name, disagreements), ("all", "0"))
        self.assertGreater(int(tried), 20)
        self.assertGreater(int(refused) + int(forwarded), 10)
        self.assertEqual(table(counts).splitlines()[0].split(), list(NUMBERS))
