"""From a configuration to a snapshot: the tree, the routes, and what is kept between two snapshots."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from zope.interface.verify import verifyObject

from apigateway.assembly import Assembly, Registry, Surroundings
from apigateway.config.read import parse_text
from apigateway.http.answers import Answer
from apigateway.interfaces import ICircuitBreaker, IHealthChecker, ITransport
from apigateway.routing.snapshot import Snapshot
from apigateway.routing.tree import locate
from apigateway.testing.memory import MemoryNetwork
from apigateway.upstream.native_transport import NativeTransport
from apigateway.upstream.treq_transport import TreqTransport

FILE = """
services:
  shop:
    targets: [{url: "http://a:8002", weight: 3}, "http://b"]
    fallback: {status: 203, body: nothing}
    routes:
      - {path: /api}
      - {path: /api/admin, methods: [GET], rate_limit: {limit: 1, window: 1s}}
      - {path: /api, host: shop.example.com, strip_prefix: true}
  old: {prefix: /old, transport: treq, targets: ["http://c:81"], fallback: {service: shop}, circuit_breaker: false}
"""


class AssemblyTests(SynchronousTestCase):
    def setUp(self) -> None:
        network = MemoryNetwork()
        self.assembly = Assembly(
            Surroundings(network.reactor, network.reactor.connectTCP, network.now, Random(1)),
            adapt=lambda request: None,
        )
        self.configuration = parse_text(FILE, "test.yaml", {})
        self.snapshot = self.make()

    def make(self, pages: dict[bytes, Resource] | None = None) -> Snapshot:
        return self.assembly.snapshot(self.configuration, pages or {})

    def routes_at(self, path: bytes) -> list[tuple[str, str]]:
        _, proxy = locate(self.snapshot.resource, path)
        assert proxy is not None
        return [(route.service.name, route.name) for route in proxy.routes]

    def test_the_tree_has_a_node_for_each_prefix_with_its_routes(self) -> None:
        self.assertEqual(self.routes_at(b"/api/admin/x"), [("shop", "/api/admin")])
        self.assertEqual(self.routes_at(b"/old"), [("old", "/old")])

    def test_routes_that_ask_for_more_are_tried_first(self) -> None:
        self.assertEqual(self.routes_at(b"/api"), [("shop", "shop.example.com/api"), ("shop", "/api")])

    def test_each_service_gets_the_transport_that_it_names(self) -> None:
        kinds = {name: type(one.targets[0].transport) for name, one in self.snapshot.services.items()}
        self.assertEqual(kinds, {"shop": NativeTransport, "old": TreqTransport})

    def test_what_the_components_make_provides_its_interface(self) -> None:
        for one in self.snapshot.services.values():
            for target in one.targets:
                verifyObject(ITransport, target.transport)
        verifyObject(ICircuitBreaker, self.snapshot.services["shop"].targets[0].breaker)
        for checker in self.assembly.checkers(self.configuration, self.snapshot):
            verifyObject(IHealthChecker, checker)

    def test_a_breaker_that_is_switched_off_is_not_there(self) -> None:
        self.assertIsNone(self.snapshot.services["old"].targets[0].breaker)

    def test_hosts_leave_out_the_default_port(self) -> None:
        self.assertEqual([target.host for target in self.snapshot.services["shop"].targets], [b"a:8002", b"b"])

    def test_fallbacks_are_an_answer_or_the_other_service(self) -> None:
        fixed = self.snapshot.services["shop"].fallback
        assert isinstance(fixed, Answer)
        self.assertEqual((fixed.status, fixed.body), (203, b"nothing"))
        self.assertIs(self.snapshot.services["old"].fallback, self.snapshot.services["shop"])

    def test_targets_outlive_a_snapshot_and_services_do_not(self) -> None:
        again = self.make()
        self.assertIsNot(again.services["shop"], self.snapshot.services["shop"])
        self.assertIs(again.services["shop"].targets[0], self.snapshot.services["shop"].targets[0])

    def test_a_route_with_limits_of_its_own_counts_by_itself(self) -> None:
        self.assertEqual(len(self.assembly.registry.all("limiter")), 4, "three routes of shop, one of old")

    def test_the_pages_give_way_to_a_service_at_the_root(self) -> None:
        self.configuration = parse_text('services: {all: {prefix: /, targets: ["http://a"]}}', "test.yaml", {})
        root, health = Resource(), Resource()
        snapshot = self.make({b"/": root, b"/health": health})
        self.assertIsNone(locate(snapshot.resource, b"/")[0])
        self.assertIs(locate(snapshot.resource, b"/health/live")[0], health)


class RegistryTests(SynchronousTestCase):
    def test_a_thing_is_made_once_for_each_key(self) -> None:
        registry = Registry()
        made: list[Any] = [registry.keep(("target", name), object) for name in ("a", "b", "a")]
        self.assertIs(made[0], made[2])
        self.assertIsNot(made[0], made[1])
        self.assertEqual(registry.all("target"), made[:2])
