"""Whoever is at work for one service, and the refusal of one more."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.errors import SERVICE_OVERLOADED
from apigateway.upstream.bulkhead import LATEST_S, SOONEST_S, Bulkhead


def bulkhead(active: int = 0, luck: float = 0.5) -> Bulkhead:
    """One with so many at work."""
    made = Bulkhead("shop", set(), lambda: luck)
    for _ in range(active):
        one: Any = object()
        made.enter(one)
    return made


class BulkheadTests(SynchronousTestCase):
    def test_who_is_at_work_is_counted_here_and_with_everyone(self) -> None:
        everyone: set[Any] = set()
        shop, auth = Bulkhead("shop", everyone, lambda: 0.5), Bulkhead("auth", everyone, lambda: 0.5)
        first: Any = object()
        second: Any = object()
        shop.enter(first)
        auth.enter(second)
        self.assertEqual((shop.active, auth.active, everyone), ({first}, {second}, {first, second}))
        for _ in range(2):
            shop.leave(first)
        self.assertEqual((shop.active, everyone), (set(), {second}))

    def test_a_refusal_tells_the_bound_and_is_counted(self) -> None:
        one = bulkhead(3)
        error = one.refusal(3, 1.0)
        self.assertEqual((error.cause, one.spell.refused), (SERVICE_OVERLOADED, 1))
        self.assertIn("'shop' has 3 requests", error.detail)

    def test_the_wait_follows_from_how_fast_exchanges_end(self) -> None:
        waits = [bulkhead(100).refusal(100, pace).retry_after_s for pace in (1000.0, 10.0, 5.0)]
        self.assertEqual(waits, [1, 10, 20])

    def test_it_is_spread_around_that_so_that_not_all_come_back_at_once(self) -> None:
        waits = [bulkhead(100, luck).refusal(100, 10.0).retry_after_s for luck in (0.0, 0.5, 0.99)]
        self.assertEqual(waits, [5, 10, 15])

    @settings(deadline=None)
    @given(st.integers(0, 50), st.floats(0, 1e6), st.floats(0, 0.999))
    def test_it_is_whole_seconds_within_bounds(self, active: int, pace: float, luck: float) -> None:
        wait = bulkhead(active, luck).refusal(active, pace).retry_after_s
        assert isinstance(wait, int)
        self.assertTrue(SOONEST_S <= wait <= LATEST_S)

    def test_where_none_ends_they_are_sent_away_for_long(self) -> None:
        self.assertEqual(bulkhead(3, 0.5).refusal(3, 0.0).retry_after_s, LATEST_S)

    def test_repr_tells_the_state(self) -> None:
        self.assertEqual(repr(bulkhead(2)), "<Bulkhead shop active=2 of 2>")
