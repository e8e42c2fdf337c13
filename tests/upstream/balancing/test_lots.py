"""Drawing targets by chance."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.upstream.balancing.lots import drawn, pairs, singles
from tests.upstream.balancing.world import targets_of

WEIGHTS = st.lists(st.integers(1, 6), min_size=2, max_size=6)
ALMOST_ONE = 1 - 2**-53


class LotsTests(SynchronousTestCase):
    @settings(deadline=None, max_examples=20)
    @given(WEIGHTS, st.integers(0, 9))
    def test_each_is_drawn_as_often_as_its_weight_says(self, weights: list[int], seed: int) -> None:
        targets, random = targets_of(weights), Random(seed).random
        one, pair = singles(targets, random), pairs(targets, random)
        for draw in (one, lambda: pair()[0], lambda: drawn(targets, weights, random)):
            got = Counter(draw() for _ in range(4000))
            for target in targets:
                # Six standard deviations of a share of one half, the widest.
                self.assertLess(abs(got[target] / 4000 - target.weight / sum(weights)), 6 * 0.5 / 4000**0.5)

    @settings(deadline=None)
    @given(WEIGHTS, st.integers(0, 99))
    def test_the_two_of_a_pair_differ(self, weights: list[int], seed: int) -> None:
        targets, random = targets_of(weights), Random(seed).random
        pair = pairs(targets, random)
        for one, other in (pair() for _ in range(20)):
            self.assertIsNot(one, other)

    def test_every_pair_of_equals_is_as_likely(self) -> None:
        targets = targets_of([1] * 4)
        pair = pairs(targets, Random(1).random)
        got = Counter(pair() for _ in range(12_000))
        self.assertEqual(len(got), 12)
        self.assertTrue(all(800 < count < 1200 for count in got.values()), got)

    def test_the_largest_number_that_chance_gives_is_still_a_target(self) -> None:
        for weights in ([1, 1, 1], [1, 2, 3]):
            targets = targets_of(weights)
            self.assertIs(singles(targets, lambda: ALMOST_ONE)(), targets[-1])
            self.assertIs(pairs(targets, lambda: ALMOST_ONE)()[0], targets[-1])
        self.assertIs(drawn(targets, [0.1, 0.2, 0.3], lambda: 1.0), targets[-1])
