"""No spelling of a path leads past the route that it is meant for: what the gateway judged is what services read."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import Site

from apigateway.downstream.request_adapter import exchange_for as exchange_of
from apigateway.errors import GatewayError
from apigateway.http.answers import Answer
from apigateway.routing.proxy_resource import ProxyResource
from apigateway.routing.snapshot import Snapshot
from apigateway.routing.tree import Branch, locate, mount
from apigateway.testing.exchanges import exchange_for
from apigateway.testing.gateway import RunningGateway, running_gateway
from apigateway.testing.memory import MemoryNetwork
from apigateway.testing.scripted_service import ScriptedService
from tests.routing.scripted import Page, route
from tests.security.readings import all_readings, merge_slashes

OWN = "own"

segments = st.sampled_from((b"a", b"b", b"admin", b"a;v", b"a.b"))
prefixes = st.lists(segments, min_size=1, max_size=3).map(lambda way: b"/" + b"/".join(way))
tables = st.lists(prefixes, max_size=5, unique=True)
pieces = st.sampled_from(
    (
        b"/", b"/", b"/", b"a", b"a", b"b", b"b", b"admin", b";", b";x", b";v", b".", b"..", b"\\", b"%2f", b"%5C",
        b"%2e",
        b"%3b", b"%61", b"%2561", b"%25", b"%00", b"%c0%af", b"%c0%ae", b"//", b"/;/", b"/..;/", b"~",
    )
)  # fmt: skip
paths = st.lists(pieces, min_size=1, max_size=8).map(lambda parts: b"/" + b"".join(parts))


def tree(table: list[bytes], at_root: bool, adapt: Any = None) -> Resource:
    """Routes at these prefixes, each called as its own, and a page of ours."""

    def proxy(prefix: bytes) -> ProxyResource:
        answer = Answer(200, [], prefix)
        one = route(prefix.decode(), prefix, on_request=(lambda exchange: answer,) if adapt else ())
        return ProxyResource((one,), adapt)

    root: Resource = proxy(b"/") if at_root else Branch(None)
    mount(root, b"/own", Page(OWN.encode()))
    for prefix in table:
        mount(root, prefix, proxy(prefix))
    return root


def meant(root: Resource, reading: bytes) -> str | None:
    """Whose a path is, when it is plain."""
    stock, proxy = locate(root, merge_slashes(reading))
    return OWN if stock is not None else None if proxy is None else proxy.routes[0].name


def judged(root: Resource, path: bytes) -> str | None:
    """By whose rules the gateway lets a request pass; None where it does not."""
    exchange = exchange_for("GET", path.decode("latin-1"))
    try:
        return OWN if Snapshot(None, root, {}, ()).enter(exchange) is not None else exchange.route
    except GatewayError:
        return None


class ReadingTests(SynchronousTestCase):
    @settings(deadline=None, max_examples=1500)
    @given(tables, st.booleans(), paths)
    def test_however_a_service_reads_a_path_it_is_the_one_that_was_judged(
        self, table: list[bytes], at_root: bool, path: bytes
    ) -> None:
        root = tree(table, at_root)
        by = judged(root, path)
        if by is not None:
            self.assertEqual({meant(root, reading) for reading in all_readings(path)}, {by})

    @settings(deadline=None, max_examples=300)
    @given(tables, st.booleans(), prefixes, st.lists(segments, max_size=2))
    def test_plain_paths_are_not_refused(
        self, table: list[bytes], at_root: bool, prefix: bytes, more: list[bytes]
    ) -> None:
        root = tree(table, at_root)
        path = b"/".join((prefix, *more))
        if b";" not in path:
            self.assertEqual(judged(root, path), meant(root, path))

    def test_a_prefix_with_parameters_hides_the_path_without(self) -> None:
        self.assertIsNone(judged(tree([b"/a/a", b"/a;v"], False), b"/a;v"))

    def test_parameters_that_hide_nothing_pass(self) -> None:
        root = tree([b"/api", b"/api/admin"], True)
        for path, by in (
            (b"/api/map;lat=50;long=20/x", "/api"),
            (b"/;jsessionid=1", "/"),
            (b"/api/admin/x;y", "/api/admin"),
        ):
            self.assertEqual(judged(root, path), by, path)


class StockSiteTests(SynchronousTestCase):
    """The same tree in an unmodified Site."""

    def setUp(self) -> None:
        self.network = MemoryNetwork()

    def tree(self, table: list[bytes], at_root: bool) -> Resource:
        now = self.network.now
        return tree(table, at_root, lambda request: exchange_of(request, lambda exchange: None, now))

    def judged(self, root: Resource, path: bytes) -> str | None:
        site = Site(root, reactor=self.network.reactor)
        site.noisy = False
        port = self.network.reactor.listenTCP(8000, site)
        client = self.network.client().send(b"GET %b HTTP/1.1\r\nHost: h\r\n\r\n" % path)
        self.network.pump()
        port.stopListening()
        (answer,) = client.answers()
        return answer.body.decode() if answer.status == 200 else None

    @settings(deadline=None, max_examples=200)
    @given(tables, st.booleans(), paths)
    def test_however_a_service_reads_a_path_it_is_the_one_that_was_judged(
        self, table: list[bytes], at_root: bool, path: bytes
    ) -> None:
        self.setUp()
        root = self.tree(table, at_root)
        by = self.judged(root, path)
        if by is not None and by != OWN:
            self.assertEqual({meant(root, reading) for reading in all_readings(path)}, {by})

    def test_prefixes_with_parameters_hide_no_path_without(self) -> None:
        for table, path in (
            ([b"/a;v"], b"/a;v"),
            ([b"/a;v"], b"/a;v/"),
            ([b"/a;v"], b"/a%3Bv/x"),
            ([b"/a", b"/a;v"], b"/a;v"),
            ([b"/a", b"/a;v/b"], b"/a;v/x"),
            ([b"/a/admin", b"/a;v/b"], b"//a;v//admin"),
            ([b"/a", b"/a;v/b"], b"/a;v"),
        ):
            for at_root in (False, True):
                self.assertIsNone(self.judged(self.tree(table, at_root), path), (table, at_root, path))

    def test_parameters_that_hide_nothing_pass(self) -> None:
        root = self.tree([b"/api", b"/api/admin"], True)
        for path, by in ((b"/api/map;lat=50/x", "/api"), (b"/;jsessionid=1", "/"), (b"/api/admin/x;y", "/api/admin")):
            self.assertEqual(self.judged(root, path), by, path)


CONFIGURATION = """
services:
  rest: {prefix: /, targets: ["http://rest:80"], health_check: false, rate_limit: false}
  api: {prefix: /api, targets: ["http://api:80"], health_check: false, rate_limit: false}
  admin: {prefix: /api/admin, targets: ["http://admin:80"], health_check: false, rate_limit: false}
  cut: {prefix: /cut, strip_prefix: true, targets: ["http://cut:80"], health_check: false, rate_limit: false}
  loose:
    {prefix: /loose, allow_paths: [path-parameters], targets: ["http://api:80"], health_check: false, rate_limit: false}
  below: {prefix: /loose/below, targets: ["http://admin:80"], health_check: false, rate_limit: false}
"""


class WholeGatewayTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.services = {}
        for number, name in enumerate(("rest", "api", "admin", "cut"), 1):
            self.network.hosts[name] = [f"10.0.0.{number}"]
            self.services[name] = service = ScriptedService()
            service.listen(self.network.reactor, 80, f"10.0.0.{number}")
            service.answers(200, name.encode())
        self.gateway: RunningGateway = running_gateway(CONFIGURATION, self.network)

    def test_the_rules_of_a_longer_prefix_cannot_be_passed_by(self) -> None:
        for path in (
            "/api/admin;x",
            "/api;a/admin",
            "/api/;/admin",
            "/api/x/..;/admin",
            "/api/%61dmin;",
            "/api//admin%3b",
        ):
            self.assertEqual(self.gateway.ask("GET", path).status, 400, path)
        for path in ("/api/admin", "/api/%61dmin", "/api//admin", "//api/admin/x"):
            self.assertEqual(self.gateway.ask("GET", path).body, b"admin", path)

    def test_a_route_may_allow_it(self) -> None:
        self.assertEqual(self.gateway.ask("GET", "/loose/below;x").body, b"api")

    def test_what_is_left_of_a_target_names_no_host(self) -> None:
        for target, seen in (
            ("/cut//evil.example/x", "/evil.example/x"),
            ("/cut////evil.example", "/evil.example"),
            ("//cut//evil.example?//y", "/evil.example?//y"),
            ("http://shop.example/cut//evil.example", "/evil.example"),
        ):
            self.assertEqual(self.gateway.ask("GET", target).status, 200)
            self.assertEqual(self.services["cut"].requests[-1].target, seen)

    def test_no_field_speaks_for_another_path_method_or_host_of_the_gateway(self) -> None:
        fields = [
            (name, b"/api/admin")
            for name in (
                b"X-Original-URL",
                b"X-Rewrite-URL",
                b"X-Forwarded-Prefix",
                b"X-Forwarded-Path",
                b"X-Forwarded-Uri",
            )
        ]
        answer = self.gateway.ask(
            "GET", "/api/x", [*fields, (b"X-HTTP-Method-Override", b"PUT"), (b"X-Host", b"admin")]
        )
        self.assertEqual(answer.body, b"api")
        self.assertNotIn(b"/api/admin", [value for _, value in self.services["api"].requests[-1].fields])

    def test_a_target_of_another_form_goes_where_its_path_does(self) -> None:
        self.assertEqual(self.gateway.ask("GET", "http://other.example/api/x").body, b"api")
        self.assertEqual(self.services["api"].requests[-1].target, "/api/x")
        for target in ("other.example:80", "api/admin", "\\api", "file:///etc/passwd", "http:/api", "http://"):
            self.assertEqual(self.gateway.ask("GET", target).status, 400, target)
