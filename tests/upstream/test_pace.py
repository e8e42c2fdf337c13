"""How much happens a second, from a total."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.upstream.pace import WINDOW_S, Pace


def seen(totals: list[int], step_s: float = 0.25) -> Pace:
    """A total looked at every so often."""
    pace = Pace(0, 0.0)
    for number, total in enumerate(totals, 1):
        pace.note(total, number * step_s)
    return pace


class PaceTests(SynchronousTestCase):
    def test_nothing_is_known_at_first(self) -> None:
        self.assertEqual(Pace(0, 0.0).per_second(), 0.0)

    def test_what_had_been_counted_before_does_not_count(self) -> None:
        pace = Pace(1000, 0.0)
        pace.note(1001, 0.5)
        self.assertEqual(pace.per_second(), 2.0)

    def test_a_steady_growth_is_told(self) -> None:
        for looks in (1, 4, 8, 9, 100):
            self.assertAlmostEqual(seen([5 * number for number in range(1, looks + 1)]).per_second(), 20.0)

    def test_what_is_older_than_two_windows_does_not_count(self) -> None:
        still = int(2 * WINDOW_S / 0.25) + 1
        self.assertEqual(seen([1000] * (still + 1)).per_second(), 0.0)

    def test_a_total_that_was_begun_anew_is_no_shrinking(self) -> None:
        self.assertEqual(seen([100, 200, 3]).per_second(), 0.0)
        self.assertAlmostEqual(seen([100, 200, 3, 5]).per_second(), 8.0)

    @settings(deadline=None)
    @given(st.lists(st.integers(0, 10**6)), st.floats(0.001, 10))
    def test_it_is_never_below_nothing(self, totals: list[int], step_s: float) -> None:
        self.assertGreaterEqual(seen(totals, step_s).per_second(), 0.0)
