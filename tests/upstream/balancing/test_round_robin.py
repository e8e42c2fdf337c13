"""Which targets get which share of the exchanges when they take turns."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from apigateway.interfaces import IBalancer
from apigateway.upstream.balancing.round_robin import RoundRobin
from tests.upstream.balancing.world import make_target, order, pick, targets_of, trip

WEIGHTS = st.lists(st.integers(1, 6), min_size=2, max_size=6)


class RoundRobinTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.a, self.b, self.c = self.targets = [make_target(name) for name in "abc"]
        self.balancer = RoundRobin(self.targets)

    def picks(self, count: int, now: float = 0.0) -> str:
        return "".join(target.url if (target := pick(self.balancer, now)) else "-" for _ in range(count))

    def test_it_is_a_balancer(self) -> None:
        verifyObject(IBalancer, self.balancer)

    def test_targets_take_turns(self) -> None:
        self.assertEqual(self.picks(7), "abcabca")

    def test_who_fails_at_one_target_goes_on_to_the_others_each_once(self) -> None:
        self.assertEqual(order(self.balancer), "abc")

    def test_a_heavier_target_gets_more_without_a_run(self) -> None:
        self.balancer = RoundRobin([make_target("a", 3), make_target("b"), make_target("c")])
        self.assertEqual(self.picks(10), "abacaabaca")

    def test_an_unhealthy_target_is_passed_over(self) -> None:
        self.b.health.healthy = False
        self.assertEqual(self.picks(4), "acac")

    def test_a_target_that_is_healthy_again_gets_its_share_again(self) -> None:
        self.b.health.healthy = False
        self.picks(6)
        self.b.health.healthy = True
        self.assertEqual(Counter(self.picks(9)), {"a": 3, "b": 3, "c": 3})

    def test_a_target_that_rests_gets_no_share(self) -> None:
        trip(self.b)
        self.assertEqual(self.picks(3), "aca")

    def test_it_gets_its_share_again_when_its_rest_is_over(self) -> None:
        trip(self.b)
        self.picks(6)
        self.assertEqual(Counter(self.picks(9, now=30.0)), {"a": 3, "b": 3, "c": 3})

    def test_repr_tells_the_credits(self) -> None:
        self.picks(1)
        self.assertEqual(repr(self.balancer), "<RoundRobin a -2, b +1, c +1>")


class ShareTests(SynchronousTestCase):
    @settings(deadline=None)
    @given(WEIGHTS)
    def test_every_cycle_follows_the_weights_exactly(self, weights: list[int]) -> None:
        targets = targets_of(weights)
        balancer = RoundRobin(targets)
        for _ in range(3):
            picks = Counter(pick(balancer) for _ in range(sum(weights)))
            self.assertEqual(picks, {target: target.weight for target in targets})

    @settings(deadline=None)
    @given(st.integers(2, 6), st.integers(0, 5))
    def test_equal_weights_never_give_the_same_target_twice_in_a_row(self, count: int, skipped: int) -> None:
        balancer = RoundRobin(targets_of([1] * count))
        picks = [pick(balancer) for _ in range(skipped + 20)]
        self.assertTrue(all(one is not other for one, other in pairwise(picks)))
