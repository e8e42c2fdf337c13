"""From a configuration to a snapshot: the tree, the routes, and what is kept between two snapshots."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from zope.interface.verify import verifyObject

from apigateway.assembly import Assembly
from apigateway.components import Surroundings
from apigateway.config.read import parse_text
from apigateway.http.answers import Answer
from apigateway.interfaces import ICircuitBreaker, IHealthChecker, ITransport
from apigateway.registry import Registry
from apigateway.routing.snapshot import Snapshot
from apigateway.routing.tree import locate
from apigateway.testing.exchanges import exchange_for
from apigateway.testing.memory import MemoryNetwork
from apigateway.testing.scripted_service import ScriptedService
from apigateway.testing.steps import Stall
from apigateway.upstream.native_transport import NativeTransport
from apigateway.upstream.treq_transport import TreqTransport
from tests.upstream.native_world import starting

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


class AssemblyTestCase(SynchronousTestCase):
    """An assembly in virtual time, which has used `FILE`."""

    text = FILE

    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.assembly = Assembly(
            Surroundings(self.network.reactor, self.network.reactor.connectTCP, self.network.now, Random(1)),
            adapt=lambda request: None,
        )
        self.snapshot = self.use(self.text)

    def use(self, text: str, pages: dict[bytes, Resource] | None = None) -> Snapshot:
        """Go on with another configuration."""
        plan = self.assembly.plan(parse_text(text, "test.yaml", {}), pages or {})
        self.assembly.use(plan)
        return plan.snapshot

    @property
    def registry(self) -> Registry:
        return self.assembly.registry

    def sweep(self) -> None:
        """What is done every fraction of a second."""
        for sweep in self.assembly.sweeps():
            sweep(self.network.now())


class AssemblyTests(AssemblyTestCase):
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
        checkers = self.registry.all("checker")
        self.assertEqual(len(checkers), 2)
        for checker in checkers:
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

    def test_a_route_with_limits_of_its_own_counts_by_itself(self) -> None:
        self.assertEqual(len(self.assembly.registry.all("limiter")), 4, "three routes of shop, one of old")

    def test_the_pages_give_way_to_a_service_at_the_root(self) -> None:
        root, health = Resource(), Resource()
        text = 'services: {all: {prefix: /, targets: ["http://a"]}}'
        snapshot = self.use(text, {b"/": root, b"/health": health})
        self.assertIsNone(locate(snapshot.resource, b"/")[0])
        self.assertIs(locate(snapshot.resource, b"/health/live")[0], health)


RULES = """
services:
  gold: {targets: ["http://a"], routes: [{path: /api, match_headers: {X-Tier: gold}}]}
  shop:
    targets: ["http://a"]
    prefix: /api
    content_types: [text/plain]
    required_headers: [X-Sender]
    rate_limit: [{limit: 1, window: 1s}, {limit: 1, window: 1s, key: "header:X_Key"}]
    headers:
      set_request: {X-User: anon}
      remove_request: [X-Internal]
      set_response: {X_Set: "1"}
      remove_response: [X-Debug]
  bare: {prefix: /bare, targets: ["http://a"], rate_limit: false, headers: {hide_server: false}}
"""


class RuleTests(AssemblyTestCase):
    text = RULES

    def setUp(self) -> None:
        super().setUp()
        self.plans = {route.service.name: route.plan for route in self.snapshot.routes}

    def test_what_a_route_says_of_request_fields_and_what_any_is_chosen_by_is_for_heads_only(self) -> None:
        rules = {b"x-tier", b"content-type", b"x-sender", b"x-key", b"x-user", b"x-internal"}
        self.assertEqual(self.plans["shop"].in_request_head, rules)
        self.assertEqual(self.plans["bare"].in_request_head, {b"x-tier"})

    def test_and_so_is_what_it_says_of_those_of_answers(self) -> None:
        rules = {b"x-set", b"x-debug", b"server", b"x-powered-by"}
        self.assertEqual(self.plans["shop"].in_answer_head, rules)
        self.assertEqual(self.plans["bare"].in_answer_head, set())


ONE = """
limits: {head_timeout: HEAD}
services:
  shop:
    prefix: /shop
    targets: [{url: "http://a:1", weight: WEIGHT}]
    timeouts: {connect: CONNECT, response: RESPONSE}
    circuit_breaker: {failures: 1, recovery: RECOVERY}
    health_check: {path: PATH, interval: INTERVAL}
    rate_limit: {limit: LIMIT, window: 60s}
"""
FIRST = {"HEAD": "1s", "WEIGHT": "1", "CONNECT": "5s", "RESPONSE": "30s", "RECOVERY": "30s", "PATH": "/health",
         "INTERVAL": "10s", "LIMIT": "5"}  # fmt: skip


def one(**changes: str) -> str:
    """The configuration `ONE` with some values changed, each by its place."""
    text = ONE
    for place, value in (FIRST | changes).items():
        text = text.replace(place, value)
    return text


class ChangeTests(AssemblyTestCase):
    """What lives on when a configuration changes, and what begins anew."""

    text = one()

    def setUp(self) -> None:
        super().setUp()
        self.target = self.snapshot.services["shop"].targets[0]
        assert self.target.breaker is not None
        self.target.breaker.failure(self.target.breaker.allows(0.0), 0.0, "status 503")
        self.target.health.observe(False, 0.0, 0.1, "status 500", 1)
        (self.limiter,) = self.registry.all("limiter")
        self.limiter.admit("a client", 0.0)

    def same(self, text: str) -> set[str]:
        """Which parts of the only service live on with another configuration."""
        before = self.parts()
        self.snapshot = self.use(text)
        return {name for name, part in self.parts().items() if part is before[name]}

    def parts(self) -> dict[str, object]:
        service = self.snapshot.services["shop"]
        (target,), (limiter,), (checker,) = service.targets, self.registry.all("limiter"), self.registry.all("checker")
        return {
            "pool": target.transport, "breaker": target.breaker, "health": target.health, "checker": checker,
            "limiter": limiter, "budget": service.budget, "exchanges": service.active, "service": service,
        }  # fmt: skip

    ALL = {"pool", "breaker", "health", "checker", "limiter", "budget", "exchanges"}

    def test_what_has_nothing_to_do_with_a_service_leaves_all_of_it_alone(self) -> None:
        self.assertEqual(self.same(one(HEAD="2s")), self.ALL)

    def test_each_change_begins_anew_only_what_it_is_about(self) -> None:
        for change, anew in (
            ({"RESPONSE": "3s"}, set()),
            ({"WEIGHT": "7"}, set()),
            ({"CONNECT": "1s"}, {"pool"}),
            ({"RECOVERY": "1s"}, {"breaker"}),
            ({"LIMIT": "9"}, {"limiter"}),
            ({"INTERVAL": "1s"}, {"checker"}),
            ({"PATH": "/up"}, {"checker", "health"}),
        ):
            self.assertEqual(self.same(one(**change)), self.ALL - anew, change)
            self.same(one())

    def test_an_open_breaker_and_a_bad_health_are_still_so_when_timeouts_and_weights_have_changed(self) -> None:
        shop = self.use(one(RESPONSE="3s", WEIGHT="2", CONNECT="2s")).services["shop"]
        target = shop.targets[0]
        assert target.breaker is not None
        self.assertEqual((target.breaker.state, target.health.healthy, target.weight), ("open", False, 2))
        self.assertEqual(shop.limits.response, 3.0)

    def test_the_counts_of_a_target_go_on_in_the_one_that_takes_its_place(self) -> None:
        self.target.attempts, self.target.failures, self.target.in_flight = 5, 2, 1
        new = self.use(one(WEIGHT="2")).services["shop"].targets[0]
        self.assertEqual((new.attempts, new.failures), (5, 2))
        new.attempts += 1
        self.target.failures += 1
        self.sweep()
        self.assertEqual((new.attempts, new.failures), (6, 3), "the last attempt at the old one has failed")

    def test_a_health_that_is_no_longer_checked_counts_for_nothing(self) -> None:
        text = one().replace("health_check: {path: /health, interval: 10s}", "health_check: false")
        self.assertTrue(self.use(text).services["shop"].targets[0].health.healthy)
        self.assertEqual(self.registry.all("checker"), [])

    def test_the_names_of_targets_are_remembered_as_long_as_the_new_configuration_says(self) -> None:
        self.use("dns_ttl: 3s" + one())
        self.assertEqual(self.assembly._resolver.ttl_s, 3.0)

    def test_a_plan_that_nobody_uses_leaves_no_trace(self) -> None:
        before = repr(self.registry)
        self.assembly.plan(parse_text(one(WEIGHT="2", CONNECT="1s"), "test.yaml", {}), {})
        self.assertEqual(repr(self.registry), before)


class Worker:
    """Whoever is at work on an exchange, until `deadline`."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.exchange = exchange_for()
        self.ends = 0

    def expired(self) -> None:
        self.ends += 1


class LeavingTests(AssemblyTestCase):
    """What a new configuration no longer has is brought to its end, and forgotten."""

    text = one()

    def test_checks_stop_and_those_of_new_services_begin(self) -> None:
        self.assembly.start_checks()
        (old,) = self.registry.all("checker")
        self.use(one().replace("shop:", "store:"))
        (new,) = self.registry.all("checker")
        self.assertEqual(["running" in repr(checker) for checker in (old, new)], [False, True])
        self.assembly.stop_checks()
        self.assertNotIn("running", repr(new))

    def test_idle_connections_are_closed_at_once_and_busy_ones_when_they_are_not(self) -> None:
        service = ScriptedService()
        service.listen(self.network.reactor, 9000)
        self.snapshot = self.use(one().replace("http://a:1", "http://127.0.0.1:9000"))
        pool = self.snapshot.services["shop"].targets[0].transport
        for receiver in (starting(), starting()):
            pool.lease(receiver)
        self.network.pump()
        service.does(Stall())
        busy = starting()
        pool.lease(busy)
        self.network.pump()
        self.assertEqual(len(service.open_connections), 2, "one is busy and one idle")
        self.snapshot = self.use(one())
        self.sweep()
        self.network.pump()
        (connection,) = service.open_connections
        self.assertEqual(self.registry.left("transport"), [pool])
        connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")
        self.network.pump()
        self.assertEqual((busy.body, service.open_connections), (b"late", []))
        self.sweep()
        self.assertEqual(self.registry.left("transport"), [])

    def test_a_service_that_is_gone_is_swept_until_its_last_exchange_is_over(self) -> None:
        old = self.snapshot.services["shop"]
        self.snapshot = self.use(one().replace("shop:", "store:"))
        worker = Worker(self.network.now() + 30)
        old.bulkhead.enter(worker)
        self.sweep()
        self.assertIn(old.sweep, self.assembly.sweeps())
        self.network.advance(31)
        self.sweep()
        self.assertEqual(worker.ends, 1)
        old.bulkhead.leave(worker)
        sweep_of = old.sweep
        del old
        self.sweep()
        self.assertNotIn(sweep_of, self.assembly.sweeps())

    def test_nothing_is_forgotten_that_an_exchange_could_still_come_to(self) -> None:
        pool = self.snapshot.services["shop"].targets[0].transport
        exchange_began_with = self.snapshot
        self.snapshot = self.use(one(CONNECT="1s"))
        self.sweep()
        self.assertEqual(self.registry.left("transport"), [pool])
        del exchange_began_with
        self.sweep()
        self.assertEqual(self.registry.left("transport"), [])

    def test_thousands_of_changes_leave_nothing_behind(self) -> None:
        texts = [one(), one(WEIGHT="2", CONNECT="1s", LIMIT="7", PATH="/up", RECOVERY="9s").replace("shop", "store")]
        plans = [parse_text(text, "test.yaml", {}) for text in texts]
        self.assembly.start_checks()
        kept, timers = set(), set()
        for number in range(2000):
            plan = self.assembly.plan(plans[number % 2], {})
            self.assembly.use(plan)
            self.snapshot = plan.snapshot
            self.sweep()
            kept.add(repr(self.registry))
            timers.add(len(self.network.reactor.getDelayedCalls()))
        self.assertLessEqual(len(kept), 3, kept)
        self.assertLessEqual(max(timers), 4)

    def test_nor_do_they_while_one_long_exchange_holds_its_snapshot(self) -> None:
        held = self.snapshot
        texts = [one(CONNECT="1s"), one(CONNECT="2s")]
        plans = [parse_text(text, "test.yaml", {}) for text in texts]
        for number in range(200):
            plan = self.assembly.plan(plans[number % 2], {})
            self.assembly.use(plan)
            self.snapshot = plan.snapshot
            self.sweep()
        self.assertEqual(self.registry.left("transport"), [held.services["shop"].targets[0].transport])
