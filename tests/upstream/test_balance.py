"""Which targets get which share of the exchanges, and which are passed over."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.model import CircuitBreaker as Options
from apigateway.upstream.balance import RoundRobin
from apigateway.upstream.breaker import CircuitBreaker
from apigateway.upstream.health import TargetHealth
from apigateway.upstream.target import Target

NO_TRANSPORT: Any = None
WEIGHTS = st.lists(st.integers(1, 6), min_size=1, max_size=6)


def make_target(name: str, weight: int = 1) -> Target:
    breaker = CircuitBreaker(Options(failures=1, recovery=30.0), lambda *change: None)
    return Target(name, name.encode(), weight, NO_TRANSPORT, breaker, TargetHealth())


def targets_of(weights: list[int]) -> list[Target]:
    return [make_target(f"target-{number}", weight) for number, weight in enumerate(weights)]


def trip(target: Target, now: float = 0.0) -> None:
    assert target.breaker is not None
    target.breaker.failure(target.breaker.allows(now), now, "status 500")


class RoundRobinTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.a, self.b, self.c = self.targets = [make_target(name) for name in "abc"]
        self.balance = RoundRobin(self.targets)

    def order(self, now: float = 0.0) -> str:
        return "".join(target.url for target in self.balance.candidates(now))

    def picks(self, count: int, now: float = 0.0) -> str:
        return "".join(self.order(now)[0] for _ in range(count))

    def test_targets_take_turns(self) -> None:
        self.assertEqual(self.picks(7), "abcabca")

    def test_the_others_follow_the_pick_each_once(self) -> None:
        self.assertEqual([self.order() for _ in range(3)], ["abc", "bca", "cab"])

    def test_a_heavier_target_gets_more_without_a_run(self) -> None:
        self.balance = RoundRobin([make_target("a", 3), make_target("b"), make_target("c")])
        self.assertEqual(self.picks(10), "abacaabaca")

    def test_a_single_target_is_always_the_pick_whatever_its_state(self) -> None:
        self.balance = RoundRobin([self.a])
        self.a.health.healthy = False
        trip(self.a)
        self.assertEqual([self.order(), self.order()], ["a", "a"])

    def test_without_targets_there_is_no_candidate(self) -> None:
        self.assertEqual(RoundRobin([]).candidates(0.0), ())

    def test_an_unhealthy_target_is_passed_over(self) -> None:
        self.b.health.healthy = False
        self.assertEqual([self.order(), self.order()], ["ac", "ca"])

    def test_a_target_that_is_healthy_again_gets_its_share_again(self) -> None:
        self.b.health.healthy = False
        self.picks(6)
        self.b.health.healthy = True
        self.assertEqual(Counter(self.picks(9)), {"a": 3, "b": 3, "c": 3})

    def test_all_are_tried_when_none_is_healthy(self) -> None:
        for target in self.targets:
            target.health.healthy = False
        self.assertEqual([self.order(), self.order()], ["abc", "bca"])

    def test_a_target_whose_breaker_is_open_comes_last_and_gets_no_share(self) -> None:
        trip(self.b)
        self.assertEqual([self.order() for _ in range(3)], ["acb", "cab", "acb"])

    def test_it_gets_its_share_again_when_its_rest_is_over(self) -> None:
        trip(self.b)
        self.picks(6)
        self.assertEqual(Counter(self.picks(9, now=30.0)), {"a": 3, "b": 3, "c": 3})

    def test_a_healthy_target_that_rests_is_preferred_to_an_unhealthy_one(self) -> None:
        trip(self.b)
        self.a.health.healthy = self.c.health.healthy = False
        self.assertEqual(self.order(), "b")

    def test_all_are_candidates_when_all_rest(self) -> None:
        for target in self.targets:
            trip(target)
        self.assertEqual(self.order(), "abc")

    def test_a_target_without_a_breaker_never_rests(self) -> None:
        self.b.breaker = None
        self.assertEqual(self.picks(3), "abc")


class ShareTests(SynchronousTestCase):
    @settings(deadline=None)
    @given(WEIGHTS)
    def test_every_cycle_follows_the_weights_exactly(self, weights: list[int]) -> None:
        targets = targets_of(weights)
        balance = RoundRobin(targets)
        for _ in range(3):
            picks = Counter(balance.candidates(0.0)[0].url for _ in range(sum(weights)))
            self.assertEqual(picks, {target.url: target.weight for target in targets})

    @settings(deadline=None)
    @given(WEIGHTS, st.lists(st.tuples(st.integers(0, 5), st.sampled_from(("ill", "well", "trip", "pick")))))
    def test_candidates_are_the_healthy_targets_or_all_each_once(
        self, weights: list[int], events: list[tuple[int, str]]
    ) -> None:
        targets = targets_of(weights)
        balance = RoundRobin(targets)
        for which, event in events:
            target = targets[which % len(targets)]
            if event == "trip" and target.breaker is not None and target.breaker.state == "closed":
                trip(target)
            elif event in ("ill", "well"):
                target.health.healthy = event == "well"
            candidates = balance.candidates(0.0)
            expected = [one for one in targets if one.health.healthy] or targets
            self.assertCountEqual([one.url for one in candidates], [one.url for one in expected])
            resting = [one.breaker is not None and one.breaker.retry_after(0.0) > 0 for one in candidates]
            self.assertEqual(resting, sorted(resting))

    @settings(deadline=None)
    @given(st.integers(2, 6), st.integers(0, 5))
    def test_equal_weights_never_give_the_same_target_twice_in_a_row(self, count: int, skipped: int) -> None:
        balance = RoundRobin(targets_of([1] * count))
        picks = [balance.candidates(0.0)[0].url for _ in range(skipped + 20)]
        self.assertTrue(all(one != other for one, other in pairwise(picks)))
