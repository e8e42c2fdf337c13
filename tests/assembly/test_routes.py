"""The routes of a snapshot."""

from __future__ import annotations

from apigateway.routing.tree import locate
from tests.assembly.world import AssemblyTestCase


class RoutesTests(AssemblyTestCase):
    def routes_at(self, path: bytes) -> list[tuple[str, str]]:
        _, proxy = locate(self.snapshot.resource, path)
        assert proxy is not None
        return [(route.service.name, route.name) for route in proxy.routes]

    def test_the_tree_has_a_node_for_each_prefix_with_its_routes(self) -> None:
        self.assertEqual(self.routes_at(b"/api/admin/x"), [("shop", "/api/admin")])
        self.assertEqual(self.routes_at(b"/old"), [("old", "/old")])

    def test_routes_that_ask_for_more_are_tried_first(self) -> None:
        self.assertEqual(self.routes_at(b"/api"), [("shop", "shop.example.com/api"), ("shop", "/api")])

    def test_a_route_with_limits_of_its_own_counts_by_itself(self) -> None:
        self.assertEqual(len(self.assembly.registry.all("limiter")), 4, "three routes of shop, one of old")


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
  hashed: {prefix: /hashed, targets: ["http://a", "http://b"], balance: {strategy: hash, key: "header:X_Cart"}}
"""


class RuleTests(AssemblyTestCase):
    text = RULES

    def setUp(self) -> None:
        super().setUp()
        self.plans = {route.service.name: route.plan for route in self.snapshot.routes}

    def test_what_a_route_says_of_request_fields_and_what_decides_where_any_goes_is_for_heads_only(self) -> None:
        rules = {b"x-tier", b"x-cart", b"content-type", b"x-sender", b"x-key", b"x-user", b"x-internal"}
        self.assertEqual(self.plans["shop"].in_request_head, rules)
        self.assertEqual(self.plans["bare"].in_request_head, {b"x-tier", b"x-cart"})

    def test_and_so_is_what_it_says_of_those_of_answers(self) -> None:
        rules = {b"x-set", b"x-debug", b"server", b"x-powered-by"}
        self.assertEqual(self.plans["shop"].in_answer_head, rules)
        self.assertEqual(self.plans["bare"].in_answer_head, set())
