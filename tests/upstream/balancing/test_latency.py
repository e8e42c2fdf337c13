"""The one of two that will probably answer sooner."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from apigateway.interfaces import IBalancer
from apigateway.upstream.balancing.group import Group
from apigateway.upstream.balancing.latency import UNKNOWN_S, LatencyAware, cost
from apigateway.upstream.target import Target
from tests.upstream.balancing.world import keep_busy, make_target, order, shares, targets_of, trip


class LatencyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.a, self.b, self.c = self.targets = [make_target(name, 1, 10.0) for name in "abc"]
        self.group = Group(self.targets, 10.0)
        self.group.review(0.0)
        self.balancer = LatencyAware(self.group, Random(5).random)

    def learn(self, target: Target, seconds: float, now: float = 0.0) -> None:
        assert target.latency is not None
        target.latency.learn(seconds, now)

    def test_it_is_a_balancer(self) -> None:
        verifyObject(IBalancer, self.balancer)
        self.assertIn("a:<PeakEwma 0.000 ms>", repr(self.balancer))

    def test_the_slowest_is_not_picked_while_another_is_quicker(self) -> None:
        for target, seconds in zip(self.targets, (0.01, 0.5, 0.01), strict=True):
            self.learn(target, seconds)
        self.assertEqual(set(shares(self.balancer, 200)), {"a", "c"})

    def test_it_is_tried_again_when_its_slowness_has_faded(self) -> None:
        for target, seconds in zip(self.targets, (0.01, 0.5, 0.01), strict=True):
            self.learn(target, seconds)
        for target in (self.a, self.c):
            self.learn(target, 0.01, 60.0)
        self.assertIn("b", shares(self.balancer, 200, now=60.0))

    def test_a_quick_one_with_much_to_do_costs_as_much_as_a_slow_one(self) -> None:
        self.learn(self.a, 0.01)
        self.learn(self.b, 0.05)
        self.a.in_flight = 4
        self.assertEqual(cost(self.a, 1, 0.0), cost(self.b, 1, 0.0))
        self.assertEqual(cost(self.a, 2, 0.0), 0.01 * (4 / 2 + 1))

    def test_one_that_has_not_answered_yet_is_tried_first_but_only_once(self) -> None:
        self.learn(self.a, 0.01)
        self.learn(self.b, 0.01)
        self.assertEqual(cost(self.c, 1, 0.0), 0.0)
        self.c.in_flight = 1
        self.assertEqual(cost(self.c, 1, 0.0), 2 * UNKNOWN_S)

    def test_one_that_rests_is_probed_when_its_rest_is_over_and_then_judged_anew(self) -> None:
        for target, seconds in zip(self.targets, (0.01, 50.0, 0.01), strict=True):
            self.learn(target, seconds)
        trip(self.b)
        self.group.review(0.1)
        self.assertNotIn("b", shares(self.balancer, 100, now=29.0))
        self.assertIn("b", shares(self.balancer, 100, now=30.0))
        breaker = self.b.breaker
        assert breaker is not None
        breaker.success(breaker.allows(30.0), 30.0)
        self.group.review(30.0)
        self.assertEqual(cost(self.b, 1, 30.0), 0.0)

    def test_who_fails_at_one_target_goes_on_to_the_others_each_once(self) -> None:
        self.assertEqual(sorted(order(self.balancer)), ["a", "b", "c"])

    def test_one_that_returns_is_spared_at_first(self) -> None:
        for target in self.targets:
            self.learn(target, 0.01)
        self.b.standing.come_back(0.0, 10.0)
        self.assertLess(shares(self.balancer, 300)["b"], 15)

    @settings(deadline=None, max_examples=15)
    @given(st.lists(st.integers(1, 4), min_size=2, max_size=4), st.integers(0, 9))
    def test_with_much_going_on_shares_of_equally_quick_ones_follow_the_weights(
        self, weights: list[int], seed: int
    ) -> None:
        targets = targets_of(weights, 10.0)
        got = keep_busy(LatencyAware(Group(targets), Random(seed).random), targets, 60, 3000, seed)
        for target in targets:
            self.assertLess(abs(got[target.url] / 3000 - target.weight / sum(weights)), 0.05)
