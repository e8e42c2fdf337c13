"""What is told of reloads."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from apigateway.telemetry.reloads import FAILED, OUTCOMES, RELOADED, Reload, Reloads

GOOD = Reload(RELOADED, "signal", 1_763_852_281.0, 0.0123, "It is in use.", ("limits",))


class ReloadsTests(SynchronousTestCase):
    def test_at_first_there_was_none(self) -> None:
        self.assertEqual(Reloads().describe(), {"good": 0, "bad": 0, "last": None})

    def test_the_last_is_told_and_all_are_counted(self) -> None:
        reloads = Reloads()
        for outcome in OUTCOMES:
            reloads.note(replace(GOOD, outcome=outcome))
        reloads.note(replace(GOOD, outcome=FAILED, changes=(), problems=("no",)))
        described = reloads.describe()
        self.assertEqual((described["good"], described["bad"]), (2, 3))
        self.assertEqual(
            described["last"],
            {
                "outcome": "failed", "detail": "It is in use.", "asked_by": "signal",
                "time": "2025-11-22T22:58:01.000Z", "took_ms": 12.3, "changes": [], "problems": ["no"],
            },
        )  # fmt: skip
