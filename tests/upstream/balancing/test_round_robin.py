"""Which targets get which share of the exchanges when they take turns."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from apigateway.interfaces import IBalancer
from apigateway.upstream.balancing.group import Group
from apigateway.upstream.balancing.round_robin import LONGEST_ROUND, RoundRobin, fitting, one_round
from tests.upstream.balancing.world import make_target, order, pick, targets_of, trip

WEIGHTS = st.lists(st.integers(1, 6), min_size=2, max_size=6)


class RoundRobinTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.a, self.b, self.c = self.targets = [make_target(name) for name in "abc"]
        self.group = Group(self.targets, 10.0)
        self.balancer = RoundRobin(self.group)

    def picks(self, count: int, now: float = 0.0) -> str:
        return "".join(target.url if (target := pick(self.balancer, now)) else "-" for _ in range(count))

    def test_it_is_a_balancer(self) -> None:
        verifyObject(IBalancer, self.balancer)

    def test_targets_take_turns(self) -> None:
        self.assertEqual(self.picks(7), "abcabca")

    def test_who_fails_at_one_target_goes_on_to_the_others_each_once(self) -> None:
        self.assertEqual(order(self.balancer), "abc")

    def test_a_heavier_target_gets_more_without_a_run(self) -> None:
        self.balancer = RoundRobin(Group([make_target("a", 3), make_target("b"), make_target("c")]))
        self.assertEqual(self.picks(10), "abacaabaca")

    def test_an_unhealthy_target_is_passed_over(self) -> None:
        self.b.health.healthy = False
        self.assertEqual(self.picks(4), "acac")

    def test_a_target_that_is_healthy_again_gets_its_share_again_after_a_while(self) -> None:
        self.b.health.healthy = False
        self.picks(6)
        self.b.health.healthy = True
        self.assertEqual(Counter(self.picks(30, now=1.0))["b"], 1, "a tenth of its share at first")
        self.assertEqual(Counter(self.picks(9, now=11.0)), {"a": 3, "b": 3, "c": 3})

    def test_a_target_that_rests_gets_no_share(self) -> None:
        trip(self.b)
        self.assertEqual(self.picks(3), "aca")

    def test_it_is_tried_again_when_its_rest_is_over(self) -> None:
        trip(self.b)
        self.picks(6)
        self.assertEqual(Counter(self.picks(9, now=30.0)), {"a": 3, "b": 3, "c": 3})

    def test_where_all_others_were_tried_one_that_returns_is_not_waited_for(self) -> None:
        self.group.review(0.0)
        self.b.standing.come_back(0.0, 10.0)
        self.assertEqual(sorted(order(self.balancer)), ["a", "b", "c"])

    def test_repr_tells_whose_turn_is_next(self) -> None:
        self.picks(1)
        self.assertEqual(repr(self.balancer), "<RoundRobin a*1 b*1 c*1 next=b>")


class ShareTests(SynchronousTestCase):
    @settings(deadline=None)
    @given(WEIGHTS)
    def test_every_round_follows_the_weights_exactly(self, weights: list[int]) -> None:
        targets = targets_of(weights)
        balancer = RoundRobin(Group(targets))
        for _ in range(3):
            picks = Counter(pick(balancer) for _ in range(sum(weights)))
            self.assertEqual(picks, {target: target.weight for target in targets})

    @settings(deadline=None)
    @given(st.integers(2, 6), st.integers(0, 5))
    def test_equal_weights_never_give_the_same_target_twice_in_a_row(self, count: int, skipped: int) -> None:
        balancer = RoundRobin(Group(targets_of([1] * count)))
        picks = [pick(balancer) for _ in range(skipped + 20)]
        self.assertTrue(all(one is not other for one, other in pairwise(picks)))

    @settings(deadline=None)
    @given(st.lists(st.integers(1, 6), min_size=3, max_size=6), st.integers(0, 5))
    def test_without_one_the_shares_of_the_others_stay_true(self, weights: list[int], without: int) -> None:
        targets = targets_of(weights)
        ill = targets[without % len(targets)]
        ill.health.healthy = False
        balancer = RoundRobin(Group(targets))
        picks = Counter(pick(balancer) for _ in range(sum(weights) - ill.weight))
        self.assertEqual(picks, {target: target.weight for target in targets if target is not ill})


class RoundTests(SynchronousTestCase):
    def test_a_round_is_as_short_as_the_proportions_allow(self) -> None:
        self.assertEqual(fitting([100, 200, 300]), [1, 2, 3])
        self.assertEqual(fitting([7]), [1])
        self.assertEqual(one_round([]), [])

    @settings(deadline=None)
    @given(st.lists(st.integers(1, 65_535), min_size=1, max_size=8))
    def test_weights_that_would_make_it_too_long_are_made_to_fit_and_stay_nearly_the_same(
        self, weights: list[int]
    ) -> None:
        fit = fitting(weights)
        self.assertLessEqual(sum(fit), LONGEST_ROUND + len(weights))
        for weight, made in zip(weights, fit, strict=True):
            self.assertLess(abs(made / sum(fit) - weight / sum(weights)), 2 * len(weights) / LONGEST_ROUND)

    def test_many_targets_get_a_turn_each_at_least(self) -> None:
        self.assertEqual(min(fitting([65_535, *[1] * 999])), 1)
