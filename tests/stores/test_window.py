from fractions import Fraction
from math import ceil

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.stores import window

moments = st.floats(0, 1e9)
windows = st.floats(0.01, 86_400)


class LeavingTheWindowTests(SynchronousTestCase):
    def test_a_moment_leaves_exactly_one_window_later(self) -> None:
        self.assertFalse(window.has_left(1.0, 60.9999999, 60.0))
        self.assertTrue(window.has_left(1.0, 61.0, 60.0))

    def test_rounding_does_not_let_a_moment_leave_early(self) -> None:
        # As rounded numbers the two are one second apart; in truth a little less.
        early, late = 2.0**-60, 1.0
        self.assertEqual(late - early, 1.0)
        self.assertFalse(window.has_left(early, late, 1.0))

    @settings(deadline=None)
    @given(moments, st.floats(0, 2e5), windows)
    def test_leaving_is_decided_as_exact_arithmetic_would(self, moment: float, later: float, length: float) -> None:
        for now in (moment + later, moment + length):
            exactly = Fraction(now) - Fraction(moment) >= Fraction(length)
            self.assertEqual(window.has_left(moment, now, length), exactly)

    @settings(deadline=None)
    @given(moments, st.floats(0, 1), windows)
    def test_after_the_wait_and_after_its_whole_seconds_a_moment_has_left(
        self, moment: float, part: float, length: float
    ) -> None:
        now = moment + part * length
        wait = window.wait_until_left(moment, now, length)
        self.assertTrue(window.has_left(moment, now + wait, length))
        self.assertTrue(window.has_left(moment, now + ceil(wait), length))
        self.assertLessEqual(wait, length * (1 - part) + 1e-6)


class CellTests(SynchronousTestCase):
    def test_small_limits_are_counted_request_by_request(self) -> None:
        self.assertEqual(window.cell_width(window.EXACT_LIMIT, 60.0), 0.0)
        self.assertEqual(window.cell_end(7.5, 0.0), 7.5)

    def test_large_limits_are_counted_in_sixteenths_of_a_window(self) -> None:
        width = window.cell_width(window.EXACT_LIMIT + 1, 64.0)
        self.assertEqual([window.cell_end(now, width) for now in (0.0, 3.9, 4.0)], [4.0, 4.0, 8.0])

    def test_cells_that_have_left_are_taken_off_the_total(self) -> None:
        cells = [7, 12.0, 1.0, 4, 5.0, 2, 11.0, 1]
        window.forget_left(cells, 65.0, 60.0)
        self.assertEqual(cells, [1, 12.0, 11.0, 1])

    def test_nothing_joins_a_cell_that_is_no_longer_there(self) -> None:
        cells = [4, 99.0, 1.0, 4]
        window.forget_left(cells, 61.0, 60.0)
        self.assertEqual(cells, [0, 61.0])

    def test_packed_cells_come_back_as_they_were(self) -> None:
        cells = [2**40 + 2, 12.0, 1.0, 2, 11.5, 2**40]
        packed = window.pack(cells)
        self.assertEqual(window.unpack(packed, 4.0), cells)
        self.assertEqual((window.cells_in(packed), window.last_in(packed)), (2, 11.5))
