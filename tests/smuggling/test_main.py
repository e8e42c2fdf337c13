"""The long run, for a short while."""

from __future__ import annotations

import io
from contextlib import redirect_stderr

from twisted.trial.unittest import SynchronousTestCase

from tests.smuggling.__main__ import NUMBERS, run, table


class RunTests(SynchronousTestCase):
    def test_it_tries_both_sides_and_finds_nothing(self) -> None:
        said = io.StringIO()
        for seconds in (1.0, 60.0):  # a busy machine gets nowhere in one second
            with redirect_stderr(said):
                counts = run(seconds, seed=7)
            *_, last = table(counts).splitlines()
            name, tried, refused, forwarded, disagreements = last.split()
            if int(tried) > 20 and int(refused) + int(forwarded) > 10:
                break
        self.assertEqual(said.getvalue(), "")
        self.assertEqual((name, disagreements), ("all", "0"))
        self.assertGreater(int(tried), 20)
        self.assertGreater(int(refused) + int(forwarded), 10)
        self.assertEqual(table(counts).splitlines()[0].split(), list(NUMBERS))
