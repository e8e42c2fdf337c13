"""The entrance of a snapshot: where an exchange goes by its path."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.errors import GatewayError
from apigateway.routing.route import Route
from apigateway.routing.snapshot import Snapshot
from apigateway.routing.split import Match, Share, Split
from apigateway.routing.tree import Branch, mount
from apigateway.testing.exchanges import exchange_for
from apigateway.upstream.mirroring.mirror import Mirror, MirrorCounts
from apigateway.upstream.service import Service
from apigateway.upstream.steps.plan import ForwardPlan
from apigateway.upstream.steps.retry import RetryBudget
from apigateway.upstream.steps.terms import Terms
from apigateway.upstream.steps.time_limits import TimeLimits
from tests.routing.scripted import Page, proxy, route


class EntranceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.root = root = Branch(None)
        mount(root, b"/api", proxy(route("/api", b"/api")))
        mount(root, b"/loose", proxy(route("/loose", b"/loose", allow_paths=frozenset(("encoded-slash",)))))
        mount(root, b"/files", Page(b"files"))
        mount(root, b"/", Page(b"home"))
        self.snapshot = Snapshot(None, root, {}, ())

    def enter(self, target: str) -> str:
        """The route that took it, or "stock"."""
        exchange = exchange_for("GET", target)
        stock = self.snapshot.enter(exchange)
        self.assertIs(exchange.snapshot, self.snapshot)
        if stock is not None:
            self.assertIs(stock, self.snapshot.resource)
            return "stock"
        return exchange.route

    def cause(self, target: str) -> str:
        with self.assertRaises(GatewayError) as caught:
            self.enter(target)
        code: str = caught.exception.cause.code
        return code

    def test_what_a_proxy_has_goes_on_its_route(self) -> None:
        for target in ("/api", "/api/v1?a=/files", "/api/", "//api//v1", "/%61pi"):
            self.assertEqual(self.enter(target), "/api", target)

    def test_what_a_stock_resource_has_is_for_the_tree(self) -> None:
        for target in ("/files", "/files/a", "/", "/?a", "/f%69les"):
            self.assertEqual(self.enter(target), "stock", target)

    def test_the_query_says_nothing_of_the_way(self) -> None:
        self.assertEqual(self.enter("/api?../files"), "/api")

    def test_what_nobody_has_is_refused(self) -> None:
        for target in ("/apix", "/nothing", "/API"):
            self.assertEqual(self.cause(target), "no-route", target)

    def test_ambiguous_paths_are_refused_wherever_they_lead(self) -> None:
        for target in (
            "/api/../files",
            "/files/%2e%2e/x",
            "/nothing/..",
            "/files/a%2fb",
            "/api/%00",
            "/api/%zz",
            "/a\\b",
        ):
            self.assertEqual(self.cause(target), "ambiguous-path", target)

    def test_so_are_parameters_that_hide_the_prefix_of_another(self) -> None:
        mount(self.root, b"/api/admin", proxy(route("/api/admin", b"/api/admin")))
        for target in ("/api/admin;x", "/api/admin%3Bx", "/api/;x/admin", "/api;x/../files"):
            self.assertEqual(self.cause(target), "ambiguous-path", target)
        for target, taken in (("/api/x;v=1", "/api"), ("/api/admin/x;y", "/api/admin"), ("/files/a;x", "stock")):
            self.assertEqual(self.enter(target), taken, target)

    def test_unless_their_route_allows_them(self) -> None:
        self.assertEqual(self.enter("/loose/a%2fb"), "/loose")
        self.assertEqual(self.cause("/loose/a%2f..%2fb"), "ambiguous-path")

    def test_the_server_as_a_whole_is_for_a_proxy_at_the_root_only(self) -> None:
        exchange = exchange_for("OPTIONS", "*")
        with self.assertRaises(GatewayError):
            self.snapshot.enter(exchange)
        Snapshot(None, proxy(route("/")), {}, ()).enter(exchange)
        self.assertEqual(exchange.route, "/")


class ServingTests(SynchronousTestCase):
    def service(self, name: str) -> Service:
        return Service(name, (), Terms(TimeLimits(5.0, 30.0, 60.0)), RetryBudget(), lambda: 0.0)

    def test_all_that_routes_lead_to_and_those_that_stand_in_but_no_mirrors(self) -> None:
        own, split_off, spare, last, shadow = map(self.service, ("own", "split-off", "spare", "last", "shadow"))
        own.fallback, spare.fallback, split_off.fallback = spare, last, own
        split = Split(own, [Match(split_off)], [Share(split_off, 0.5)], lambda exchange: 0.0, ForwardPlan())
        mirror = Mirror(shadow, "/a", ForwardPlan(), MirrorCounts(), set(), lambda: 0.0, lambda copy: None)
        routes = (Route("/a", b"/a", own, split=split, mirrors=(mirror,)),)
        services = {one.name: one for one in (own, split_off, spare, last, shadow)}
        serving = Snapshot(None, Branch(None), services, routes).serving()
        self.assertEqual(serving, {name: one for name, one in services.items() if name != "shadow"})
