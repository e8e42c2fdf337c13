"""Time limits, retries and hedging in the file: what a service says, and what its routes say otherwise."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.model import Hedging, Retries, RouteRetries, RouteTimeouts, Service, Timeouts
from tests.config.reading import messages, orders, orders_service, read

TEXT = """
defaults: {retries: {statuses: [503], budget: 0.5}, timeouts: {connect: 1s, response: 2s}}
services:
  orders:
    targets: [http://orders]
    retries: {attempts: 3}
    timeouts: {idle: 3s}
    deadline_header: X-Left
    hedging: {after: 50ms}
    routes:
      - {path: /plain}
      - path: /own
        retries: {attempts: 2, methods: [post], replay: 1KiB}
        timeouts: {total: 4s}
        deadline_header: false
        hedging: {at_least: 1s}
      - {path: /none, retries: false, hedging: false, timeouts: {total: false}}
"""


def orders_said(text: str) -> Service:
    return orders_service(text)


class RouteTests(SynchronousTestCase):
    def setUp(self) -> None:
        (self.service,) = read(TEXT).services
        self.plain, self.own, self.none = (route.policies for route in self.service.routes)

    def test_a_service_lays_its_own_over_the_defaults(self) -> None:
        self.assertEqual(self.service.retries, Retries(attempts=3, statuses=((503, 503),), budget=0.5))
        self.assertEqual(self.service.timeouts, Timeouts(connect=1.0, response=2.0, idle=3.0))
        self.assertEqual((self.service.deadline_header, self.service.hedging), ("X-Left", Hedging(0.05)))

    def test_a_route_that_says_nothing_has_what_its_service_has(self) -> None:
        self.assertEqual(self.plain.retries, RouteRetries(attempts=3, statuses=((503, 503),)))
        self.assertEqual(self.plain.timeouts, RouteTimeouts(response=2.0, idle=3.0))
        self.assertEqual((self.plain.deadline_header, self.plain.hedging), ("X-Left", Hedging(0.05)))

    def test_one_that_does_lays_it_over_that_key_by_key(self) -> None:
        own = RouteRetries(attempts=2, methods=("POST",), statuses=((503, 503),), replay=1024)
        self.assertEqual(self.own.retries, own)
        self.assertEqual(self.own.timeouts, RouteTimeouts(response=2.0, idle=3.0, total=4.0))
        self.assertEqual((self.own.deadline_header, self.own.hedging), (None, Hedging(0.05, 1.0)))

    def test_it_may_switch_them_off(self) -> None:
        self.assertEqual((self.none.retries.attempts, self.none.hedging, self.none.timeouts.total), (0, None, None))

    def test_what_is_the_services_alone_may_not_stand_in_a_route(self) -> None:
        for key, fault in (
            ("retries: {budget: 1}", "retries.budget"),
            ("timeouts: {connect: 1s}", "timeouts.connect"),
            ("timeouts: {pool: 1s}", "timeouts.pool"),
        ):
            (message,) = messages(f"services: {{a: {{targets: [http://a], routes: [{{path: /a, {key}}}]}}}}")
            self.assertTrue(message.startswith(f"services.a.routes[0].{fault}: unknown key"), message)

    def test_a_service_that_others_lead_to_may_say_all_of_it(self) -> None:
        text = "services: {a: {prefix: /a, targets: [http://a], fallback: {service: b}}, b: {targets: [http://b], %s}}"
        service = read(text % "timeouts: {total: 3s}, retries: {attempts: 2}").services[1]
        self.assertEqual((service.timeouts.total, service.retries.attempts), (3.0, 2))


class ValueTests(SynchronousTestCase):
    def test_hedging_begins_after_a_time_or_a_share(self) -> None:
        for text, after in (("p95", "p95"), ("p50", "p50"), ("200ms", 0.2), ("2", 2.0)):
            hedging = orders_said(f"hedging: {{after: {text}}}").hedging
            assert hedging is not None
            self.assertEqual(hedging.after, after)
        for text in ("p49", "p100", "p5", "0", "soon", "-1s"):
            (message,) = messages(orders(f"hedging: {{after: {text}}}"))
            self.assertIn("expected `p50` to `p99`, or a duration", message)

    def test_an_empty_hedging_is_one(self) -> None:
        self.assertEqual(orders_said("hedging: {}").hedging, Hedging())

    def test_answers_that_are_worth_another_attempt_are_bad_ones(self) -> None:
        retries = orders_said("retries: {statuses: [429, 502-504]}").retries
        self.assertEqual(retries.statuses, ((429, 429), (502, 504)))
        for text in ("200", "399-500", "600", "bad"):
            (message,) = messages(orders(f"retries: {{statuses: [{text}]}}"))
            self.assertIn("expected a status from 400 on", message)

    def test_the_field_for_the_deadline_is_none_that_the_gateway_writes_itself(self) -> None:
        for name in ("Host", "X-Forwarded-For", "Connection", "X-Request-Id"):
            self.assertEqual(len(messages(orders(f"deadline_header: {name}"))), 1)
