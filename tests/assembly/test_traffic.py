"""What becomes of splits and mirrors."""

from __future__ import annotations

from apigateway.routing.route import Route
from apigateway.testing.exchanges import exchange_for
from tests.assembly.world import AssemblyTestCase

TEXT = """
services:
  shop:
    targets: ["http://a"]
    headers: {set_response: {X-A: "1"}}
    routes:
      - {path: /plain}
      - path: /split
        split:
          - {service: next, headers: {X-Canary: always}}
          - {service: next, share: 100%, by: "header:X_User"}
      - path: /chance
        split: [{service: next, share: 50%}]
      - path: /mirrored
        timeouts: {response: 1s}
        mirror:
          - {service: shadow, share: 10%, methods: [PUT], max_body: 1KiB, in_flight: 3}
          - {service: next, methods: ["*"]}
  next: {targets: ["http://10.0.0.9"]}
  shadow: {targets: ["http://c"]}
"""


class TrafficTests(AssemblyTestCase):
    text = TEXT

    def route(self, path: str) -> Route:
        return next(route for route in self.snapshot.routes if route.name == path)

    def test_a_route_without_either_calls_its_service_and_nothing_else(self) -> None:
        route = self.route("/plain")
        self.assertEqual(route.forward, self.snapshot.services["shop"].forward)
        self.assertEqual((route.split, route.mirrors), (None, ()))

    def test_a_split_leads_to_the_services_that_it_names(self) -> None:
        split = self.route("/split").split
        assert split is not None
        self.assertIs(split.service, self.snapshot.services["shop"])
        self.assertIs(split.choose(exchange_for()), self.snapshot.services["next"])
        self.assertEqual(self.route("/split").forward, split.forward)

    def test_chance_is_the_gateways_own(self) -> None:
        split = self.route("/chance").split
        assert split is not None
        names = [split.choose(exchange_for()).name for _ in range(20)]
        self.assertEqual(set(names), {"shop", "next"})
        self.use(TEXT.replace("50%", "51%"))
        again = AssemblyTestCase()
        again.text = TEXT
        again.setUp()
        other = next(route for route in again.snapshot.routes if route.name == "/chance").split
        assert other is not None
        self.assertEqual([other.choose(exchange_for()).name for _ in range(20)], names)

    def test_what_tells_requests_apart_is_for_heads_only(self) -> None:
        self.assertEqual(self.route("/split").plan.in_request_head, {b"x-canary", b"x-user"})

    def test_what_clients_must_not_say_is_said_to_none_of_the_services(self) -> None:
        self.snapshot = self.use(TEXT.replace("targets:", "deadline_header: X-Left\n    targets:", 1))
        split, (mirror, _) = self.route("/split"), self.route("/mirrored").mirrors
        exchange = exchange_for("GET", "/", [(b"x_left", b"1"), (b"X-A", b"2")])
        for plan in (split.plan, mirror.plan):
            self.assertNotIn(b"left", plan.request_lines(exchange, b"h"))
        self.snapshot = self.use(TEXT)
        self.assertIsNone(self.route("/split").plan.unsaid)

    def test_a_mirror_is_as_it_is_told(self) -> None:
        first, second = self.route("/mirrored").mirrors
        self.assertIs(first.service, self.snapshot.services["shadow"])
        self.assertEqual((first.share, first.methods, first.max_body, first.most), (0.1, {b"PUT"}, 1024, 3))
        self.assertEqual((second.share, second.methods, second.max_body, second.most), (1.0, set(), 65536, 100))
        self.assertEqual(first.route, "/mirrored (mirrored)")

    def test_neither_the_routes_policies_for_answers_nor_its_own_times_are_about_copies(self) -> None:
        route = self.route("/mirrored")
        self.assertTrue(route.plan.on_response)
        self.assertEqual({(mirror.plan.on_response, mirror.plan.terms) for mirror in route.mirrors}, {((), None)})
        self.assertEqual(route.plan.in_answer_head, route.mirrors[0].plan.in_answer_head)

    def test_no_trailer_of_a_copy_is_the_mark(self) -> None:
        route = self.route("/mirrored")
        self.assertEqual(route.mirrors[0].plan.in_request_head - route.plan.in_request_head, {b"x-gateway-mirror"})

    def test_what_was_counted_survives_a_change(self) -> None:
        (before, _) = self.route("/mirrored").mirrors
        self.snapshot = self.use(TEXT.replace("share: 10%", "share: 20%"))
        (after, _) = self.route("/mirrored").mirrors
        self.assertIs(after.counts, before.counts)
        self.assertEqual(after.share, 0.2)

    def test_copies_that_are_under_way_are_let_go_when_all_is_closed(self) -> None:
        self.network.silence("10.0.0.9")
        (_, mirror) = self.route("/mirrored").mirrors
        mirror.send(exchange_for(), "shop", b"", [])
        self.assertEqual((mirror.counts.in_flight, self.assembly.everyone), (1, set()))
        self.assembly.close()
        self.assertEqual((mirror.counts.in_flight, mirror.service.in_flight), (0, 0))
