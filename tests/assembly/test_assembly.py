"""From a configuration to a snapshot: the tree, and what is kept between two snapshots."""

from __future__ import annotations

from twisted.web.resource import Resource

from apigateway.config.read import parse_text
from apigateway.routing.tree import locate
from apigateway.testing.exchanges import exchange_for
from apigateway.testing.scripted_service import ScriptedService
from apigateway.testing.steps import Stall
from tests.assembly.world import AssemblyTestCase, one
from tests.upstream.native_world import starting


class PageTests(AssemblyTestCase):
    def routes_at(self, path: bytes) -> list[tuple[str, str]]:
        _, proxy = locate(self.snapshot.resource, path)
        assert proxy is not None
        return [(route.service.name, route.name) for route in proxy.routes]

    def test_the_pages_give_way_to_a_service_at_the_root(self) -> None:
        root, health = Resource(), Resource()
        text = 'services: {all: {prefix: /, targets: ["http://a"]}}'
        snapshot = self.use(text, {b"/": root, b"/health": health})
        self.assertIsNone(locate(snapshot.resource, b"/")[0])
        self.assertIs(locate(snapshot.resource, b"/health/live")[0], health)


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
        self.assertEqual(shop.terms.limits.response, 3.0)

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
