"""Drawing targets that may be tried."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.upstream.balancing.draws import Draws
from apigateway.upstream.balancing.group import Group
from tests.upstream.balancing.world import EVENTS, befall, targets_of

COUNT = 3000
WEIGHTS = st.lists(st.integers(1, 6), min_size=2, max_size=5)


class DrawsTests(SynchronousTestCase):
    @settings(deadline=None, max_examples=30)
    @given(WEIGHTS, EVENTS, st.integers(0, 99))
    def test_whoever_may_be_tried_is_drawn_first_as_often_as_its_weight_says(
        self, weights: list[int], events: list[tuple[int, str]], seed: int
    ) -> None:
        targets = targets_of(weights)
        group = Group(targets, 10.0)
        befall(targets, events)
        draws = Draws(group, Random(seed).random)
        fit = group.fit(0.0)
        all_weight = sum(target.weight for target in fit)
        pairs = [draws.two(draws.pair(), 0.0) for _ in range(COUNT)]
        for got in (
            Counter(draws.one(draws.single(), 0.0) for _ in range(COUNT)),
            Counter(pair and pair[0] for pair in pairs),
        ):
            self.assertEqual(set(got) - {None}, set(fit))
            for target in fit:
                # Six standard deviations of a share of one half, the widest.
                self.assertLess(abs(got[target] / COUNT - target.weight / all_weight), 6 * 0.5 / COUNT**0.5)

    @settings(deadline=None)
    @given(WEIGHTS, EVENTS, st.integers(0, 99), st.sets(st.integers(0, 4)))
    def test_both_of_a_pair_may_be_tried_and_were_not(
        self, weights: list[int], events: list[tuple[int, str]], seed: int, numbers: set[int]
    ) -> None:
        targets = targets_of(weights)
        group = Group(targets, 10.0)
        befall(targets, events)
        tried = [target for at, target in enumerate(targets) if at in numbers]
        draws, fit = Draws(group, Random(seed).random), group.fit(0.0, tried)
        for _ in range(5):
            pair = draws.two(draws.pair(), 0.0, tried)
            self.assertEqual(pair is None, not fit)
            self.assertTrue(pair is None or {*pair} <= {*fit})
            self.assertIn(draws.one(draws.single(), 0.0, tried), fit or [None])

    def test_one_that_returns_is_drawn_as_often_as_its_share_says(self) -> None:
        targets = targets_of([1, 1, 1])
        group = Group(targets, 10.0)
        group.review(0.0)
        targets[1].standing.come_back(0.0, 10.0)
        draws = Draws(group, Random(1).random)
        for now, share in ((0.0, 0.1), (5.0, 0.55)):
            for draw in (
                lambda now=now: draws.one(draws.single(), now),
                lambda now=now: (draws.two(draws.pair(), now) or [None])[0],
            ):
                got = Counter(draw() for _ in range(COUNT))[targets[1]] / COUNT
                self.assertLess(abs(got - share / (2 + share)), 6 * 0.5 / COUNT**0.5)

    def test_one_that_has_just_come_back_starts_slowly_at_once(self) -> None:
        targets = targets_of([1, 1])
        group = Group(targets, 10.0)
        targets[1].health.healthy = False
        group.review(0.0)
        targets[1].health.healthy = True
        self.assertTrue(group.may_try(targets[1], 1.0))
        self.assertEqual(targets[1].standing.word, "returning")
