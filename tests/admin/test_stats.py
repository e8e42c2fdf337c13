"""`/gateway/stats`."""

from __future__ import annotations

from apigateway import __version__
from apigateway.errors import OVERLOADED, POOL_EXHAUSTED, RATE_LIMITED, SERVICE_OVERLOADED
from apigateway.upstream.balancing.ewma import PeakEwma
from apigateway.upstream.balancing.group import Group
from apigateway.upstream.balancing.oversight import Oversight
from apigateway.upstream.balancing.panic import Panic
from tests.admin.runtime import POOL, PagesTestCase
from tests.telemetry.ended import ended


class StatsTests(PagesTestCase):
    """What the page tells."""

    def setUp(self) -> None:
        super().setUp()
        self.product = self.runtime.service("product", "http://a:8002", "http://b:8002")

    def test_it_tells_version_time_and_uptime(self) -> None:
        self.runtime.clock.advance(90)
        told = self.ask("/gateway/stats").json
        self.assertEqual((told["version"], told["uptime_s"]), (__version__, 90.0))
        self.assertEqual((told["started"], told["time"]), ("2025-11-22T22:58:01.000Z", "2025-11-22T22:59:31.000Z"))

    def test_what_has_just_ended_is_counted_since_start_and_in_the_last_minute(self) -> None:
        self.runtime.clock.advance(10)
        self.runtime.telemetry.exchange_ended(ended())
        self.runtime.telemetry.exchange_ended(ended(status=429, cause=RATE_LIMITED, attempts=0))
        told = self.ask("/gateway/stats").json
        for span in ("since_start", "last_minute"):
            self.assertEqual(told[span]["seconds"], 10.0)
            self.assertEqual(told[span]["all"]["requests"], 2)
            self.assertEqual(told[span]["all"]["rate_limited"], 1)
            self.assertEqual(told[span]["services"]["product"]["targets"]["http://a:8002"]["requests"], 1)
            self.assertEqual(told[span]["services"]["product"]["routes"]["product /api"]["requests"], 2)
        self.runtime.clock.advance(120)
        told = self.ask("/gateway/stats").json
        self.assertEqual(
            [told[span]["all"]["requests"] for span in ("since_start", "last_minute")],
            [2, 0],
        )

    def test_it_tells_the_present_state_of_services_and_targets(self) -> None:
        target = self.product.targets[0]
        self.runtime.begin(self.product, "/product")
        self.runtime.begin(self.product, "/fallen-back")
        target.in_flight, target.attempts, target.failures = 1, 8, 2
        told = self.ask("/gateway/stats").json
        self.assertEqual(told["process"]["in_flight"], 2)
        service = told["services"]["product"]
        self.assertEqual((service["status"], service["in_flight"], service["max_in_flight"]), ("healthy", 2, 1024))
        self.assertEqual(service["routes"], {"/product": {"in_flight": 1}, "/fallen-back": {"in_flight": 1}})
        one = service["targets"]["http://a:8002"]
        self.assertEqual((one["in_flight"], one["attempts"], one["failures"], one["pool"]), (1, 8, 2, POOL))
        self.assertEqual(one["health"]["state"], "unchecked")

    def test_it_tells_how_targets_are_discovered_and_since_when_that_fails(self) -> None:
        self.runtime.clock.advance(90)
        told = {"by": "dns http://a", "targets": 2, "changed_ago_s": 30.0, "failing_for_s": None, "error": None}
        self.runtime.discovered["product"] = told
        shown = self.ask("/gateway/stats").json["services"]["product"]["discovery"]
        self.assertEqual(shown, {**told, "changed": "2025-11-22T22:59:01.000Z", "failing_since": None})
        self.runtime.discovered["product"] = {**told, "failing_for_s": 10.0, "error": "no answer"}
        shown = self.ask("/gateway/stats").json["services"]["product"]["discovery"]
        self.assertEqual((shown["failing_since"], shown["error"]), ("2025-11-22T22:59:21.000Z", "no answer"))
        self.runtime.discovered.clear()
        self.assertIsNone(self.ask("/gateway/stats").json["services"]["product"]["discovery"])

    def test_changes_of_a_breaker_are_told_with_time_and_reason(self) -> None:
        self.runtime.fail(self.product.targets[1])
        self.runtime.clock.advance(5)
        breaker = self.ask("/gateway/stats").json["services"]["product"]["targets"]["http://b:8002"]["breaker"]
        self.assertEqual((breaker["state"], breaker["retry_after_s"]), ("open", 25.0))
        (change,) = breaker["changes"]
        self.assertEqual((change["from"], change["to"]), ("closed", "open"))
        self.assertEqual((change["time"], change["ago_s"]), ("2025-11-22T22:58:01.000Z", 5.0))
        self.assertIn("status 503", change["reason"])

    def test_it_tells_what_became_of_the_requests_that_were_sent_to_a_service_again(self) -> None:
        self.runtime.mirror(self.product, self.product).sent = 7
        self.runtime.service("plain", "http://c:1")
        told = self.ask("/gateway/stats").json["services"]
        counts = {"in_flight": 0, "sent": 7, "failed": 0, "too_many": 0, "too_large": 0}
        self.assertEqual(told["product"]["mirrored"], {"/r (mirrored)": counts})
        self.assertNotIn("mirrored", told["plain"])

    def test_it_tells_how_targets_stand_among_the_others(self) -> None:
        one, other = self.product.targets
        one.standing.is_ejected, one.standing.ejected_until, one.standing.ejections = True, 30.0, 1
        other.latency = PeakEwma(10.0)
        other.latency.learn(0.25, 0.0)
        told = self.ask("/gateway/stats").json["services"]["product"]
        first, second = told["targets"].values()
        self.assertEqual(first["standing"], {"state": "ejected", "share": 0.0, "ejections": 1, "returns_in_s": 30.0})
        self.assertEqual((first["latency_ms"], second["latency_ms"]), (None, 250.0))
        self.assertEqual(told["status"], "degraded", "one is left out")

    def test_it_tells_of_a_panic(self) -> None:
        self.assertFalse(self.ask("/gateway/stats").json["services"]["product"]["panic"])
        self.product.oversight = Oversight(Group(self.product.targets), Panic("product"))
        for target in self.product.targets:
            target.health.healthy = False
        self.product.oversight.tick(0.0)
        self.assertTrue(self.ask("/gateway/stats").json["services"]["product"]["panic"])

    def test_a_target_without_a_breaker_has_none(self) -> None:
        self.runtime.service("plain", "http://c:1", breaker=False)
        told = self.ask("/gateway/stats").json["services"]["plain"]["targets"]["http://c:1"]
        self.assertIsNone(told["breaker"])

    def test_it_tells_of_the_process(self) -> None:
        told = self.ask("/gateway/stats").json["process"]
        self.assertEqual((told["limiter_clients"], told["access_log_lost_lines"]), (17, 0))
        self.assertGreater(told["memory_bytes"], 1_000_000)
        self.assertEqual(told["event_loop_lag_ms"], {"last": 0.0, "max": 0.0})

    def test_it_tells_how_many_were_refused_for_want_of_room_or_time_and_the_present_share(self) -> None:
        for cause in (OVERLOADED, SERVICE_OVERLOADED, POOL_EXHAUSTED, RATE_LIMITED):
            self.runtime.telemetry.exchange_ended(ended(status=cause.status, cause=cause, attempts=0))
        self.runtime.shedding.share = 0.25
        told = self.ask("/gateway/stats").json
        self.assertEqual(told["process"]["shed_share"], 0.25)
        self.assertEqual(told["since_start"]["services"]["product"]["shed"], 3)
