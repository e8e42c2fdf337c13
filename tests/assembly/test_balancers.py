"""What a service chooses its targets by, from its configuration; and what of it a new configuration goes on with."""

from __future__ import annotations

from typing import Any

from zope.interface.verify import verifyObject

from apigateway.interfaces import IBalancer
from apigateway.upstream.balancing.chance import Chance
from apigateway.upstream.balancing.hashing import Hashing
from apigateway.upstream.balancing.latency import LatencyAware
from apigateway.upstream.balancing.least_requests import LeastRequests
from apigateway.upstream.balancing.only import Only
from apigateway.upstream.balancing.round_robin import RoundRobin
from apigateway.upstream.balancing.sticky import Sticky
from apigateway.upstream.service import Service
from tests.assembly.world import AssemblyTestCase

KINDS: dict[str, type[Any]] = {
    "least-requests": LeastRequests,
    "round-robin": RoundRobin,
    "hash": Hashing,
    "latency": LatencyAware,
    "random": Chance,
}


def configured(balance: str = "", targets: str = "http://a, http://b", more: str = "") -> str:
    """A service with some targets."""
    balanced = f"balance: {balance}" if balance else ""
    return f"services: {{shop: {{prefix: /shop, targets: [{targets}], {balanced or 'max_in_flight: 5'}{more}}}}}"


class BalancersTests(AssemblyTestCase):
    text = configured()

    def shop(self, *configuration: str) -> Service:
        return self.use(configured(*configuration)).services["shop"]

    def test_each_strategy_is_there_by_its_name(self) -> None:
        for name, kind in KINDS.items():
            balancer = self.shop(name).balancer
            self.assertIsInstance(balancer, kind)
            verifyObject(IBalancer, balancer)
            self.assertIsInstance(self.shop(f"{{strategy: {name}, slow_start: 0s}}").balancer, kind)

    def test_least_requests_is_what_nobody_has_to_ask_for(self) -> None:
        self.assertIsInstance(self.shop().balancer, LeastRequests)

    def test_one_target_costs_nothing_whatever_is_asked_for(self) -> None:
        for name in KINDS:
            shop = self.shop(f"{{strategy: {name}, sticky: {{secret: 0123456789abcdef}}}}", "http://a")
            self.assertIsInstance(shop.balancer, Only)
            self.assertIsNone(shop.sticky)

    def test_the_cookie_is_called_after_the_service_or_as_it_is_told_to(self) -> None:
        for told, name in (("", "gateway-target-shop"), (", cookie: stay", "stay")):
            shop = self.shop(f"{{sticky: {{secret: 0123456789abcdef{told}}}}}")
            self.assertIsInstance(shop.sticky, Sticky)
            self.assertIs(shop.balancer, shop.sticky)
            self.assertIn(f"<Sticky {name} <LeastRequests", repr(shop.sticky))

    def test_only_where_it_is_chosen_by_is_it_noted_how_long_answers_take(self) -> None:
        self.assertIsNone(self.shop().targets[0].latency)
        noted = self.shop("latency").targets[0].latency
        assert noted is not None
        noted.learn(0.5, 0.0)
        self.assertIs(self.shop("latency", "'http://a', {url: 'http://b', weight: 3}").targets[0].latency, noted)
        self.assertIsNot(self.shop("{strategy: latency, decay: 1s}").targets[0].latency, noted)


class KeptTests(AssemblyTestCase):
    text = configured()

    def words(self) -> list[str]:
        return [target.standing.word for target in self.snapshot.services["shop"].targets]

    def change(self, targets: str, more: str = "") -> None:
        self.snapshot = self.use(configured("", targets, more))
        self.sweep()

    def test_at_the_start_all_targets_have_their_whole_share(self) -> None:
        self.sweep()
        self.assertEqual(self.words(), ["in", "in"])

    def test_one_that_is_new_starts_slowly_and_the_others_go_on(self) -> None:
        self.sweep()
        self.change("http://a, http://b, http://c")
        self.assertEqual(self.words(), ["in", "in", "returning"])

    def test_where_all_are_new_each_has_its_share_at_once(self) -> None:
        self.sweep()
        self.change("http://d, http://e")
        self.assertEqual(self.words(), ["in", "in"])

    def test_an_ejection_outlives_a_change_of_weights(self) -> None:
        self.sweep()
        standing = self.snapshot.services["shop"].targets[0].standing
        standing.is_ejected, standing.ejected_until = True, 99.0
        standing.leave()
        self.change("{url: 'http://a', weight: 3}, http://b")
        self.assertEqual(self.words(), ["ejected", "in"])

    def test_but_not_the_end_of_ejections(self) -> None:
        self.sweep()
        standing = self.snapshot.services["shop"].targets[0].standing
        standing.is_ejected, standing.ejected_until = True, 99.0
        standing.leave()
        self.change("http://a, http://b", ", outliers: false")
        self.assertEqual(self.words(), ["returning", "in"])

    def test_a_panic_goes_on_as_the_same_one(self) -> None:
        for target in self.snapshot.services["shop"].targets:
            target.health.healthy = False
        self.sweep()
        oversight = self.snapshot.services["shop"].oversight
        self.change("{url: 'http://a', weight: 3}, http://b")
        now = self.snapshot.services["shop"]
        assert oversight is not None
        assert now.oversight is not None
        self.assertTrue(now.in_panic)
        self.assertIs(now.oversight.panic, oversight.panic)
        self.assertFalse(Service("x", (), now.terms, now.budget, self.network.now).in_panic)
