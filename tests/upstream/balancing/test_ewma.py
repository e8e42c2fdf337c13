"""How long a target takes to answer."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.upstream.balancing.ewma import FAILED_S, PeakEwma

SECONDS = st.floats(0.0001, 100)


class PeakEwmaTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.latency = PeakEwma(10.0)

    def test_a_rise_counts_at_once(self) -> None:
        self.latency.learn(0.1, 1.0)
        self.latency.learn(2.0, 1.5)
        self.assertEqual(self.latency.now(1.5), 2.0)

    def test_a_fall_counts_little_by_little(self) -> None:
        self.latency.learn(2.0, 0.0)
        self.latency.learn(0.1, 1.0)
        self.assertAlmostEqual(self.latency.now(1.0), 0.1 + 1.9 * 2.718281828**-0.1, 6)

    def test_what_is_old_fades(self) -> None:
        self.latency.learn(2.0, 0.0)
        self.assertAlmostEqual(self.latency.now(10.0), 2.0 / 2.718281828, 6)

    def test_a_failure_is_no_quick_answer(self) -> None:
        self.latency.learn(0.01, 0.0)
        self.latency.learn_failure(0.1)
        self.assertEqual(self.latency.now(0.1), FAILED_S)
        self.latency.learn(5.0, 0.2)
        self.latency.learn_failure(0.2)
        self.assertEqual(self.latency.now(0.2), 5.0)

    def test_an_attempt_tells_from_its_head_to_the_answers(self) -> None:
        self.latency.attempt_over(sent=1.0, answered=1.5, now=9.0)
        self.assertEqual(self.latency.now(1.5), 0.5)

    def test_one_without_an_answer_took_at_least_until_now(self) -> None:
        self.latency.attempt_over(sent=1.0, answered=0.0, now=4.0)
        self.latency.attempt_over(sent=4.0, answered=0.0, now=4.1)
        self.assertAlmostEqual(self.latency.now(4.1), 3.0, 1)

    def test_one_that_was_never_sent_says_nothing(self) -> None:
        self.latency.attempt_over(sent=0.0, answered=0.0, now=4.0)
        self.assertEqual(self.latency.now(4.0), 0.0)

    def test_what_was_can_be_forgotten(self) -> None:
        self.latency.learn(2.0, 0.0)
        self.latency.forget()
        self.assertEqual(self.latency.now(0.0), 0.0)
        self.latency.learn(0.1, 0.0)
        self.assertEqual(self.latency.now(0.0), 0.1)

    def test_repr_tells_milliseconds(self) -> None:
        self.latency.learn(0.0125, 0.0)
        self.assertEqual(repr(self.latency), "<PeakEwma 12.500 ms>")

    @settings(deadline=None)
    @given(st.lists(st.tuples(SECONDS, st.floats(0, 60)), min_size=1))
    def test_it_is_between_the_least_and_the_longest_when_an_answer_has_just_come(
        self, answers: list[tuple[float, float]]
    ) -> None:
        latency, now = PeakEwma(10.0), 0.0
        for seconds, pause in answers:
            now += pause
            latency.learn(seconds, now)
            times = [one for one, _ in answers]
            self.assertLessEqual(min(times) * 0.999999, latency.now(now))
            self.assertLessEqual(latency.now(now), max(times) * 1.000001)
