"""Which new exchanges are refused, by how many are in progress and by how late the loop is."""

from __future__ import annotations

from collections.abc import Iterable
from math import log
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.errors import OVERLOADED, GatewayError
from apigateway.routing.shedding import COME_AGAIN_S, FALL, MOST, RISE, STEEPEST, Shedding

LIMIT_S = 0.25
LAGS = st.lists(st.floats(0, 1000), max_size=60)
STEPS = st.floats(0, 5)


def shedding(everyone: Iterable[object] = (), exchanges: int = 100, random: Random | None = None) -> Shedding:
    """One with bounds."""
    made = Shedding(tuple(everyone), (random or Random(1)).random)
    made.limit(exchanges, LIMIT_S)
    return made


def after(lags: Iterable[float], step_s: float = 0.25) -> Shedding:
    """One that has seen a loop that was so late, every so often."""
    made, now = shedding(), 100.0
    made.heed(0.0, now)
    for lag in lags:
        now += step_s
        made.heed(lag, now)
    return made


def refused(one: Shedding, times: int) -> list[GatewayError]:
    """The refusals among so many that ask."""
    errors = []
    for _ in range(times):
        try:
            one.check()
        except GatewayError as error:
            errors.append(error)
    return errors


class RoomTests(SynchronousTestCase):
    def test_as_many_are_let_in_as_may_be_in_progress(self) -> None:
        self.assertEqual(refused(shedding(range(99)), 3), [])
        errors = refused(shedding(range(100)), 3)
        self.assertEqual([error.cause for error in errors], [OVERLOADED] * 3)

    def test_without_bounds_all_are_let_in(self) -> None:
        self.assertEqual(refused(Shedding(range(10**6)), 3), [])

    def test_new_bounds_count_at_once(self) -> None:
        one = shedding(range(100))
        one.limit(101, LIMIT_S)
        self.assertEqual(refused(one, 1), [])

    def test_those_refused_are_spread_over_some_seconds(self) -> None:
        waits = {error.retry_after_s for error in refused(shedding(range(100)), 200)}
        self.assertEqual(waits, set(range(1, COME_AGAIN_S + 1)))


class LagTests(SynchronousTestCase):
    def test_a_loop_that_is_as_late_as_it_may_be_costs_nobody_anything(self) -> None:
        self.assertEqual(after([LIMIT_S] * 100).share, 0.0)

    def test_what_is_let_in_falls_while_the_loop_is_later(self) -> None:
        self.assertAlmostEqual(1 - after([1.5 * LIMIT_S] * 4).share, 1 - FALL)
        self.assertAlmostEqual(1 - after([1.5 * LIMIT_S] * 8).share, (1 - FALL) ** 2)

    def test_it_never_falls_faster_than_so_much(self) -> None:
        self.assertAlmostEqual(1 - after([1000 * LIMIT_S] * 4).share, (1 - FALL) ** STEEPEST)

    def test_a_long_pause_between_two_looks_counts_as_a_short_one(self) -> None:
        self.assertAlmostEqual(1 - after([1.5 * LIMIT_S], step_s=3600.0).share, 1 - FALL)

    def test_it_rises_while_the_loop_is_on_time(self) -> None:
        before = after([1.5 * LIMIT_S] * 4)
        self.assertAlmostEqual(1 - after([*[1.5 * LIMIT_S] * 4, 0.0], 0.25).share, (1 - before.share) * (1 + RISE / 4))

    def test_about_its_share_is_refused(self) -> None:
        one = after([1.5 * LIMIT_S] * 4)
        self.assertTrue(540 < len(refused(one, 1000)) < 660)

    def test_whoever_asks_the_same_with_the_same_luck_is_told_the_same(self) -> None:
        told = []
        for _ in range(2):
            one = after([2 * LIMIT_S] * 8)
            told.append([error.retry_after_s for error in refused(one, 100)])
        self.assertEqual(told[0], told[1])

    def test_without_a_bound_on_lateness_nothing_is_shed_for_it(self) -> None:
        one = after([10.0] * 50)
        one.limit(100, None)
        one.heed(10.0, 200.0)
        self.assertEqual(one.share, 0.0)

    @settings(deadline=None)
    @given(LAGS, STEPS)
    def test_the_share_is_one_and_some_always_get_through(self, lags: list[float], step_s: float) -> None:
        self.assertTrue(0.0 <= after(lags, step_s).share <= MOST < 1.0)

    @settings(deadline=None)
    @given(LAGS, STEPS.filter(lambda step: step > 0.01))
    def test_it_is_nothing_again_once_the_loop_has_been_on_time_for_a_while(
        self, lags: list[float], step_s: float
    ) -> None:
        looks = int(log(1 - MOST) / -log(1 + RISE * min(step_s, 1.0))) + 2
        self.assertEqual(after([*lags, *[0.0] * looks], step_s).share, 0.0)

    @settings(deadline=None)
    @given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10)), max_size=40), STEPS)
    def test_a_loop_that_is_never_less_late_never_has_a_smaller_share_refused(
        self, pairs: list[tuple[float, float]], step_s: float
    ) -> None:
        less = after([min(pair) for pair in pairs], step_s)
        more = after([max(pair) for pair in pairs], step_s)
        self.assertLessEqual(less.share, more.share)

    def test_repr_tells_the_state(self) -> None:
        self.assertEqual(repr(shedding(range(3))), "<Shedding share=0.00 in_progress=3 of 100>")
