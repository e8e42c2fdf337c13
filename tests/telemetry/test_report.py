"""Tallies as values for JSON."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.errors import NO_ROUTE, RATE_LIMITED
from apigateway.telemetry.report import MIRRORED, report
from apigateway.telemetry.statistics import Statistics
from tests.telemetry.ended import ended

EXCHANGES = [
    ended(total=0.010),
    ended(total=0.020, at="http://b:8002", attempts=2),
    ended(status=429, cause=RATE_LIMITED, attempts=0, total=0.0001),
    ended(status=404, cause=NO_ROUTE, service="", route="", attempts=0, total=0.0001),
    ended(service="auth", route="auth /auth", at="http://c:8001", status=503),
]


class ReportTests(SynchronousTestCase):
    """What is told of what was counted."""

    def setUp(self) -> None:
        statistics = Statistics(lambda: 0.0)
        statistics.add(EXCHANGES)
        self.report = report(statistics.since_start(), 10.0)

    def test_everything_is_told_in_all(self) -> None:
        told = self.report["all"]
        self.assertEqual((told["requests"], told["per_second"]), (5, 0.5))
        self.assertEqual(told["statuses"], {"2xx": 2, "4xx": 2, "5xx": 1})
        self.assertEqual(told["causes"], {"no-route": 1, "rate-limited": 1})
        self.assertEqual((told["rate_limited"], told["shed"], told["attempts"], told["repeats"]), (1, 0, 4, 1))
        self.assertEqual((told["bytes_in"], told["bytes_out"]), (35, 1500))

    def test_services_routes_and_targets_are_told_apart(self) -> None:
        services = self.report["services"]
        self.assertEqual(
            {name: one["requests"] for name, one in services.items()}, {"auth": 1, "none": 1, "product": 3}
        )
        targets = services["product"]["targets"]
        self.assertEqual(
            {name: one["requests"] for name, one in targets.items()},
            {"http://a:8002": 1, "http://b:8002": 1, "none": 1},
        )
        self.assertEqual(services["product"]["routes"]["product /api"]["requests"], 3)

    def test_latency_is_told_in_milliseconds_whole_and_own(self) -> None:
        latency = self.report["services"]["product"]["routes"]["product /api"]["latency_ms"]
        self.assertEqual(latency["total"]["max"], 20.0)
        self.assertApproximates(latency["total"]["p50"], 10.0, 0.5)
        self.assertEqual(latency["own"]["max"], 1.0)

    def test_what_was_sent_a_second_time_is_told_of_its_service_but_not_in_all(self) -> None:
        statistics = Statistics(lambda: 0.0)
        statistics.add([ended(), ended(service="shadow", route=f"/api{MIRRORED}", status=500)])
        told = report(statistics.since_start(), 10.0)
        self.assertEqual((told["all"]["requests"], told["all"]["statuses"]), (1, {"2xx": 1}))
        self.assertEqual(told["services"]["shadow"]["routes"]["/api (mirrored)"]["statuses"], {"5xx": 1})

    def test_before_anything_happened_all_is_zero(self) -> None:
        told = report({}, 0.0)
        self.assertEqual((told["all"]["requests"], told["all"]["per_second"], told["services"]), (0, 0.0, {}))
