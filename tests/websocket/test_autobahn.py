"""The comparison of verdicts, and what is said where there is no suite."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.websocket.autobahn import MISSING, differences, summary, verdicts, wstest_at


class ComparisonTests(SynchronousTestCase):
    INDEX = {
        "direct": {"1.1.1": {"behavior": "OK", "behaviorClose": "OK"},
                   "10.1.1": {"behavior": "OK", "behaviorClose": "OK"},
                   "9.1.1": {"behavior": "NON-STRICT", "behaviorClose": "OK"}},
        "gateway": {"1.1.1": {"behavior": "OK", "behaviorClose": "UNCLEAN"},
                    "9.1.1": {"behavior": "FAILED", "behaviorClose": "OK"}},
    }  # fmt: skip

    def test_verdicts_and_ends_are_compared_case_by_case(self) -> None:
        found = differences(verdicts(self.INDEX, "direct"), verdicts(self.INDEX, "gateway"))
        self.assertEqual(
            found,
            [
                "1.1.1: OK OK directly, OK UNCLEAN through the gateway",
                "9.1.1: NON-STRICT OK directly, FAILED OK through the gateway",
                "10.1.1: OK OK directly, not run through the gateway",
            ],
        )
        self.assertEqual(differences(verdicts(self.INDEX, "direct"), verdicts(self.INDEX, "direct")), [])

    def test_they_are_summed_up(self) -> None:
        told = summary(verdicts(self.INDEX, "gateway"))
        self.assertEqual(told, "2 cases: {'OK': 1, 'FAILED': 1}; ends: {'UNCLEAN': 1, 'OK': 1}")

    def test_where_there_is_no_suite_that_is_said(self) -> None:
        self.assertIsNone(wstest_at(None, {"PATH": "/nowhere"}))
        self.assertIsNone(wstest_at("/nowhere/wstest", {"PATH": "/nowhere"}))
        self.assertIn("Python 2.7", MISSING)
