"""What was counted about exchanges, as metrics."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

from apigateway.errors import BREAKER_OPEN, NO_ROUTE, OVERLOADED, POOL_EXHAUSTED, RATE_LIMITED, SERVICE_OVERLOADED
from apigateway.telemetry.metrics import exchange_metrics
from apigateway.telemetry.prometheus import page
from apigateway.telemetry.statistics import Statistics
from tests.telemetry.ended import ended

Samples = dict[tuple[str, ...], float]


def samples_of(exchanges: list[object]) -> dict[str, Samples]:
    """Values by metric and by the values of its labels."""
    statistics = Statistics(lambda: 0.0)
    statistics.add(exchanges)  # type: ignore[arg-type]
    text = page(exchange_metrics(statistics.since_start())).decode()
    read: dict[str, Samples] = {}
    for found in text_string_to_metric_families(text):
        for sample in found.samples:
            read.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return read


class ExchangeMetricsTests(SynchronousTestCase):
    """Metrics by service, route and target."""

    def test_requests_are_told_by_status_class(self) -> None:
        read = samples_of([ended(), ended(), ended(status=503)])
        place = ("product", "product /api", "http://a:8002")
        self.assertEqual(read["apigateway_requests_total"], {(*place, "2xx"): 2, (*place, "5xx"): 1})

    def test_what_never_reached_a_route_or_target_has_none(self) -> None:
        read = samples_of([ended(status=404, cause=NO_ROUTE, service="", route="", attempts=0)])
        self.assertEqual(read["apigateway_causes_total"], {("none", "none", "none", "no-route"): 1})

    def test_rate_limited_requests_are_told_as_a_cause(self) -> None:
        read = samples_of([ended(status=429, cause=RATE_LIMITED, attempts=0)])
        self.assertEqual(read["apigateway_causes_total"], {("product", "product /api", "none", "rate-limited"): 1})

    def test_what_was_refused_for_want_of_room_or_time_is_told_together_and_by_cause(self) -> None:
        causes = (OVERLOADED, SERVICE_OVERLOADED, POOL_EXHAUSTED, BREAKER_OPEN)
        read = samples_of([ended(status=503, cause=cause, attempts=0) for cause in causes])
        place = ("product", "product /api", "none")
        self.assertEqual(read["apigateway_shed_total"], {place: 3})
        self.assertEqual(read["apigateway_causes_total"], {(*place, cause.code): 1 for cause in causes})

    def test_sizes_attempts_repeats_and_fallbacks_are_told(self) -> None:
        exchange = ended(attempts=3)
        exchange.fallback = True
        read = samples_of([exchange])
        names = ("request_bytes", "response_bytes", "attempts", "repeats", "fallbacks")
        values = [sum(read[f"apigateway_{name}_total"].values()) for name in names]
        self.assertEqual(values, [7, 300, 3, 2, 1])

    def test_times_are_told_by_route_over_all_its_targets(self) -> None:
        read = samples_of([ended(total=0.020), ended(total=0.040, at="http://b:8002")])
        route = ("product", "product /api")
        self.assertEqual(read["apigateway_request_seconds_count"], {route: 2})
        self.assertEqual(read["apigateway_request_seconds_bucket"][(*route, "0.025")], 1)
        self.assertAlmostEqual(read["apigateway_request_seconds_sum"][route], 0.060)
        self.assertAlmostEqual(read["apigateway_own_seconds_sum"][route], 0.002)

    def test_paths_of_requests_never_become_labels(self) -> None:
        read = samples_of([ended(target=f"/api/{number}") for number in range(50)])
        self.assertEqual({len(samples) for name, samples in read.items() if name.endswith("_total")}, {1})
