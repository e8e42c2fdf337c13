"""On which terms a service is asked."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.http.heads import CHUNKED
from apigateway.upstream.steps.deadline_field import DeadlineField
from apigateway.upstream.steps.head_times import FEWEST, HeadTimes
from apigateway.upstream.steps.terms import REPLAY, Hedging, Terms
from tests.upstream.forward_world import LIMITS

TERMS = Terms(LIMITS)


class BackoffTests(SynchronousTestCase):
    def test_it_grows_from_attempt_to_attempt_up_to_a_bound(self) -> None:
        waits = [TERMS.backoff(made, 1.0) for made in range(6)]
        self.assertEqual(waits, [0.025, 0.05, 0.1, 0.2, 0.25, 0.25])

    @given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True), st.floats(0, 10), st.floats(0, 100))
    def test_it_is_within_its_bounds_whatever_they_are(
        self, made: int, random: float, first: float, most: float
    ) -> None:
        wait = Terms(LIMITS, backoff_s=first, most_backoff_s=most).backoff(made, random)
        self.assertTrue(0 <= wait <= most)
        self.assertLessEqual(wait, first * 2.0 ** min(made, 64))

    @given(st.integers(0, 10))
    def test_it_may_be_none_at_all(self, made: int) -> None:
        self.assertEqual(TERMS.backoff(made, 0.0), 0.0)


class KeepTests(SynchronousTestCase):
    def test_small_bodies_of_what_may_be_sent_twice_are_kept(self) -> None:
        for length in (1, REPLAY, CHUNKED):
            self.assertTrue(TERMS.keeps(b"PUT", length))

    def test_no_others_are(self) -> None:
        self.assertFalse(TERMS.keeps(b"PUT", REPLAY + 1))
        self.assertFalse(TERMS.keeps(b"POST", 1))
        self.assertFalse(Terms(LIMITS, retries=0).keeps(b"PUT", 1))
        self.assertFalse(Terms(LIMITS, replay=0).keeps(b"PUT", CHUNKED))
        self.assertTrue(Terms(LIMITS, methods=frozenset((b"POST",))).keeps(b"POST", 1))


class TimedTests(SynchronousTestCase):
    def test_terms_are_timed_where_somebody_says_when_it_is_over(self) -> None:
        self.assertFalse(TERMS.is_timed)
        self.assertTrue(Terms(LIMITS, total=5.0).is_timed)
        self.assertTrue(Terms(LIMITS, deadline_field=DeadlineField(b"X-Left")).is_timed)


class HedgingTests(SynchronousTestCase):
    def test_a_fixed_time_is_known_from_the_start(self) -> None:
        self.assertEqual(Hedging(after_s=0.2).delay(), 0.2)

    def test_a_share_only_when_enough_is_known(self) -> None:
        hedging = Hedging(share=0.95, heads=HeadTimes(), least_s=0.005)
        self.assertIsNone(hedging.delay())
        assert hedging.heads is not None
        for _ in range(FEWEST):
            hedging.heads.record(0.1)
        self.assertTrue(0.095 <= (hedging.delay() or 0) <= 0.105)

    def test_it_has_a_lower_bound(self) -> None:
        hedging = Hedging(heads=HeadTimes(), least_s=0.02)
        assert hedging.heads is not None
        for _ in range(FEWEST):
            hedging.heads.record(0.0001)
        self.assertEqual(hedging.delay(), 0.02)
