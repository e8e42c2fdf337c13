"""The same key to the same target, within bounds."""

from __future__ import annotations

from math import ceil
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from apigateway.interfaces import IBalancer
from apigateway.testing.exchanges import exchange_for
from apigateway.upstream.balancing.group import Group
from apigateway.upstream.balancing.hashing import Hashing
from apigateway.upstream.balancing.keys import key_of
from apigateway.upstream.balancing.least_requests import LeastRequests
from tests.upstream.balancing.world import EVENTS, befall, order, pick, shares, strategies, targets_of

CLIENTS = [f"10.0.{at // 250}.{at % 250}" for at in range(400)]


class HashingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.targets = targets_of([1, 1, 1])
        self.group = Group(self.targets, 10.0)
        self.group.review(0.0)
        self.balancer = strategies(self.group)["hash"]

    def owners(self, now: float = 0.0) -> list[str]:
        return [target.url if (target := pick(self.balancer, now, client)) else "-" for client in CLIENTS]

    def test_it_is_a_balancer(self) -> None:
        verifyObject(IBalancer, self.balancer)
        self.assertEqual(repr(self.balancer), "<Hashing target-0:0 target-1:0 target-2:0>")

    def test_a_client_comes_to_the_same_target_again_and_again(self) -> None:
        self.assertEqual(self.owners(), self.owners())
        self.assertEqual(len(set(self.owners())), 3)

    def test_when_a_target_goes_only_its_clients_move_and_they_come_back_with_it(self) -> None:
        before = self.owners()
        self.targets[1].health.healthy = False
        during = self.owners(1.0)
        for old, new in zip(before, during, strict=True):
            self.assertTrue(new == old if old != "target-1" else new != "target-1")
        self.targets[1].health.healthy = True
        some, again, all_of_them = self.owners(2.0), self.owners(2.0), self.owners(12.0)
        back = some.count("target-1")
        self.assertTrue(0 < back < before.count("target-1") / 3, "a tenth at first")
        self.assertEqual(some, again, "and always the same")
        self.assertEqual(all_of_them, before)

    def test_who_fails_at_one_target_goes_on_to_the_others_in_the_order_of_its_key(self) -> None:
        self.assertEqual(sorted(order(self.balancer)), sorted("target-0target-1target-2"))

    def test_what_has_no_key_goes_where_least_is_going_on(self) -> None:
        group = self.group
        balancer = Hashing(group, key_of("header:X-Tenant", str), 1.25, LeastRequests(group, Random(1).random))
        self.targets[0].in_flight = 5
        found = {balancer.pick(exchange_for(), 0.0) for _ in range(50)}
        self.assertEqual(found, {self.targets[1], self.targets[2]})

    def test_a_key_that_all_ask_for_spills_over_when_its_target_has_too_much_to_do(self) -> None:
        picks = []
        for _ in range(30):
            target = pick(self.balancer)
            assert target is not None
            target.in_flight += 1
            picks.append(target.url)
        self.assertEqual(max(target.in_flight for target in self.targets), ceil(1.25 * 30 / 3))
        self.assertEqual(len(set(picks)), 3)

    def test_none_is_left_when_all_rest(self) -> None:
        befall(self.targets, [(0, "trip"), (1, "trip"), (2, "trip")])
        self.assertIsNone(pick(self.balancer))

    @settings(deadline=None, max_examples=20)
    @given(st.lists(st.integers(1, 5), min_size=2, max_size=5))
    def test_shares_follow_the_weights(self, weights: list[int]) -> None:
        targets, count = targets_of(weights), 3000
        got = shares(strategies(Group(targets))["hash"], count)
        for target in targets:
            # Six standard deviations of a share of one half, the widest.
            self.assertLess(abs(got[target.url] / count - target.weight / sum(weights)), 6 * 0.5 / count**0.5)

    @settings(deadline=None)
    @given(st.lists(st.integers(1, 5), min_size=2, max_size=6), EVENTS, st.lists(st.integers(0, 9), max_size=80))
    def test_nobody_gets_more_than_the_bound_of_its_share(
        self, weights: list[int], events: list[tuple[int, str]], clients: list[int]
    ) -> None:
        targets = targets_of(weights)
        group = Group(targets, 10.0)
        balancer = strategies(group)["hash"]
        befall(targets, events)
        for client in clients:
            picked = pick(balancer, 0.0, CLIENTS[client])
            if picked is None:
                continue
            all_weight = sum(target.weight for target in group.fit(0.0))
            in_flight = 1 + sum(target.in_flight for target in targets)
            self.assertLess(picked.in_flight, ceil(1.25 * in_flight * picked.weight / all_weight))
            picked.in_flight += 1
