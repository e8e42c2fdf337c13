"""Counts over a sliding window."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.upstream.sliding import SlidingCount


class SlidingCountTests(SynchronousTestCase):
    def test_what_is_older_than_the_window_is_let_go(self) -> None:
        count = SlidingCount(10.0)
        count.count(0.5)
        count.mark(0.5)
        count.move_to(9.9)
        self.assertEqual((count.all, count.marked), (1, 1))
        count.move_to(10.0)
        self.assertEqual((count.all, count.marked), (0, 0))

    def test_a_time_that_is_a_little_late_counts_as_of_the_latest(self) -> None:
        count = SlidingCount(10.0)
        count.count(7.0)
        count.count(6.0)
        count.move_to(16.0)
        self.assertEqual(count.all, 2)

    def test_many_may_be_counted_at_once(self) -> None:
        count = SlidingCount(10.0)
        count.add(7, 0.5)
        self.assertEqual(count.all, 7)
        count.add(1, 10.0)
        self.assertEqual(count.all, 1)

    def test_it_forgets_everything_after_a_long_pause(self) -> None:
        count = SlidingCount(10.0)
        for now in range(10):
            count.count(now)
        count.count(1e6)
        self.assertEqual(count.all, 1)

    @settings(deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 5), st.booleans())))
    def test_it_counts_what_happened_in_the_last_ten_slices(self, events: list[tuple[int, bool]]) -> None:
        count, now = SlidingCount(10.0), 0
        times: list[int] = []
        marks: list[int] = []
        for pause, marked in events:
            now += pause
            (marks if marked else times).append(now)
            (count.mark if marked else count.count)(now)
            self.assertEqual(count.all, sum(at > now - 10 for at in times))
            self.assertEqual(count.marked, sum(at > now - 10 for at in marks))
