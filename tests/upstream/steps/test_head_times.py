"""What is remembered of how long a service takes to the heads of its answers."""

from __future__ import annotations

from math import ceil

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.upstream.steps.head_times import FEWEST, FRESH, MOST, HeadTimes

OFF = 1.05
"""By so much, either way, it may be wrong."""


def recorded(*times: float) -> HeadTimes:
    heads = HeadTimes()
    for seconds in times:
        heads.record(seconds)
    return heads


class HeadTimesTests(SynchronousTestCase):
    def test_of_few_nothing_is_said(self) -> None:
        self.assertIsNone(recorded(*[0.01] * (FEWEST - 1)).quantile(0.95))
        self.assertIsNotNone(recorded(*[0.01] * FEWEST).quantile(0.95))

    def test_of_those_that_are_alike_it_is_their_time(self) -> None:
        found = recorded(*[0.01] * 100).quantile(0.95)
        assert found is not None
        self.assertTrue(0.01 / OFF <= found <= 0.01 * OFF, found)

    def test_extremes_have_their_places(self) -> None:
        self.assertEqual(recorded(*[0.0] * 100).quantile(0.95), 0.0)
        self.assertGreater(recorded(*[1e9] * 100).quantile(0.95) or 0, 400)

    def test_what_is_long_ago_is_forgotten(self) -> None:
        heads = recorded(*[1.0] * MOST)
        for _ in range(4 * MOST):
            heads.record(0.001)
        self.assertLess(heads.quantile(0.95) or 1, 0.002)

    def test_it_is_worked_out_anew_now_and_then(self) -> None:
        heads = recorded(*[0.001] * 64)
        before = heads.quantile(0.5)
        for _ in range(FRESH * 8):
            heads.record(1.0)
        self.assertGreater(heads.quantile(0.5) or 0, before or 1)

    def test_repr_tells_how_many_are_known(self) -> None:
        self.assertEqual(repr(recorded(0.1)), "<HeadTimes 1>")

    @settings(deadline=None)
    @given(st.lists(st.floats(0.0001, 300), min_size=FEWEST, max_size=300), st.sampled_from((0.5, 0.9, 0.95, 0.99)))
    def test_it_is_near_the_true_one(self, times: list[float], share: float) -> None:
        found = recorded(*times).quantile(share)
        assert found is not None
        wanted = ceil(share * len(times))
        self.assertGreaterEqual(sum(seconds <= found * OFF for seconds in times), wanted)
        self.assertLess(sum(seconds < found / OFF for seconds in times), wanted)
