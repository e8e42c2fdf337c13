"""The less busy of two."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from apigateway.interfaces import IBalancer
from apigateway.upstream.balancing.group import Group
from apigateway.upstream.balancing.least_requests import LeastRequests
from tests.upstream.balancing.world import keep_busy, make_target, order, shares, targets_of, trip


class LeastRequestsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.a, self.b, self.c = self.targets = [make_target(name) for name in "abc"]
        self.group = Group(self.targets, 10.0)
        self.group.review(0.0)
        self.balancer = LeastRequests(self.group, Random(7).random)

    def test_it_is_a_balancer(self) -> None:
        verifyObject(IBalancer, self.balancer)

    def test_the_busiest_is_never_picked(self) -> None:
        self.b.in_flight = 3
        self.assertEqual(set(shares(self.balancer, 200)), {"a", "c"})

    def test_a_heavier_target_may_have_more_to_do(self) -> None:
        heavy, light = make_target("h", 10), make_target("l", 1)
        heavy.in_flight, light.in_flight = 9, 1
        balancer = LeastRequests(Group([heavy, light]), Random(1).random)
        self.assertEqual(set(shares(balancer, 100)), {"h"})

    def test_who_fails_at_one_target_goes_on_to_the_others_each_once(self) -> None:
        self.assertEqual(sorted(order(self.balancer)), ["a", "b", "c"])

    def test_one_that_rests_gets_nothing_and_all_of_them_none(self) -> None:
        trip(self.b)
        self.assertEqual(set(shares(self.balancer, 100)), {"a", "c"})
        trip(self.a)
        trip(self.c)
        self.assertEqual(shares(self.balancer, 10), {})

    def test_one_that_returns_gets_little_at_first_and_then_more(self) -> None:
        self.b.standing.come_back(0.0, 10.0)
        got = [shares(self.balancer, 2000, now)["b"] for now in (0.0, 5.0, 10.0)]
        self.assertTrue(40 < got[0] < 160 and 360 < got[1] < 500 and 560 < got[2] < 780, got)

    def test_repr_tells_how_busy_each_is(self) -> None:
        self.b.in_flight = 2
        self.assertEqual(repr(self.balancer), "<LeastRequests a:0 b:2 c:0>")

    @settings(deadline=None, max_examples=20)
    @given(st.lists(st.integers(1, 9), min_size=3, max_size=5), st.integers(0, 9))
    def test_without_one_the_shares_of_the_others_stay_true(self, weights: list[int], seed: int) -> None:
        targets, count = targets_of(weights), 3000
        targets[0].health.healthy = False
        got = shares(LeastRequests(Group(targets), Random(seed).random), count)
        for target in targets[1:]:
            # Six standard deviations of a share of one half, the widest.
            share = target.weight / sum(weights[1:])
            self.assertLess(abs(got[target.url] / count - share), 6 * 0.5 / count**0.5)

    @settings(deadline=None, max_examples=20)
    @given(st.lists(st.integers(1, 5), min_size=2, max_size=5), st.sampled_from((0, 1, 60)), st.integers(0, 9))
    def test_shares_follow_the_weights_with_nothing_going_on_and_with_much(
        self, weights: list[int], at_once: int, seed: int
    ) -> None:
        targets, count = targets_of(weights), 3000
        balancer = LeastRequests(Group(targets), Random(seed).random)
        got = keep_busy(balancer, targets, at_once, count) if at_once > 1 else shares(balancer, count)
        for target in targets:
            # What is busier is passed over, so shares are truer than by chance alone; this is wide of even that.
            self.assertLess(abs(got[target.url] / count - target.weight / sum(weights)), 0.07)
