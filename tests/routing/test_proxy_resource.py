"""The node that forwards: which of its routes takes an exchange, and what it says where none does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import Site

from apigateway.downstream.request_adapter import exchange_for as exchange_of
from apigateway.errors import GatewayError
from apigateway.exchange import Exchange
from apigateway.http.answers import Answer
from apigateway.routing.proxy_resource import ProxyResource
from apigateway.routing.route import Route
from apigateway.testing.exchanges import exchange_for
from apigateway.testing.memory import MemoryNetwork
from apigateway.testing.wire import Message
from tests.routing.scripted import proxy, route

NONE: frozenset[str] = frozenset()


def methods(*names: bytes) -> frozenset[bytes]:
    return frozenset(names)


class ChoiceTests(SynchronousTestCase):
    def taken_by(self, node: ProxyResource, method: str = "GET", fields: Iterable[tuple[bytes, bytes]] = ()) -> str:
        exchange = exchange_for(method, "/", fields)
        node.begin(exchange, NONE)
        return exchange.route

    def refused(self, node: ProxyResource, method: str = "GET", ambiguities: frozenset[str] = NONE) -> GatewayError:
        with self.assertRaises(GatewayError) as caught:
            node.begin(exchange_for(method), ambiguities)
        error: GatewayError = caught.exception
        return error

    def test_the_first_route_that_matches_takes_it(self) -> None:
        node = proxy(route("shop", host=b"shop"), route("any"), route("never"))
        self.assertEqual(self.taken_by(node), "any")
        self.assertEqual(self.taken_by(node, "GET", [(b"Host", b"shop")]), "shop")

    def test_one_that_does_not_take_the_method_leaves_it_to_the_next(self) -> None:
        node = proxy(route("read", methods=methods(b"GET")), route("write", methods=methods(b"PUT")))
        self.assertEqual([self.taken_by(node, "GET"), self.taken_by(node, "PUT")], ["read", "write"])

    def test_what_none_takes_goes_back_to_the_node_above(self) -> None:
        top, middle, bottom = proxy(route("top")), proxy(route("middle", host=b"x")), proxy(route("bottom", host=b"y"))
        bottom.above, middle.above = middle, top
        self.assertEqual(self.taken_by(bottom), "top")
        self.assertEqual(self.taken_by(bottom, "GET", [(b"Host", b"x")]), "middle")

    def test_where_the_path_and_host_are_unknown_that_is_said(self) -> None:
        self.assertEqual(self.refused(proxy(route("a", host=b"x"))).cause.code, "no-route")

    def test_where_only_the_method_is_wrong_the_right_ones_are_told(self) -> None:
        top = proxy(route("top", methods=methods(b"GET", b"HEAD")))
        node = proxy(route("a", methods=methods(b"PUT")), route("b", methods=methods(b"DELETE"), host=b"other"))
        node.above = top
        error = self.refused(node, "POST")
        self.assertEqual((error.cause.code, error.fields), ("method-not-allowed", ((b"Allow", b"GET, HEAD, PUT"),)))

    def test_the_refusal_of_a_method_carries_what_answers_of_the_nearest_route_do(self) -> None:
        def marked(name: bytes, **options: Any) -> Route:
            mark = (lambda exchange: exchange.extra.append((b"X-Of", name)),)
            return route(name.decode(), methods=methods(b"PUT"), on_refusal=mark, **options)

        node, top = proxy(marked(b"other", host=b"x"), marked(b"this"), marked(b"next")), proxy(marked(b"top"))
        node.above = top
        lonely = proxy(marked(b"lonely", host=b"x"))
        lonely.above = top
        for start, expected in ((node, b"this"), (lonely, b"top")):
            exchange = exchange_for("GET")
            with self.assertRaises(GatewayError):
                start.begin(exchange, NONE)
            self.assertEqual(exchange.extra, [(b"X-Of", expected)])
        self.assertEqual(self.taken_by(node, "PUT"), "this")

    def test_a_path_that_could_mean_two_things_is_refused_as_such(self) -> None:
        for node in (proxy(), proxy(route("a")), proxy(route("a", methods=methods(b"PUT")))):
            self.assertEqual(self.refused(node, ambiguities=frozenset(("backslash",))).cause.code, "ambiguous-path")

    def test_it_shows_its_prefix(self) -> None:
        self.assertEqual(repr(proxy(route("a", b"/api"), route("b", b"/api"))), "<ProxyResource /api routes=2>")
        self.assertEqual(repr(proxy()), "<ProxyResource ? routes=0>")


class StockSiteTests(SynchronousTestCase):
    """In an unmodified Site."""

    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.entered: list[Exchange] = []
        self.refuses = False

    def adapt(self, request: Any) -> Exchange | None:
        exchange = exchange_of(request, lambda exchange: None, self.network.now)
        if self.refuses:
            exchange.answer(Answer(418, []))
            return None
        self.entered.append(exchange)
        return exchange

    def get(self, target: str, *routes: Route, **below: Resource) -> Message:
        root, api = Resource(), ProxyResource(routes, self.adapt)
        root.putChild(b"api", api)
        for name, resource in below.items():
            api.putChild(name.encode(), resource)
        site = Site(root, reactor=self.network.reactor)
        site.noisy = False
        port = self.network.reactor.listenTCP(8000, site)
        client = self.network.client().send(f"GET {target} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        self.network.pump()
        port.stopListening()
        (answer,) = client.answers()
        return answer

    def answering(self, name: str, **options: Any) -> Route:
        return route(name, on_request=(lambda exchange: Answer(200, [], exchange.head.target),), **options)

    def test_everything_below_its_place_is_forwarded(self) -> None:
        for target in ("/api", "/api/a/b?c", "/api/"):
            answer = self.get(target, self.answering("r"))
            self.assertEqual((answer.status, answer.body), (200, target.encode()))

    def test_refusals_are_problems_as_everywhere(self) -> None:
        self.assertEqual(self.get("/api").status, 404)
        self.assertEqual(self.get("/api", self.answering("r", methods=methods(b"PUT"))).get(b"allow"), b"PUT")

    def test_what_fails_unforeseen_costs_this_exchange_only(self) -> None:
        answer = self.get("/api", route("r", on_request=(lambda exchange: 1 / 0,)))
        self.assertEqual(answer.status, 500)
        self.assertIn(b'"cause": "internal-error"', answer.body)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_ambiguous_paths_are_refused_here_too(self) -> None:
        for target in ("/api/%2e%2e/x", "/api/a%2fb", "/api/%00"):
            self.assertEqual(self.get(target, self.answering("r")).status, 400, target)

    def test_so_are_parameters_that_hide_the_prefix_of_another(self) -> None:
        below = ProxyResource((self.answering("below", host=b"h"),), self.adapt)
        for target, status in (
            ("/api/admin", 200), ("/api/admin;x", 400), ("/api/admin;x/y", 400), ("/api//;x/admin", 400),
            ("/api/x;y", 200), ("/api/admin/x;y", 200), ("/api/administrator;x", 200),
        ):  # fmt: skip
            self.assertEqual(self.get(target, self.answering("r"), admin=below).status, status, target)

    def test_a_request_that_could_not_be_adapted_has_its_answer(self) -> None:
        self.refuses = True
        self.assertEqual(self.get("/api", self.answering("r")).status, 418)
