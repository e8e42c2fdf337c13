"""Targets by chance."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from apigateway.interfaces import IBalancer
from apigateway.upstream.balancing.chance import Chance
from apigateway.upstream.balancing.group import Group
from tests.upstream.balancing.world import make_target, order, shares, targets_of


class ChanceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.a, self.b = self.targets = [make_target("a", 3), make_target("b")]
        self.group = Group(self.targets, 10.0)
        self.group.review(0.0)
        self.balancer = Chance(self.group, Random(3).random)

    def test_it_is_a_balancer(self) -> None:
        verifyObject(IBalancer, self.balancer)
        self.assertEqual(repr(self.balancer), "<Chance a*3 b*1>")

    def test_who_fails_at_one_target_goes_on_to_the_other(self) -> None:
        self.assertEqual(sorted(order(self.balancer)), ["a", "b"])

    def test_one_that_returns_gets_little_at_first(self) -> None:
        self.b.standing.come_back(0.0, 10.0)
        # 0.1 of 3.1, then 1 of 4.
        got = [shares(self.balancer, 2000, now)["b"] for now in (0.0, 10.0)]
        self.assertTrue(25 < got[0] < 120 and 400 < got[1] < 600, got)

    @settings(deadline=None, max_examples=20)
    @given(st.lists(st.integers(1, 6), min_size=2, max_size=6), st.integers(0, 9))
    def test_shares_follow_the_weights(self, weights: list[int], seed: int) -> None:
        targets, count = targets_of(weights), 3000
        got = shares(Chance(Group(targets), Random(seed).random), count)
        for target in targets:
            # Six standard deviations of a share of one half, the widest.
            self.assertLess(abs(got[target.url] / count - target.weight / sum(weights)), 6 * 0.5 / count**0.5)
