"""`/gateway/metrics`, read by the parser of Prometheus' own client."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from apigateway import __version__
from tests.admin.runtime import PagesTestCase
from tests.telemetry.ended import ended


class MetricsTests(PagesTestCase):
    """What the page tells."""

    def setUp(self) -> None:
        super().setUp()
        self.product = self.runtime.service("product", "http://a:8002", "http://b:8002")

    def read(self) -> dict[str, dict[tuple[str, ...], float]]:
        """Values by metric and by the values of its labels."""
        found: dict[str, dict[tuple[str, ...], float]] = {}
        for metric in text_string_to_metric_families(self.ask("/gateway/metrics").body.decode()):
            for sample in metric.samples:
                values = tuple(sample.labels.values())
                self.assertNotIn(values, found.setdefault(sample.name, {}), "a sample must not come twice")
                found[sample.name][values] = sample.value
        return found

    def test_what_has_just_ended_is_counted(self) -> None:
        self.runtime.telemetry.exchange_ended(ended())
        read = self.read()
        self.assertEqual(sum(read["apigateway_requests_total"].values()), 1)
        self.assertEqual(read["apigateway_own_seconds_count"], {("product", "product /api"): 1})

    def test_what_became_of_requests_that_were_sent_again_is_told(self) -> None:
        counts = self.runtime.mirror(self.product, self.product)
        counts.sent, counts.failed, counts.in_flight, counts.too_many, counts.too_large = 9, 2, 1, 4, 3
        read, own = self.read(), ("product", "/r (mirrored)")
        self.assertEqual(read["apigateway_mirror_sent_total"], {own: 9})
        self.assertEqual(read["apigateway_mirror_failed_total"], {own: 2})
        self.assertEqual(read["apigateway_mirror_in_flight"], {own: 1})
        self.assertEqual(read["apigateway_mirror_dropped_total"], {(*own, "too_many"): 4, (*own, "too_large"): 3})

    def test_what_is_discovered_is_told_by_service(self) -> None:
        self.assertNotIn("apigateway_discovered_targets", self.read())
        self.runtime.discovered = {
            "product": {"targets": 2, "error": None},
            "auth": {"targets": 0, "error": "no answer"},
        }
        read = self.read()
        self.assertEqual(read["apigateway_discovered_targets"], {("product",): 2, ("auth",): 0})
        self.assertEqual(read["apigateway_discovery_failing"], {("product",): 0, ("auth",): 1})

    def test_services_and_targets_are_told_as_they_are_now(self) -> None:
        target = self.product.targets[0]
        target.in_flight, target.failures = 4, 2
        self.product.targets[1].standing.is_ejected, self.product.targets[1].standing.ejections = True, 2
        self.runtime.check(target, "refused")
        self.runtime.begin(self.product, "/product")
        read = self.read()
        a, b = ("product", "http://a:8002"), ("product", "http://b:8002")
        self.assertEqual(read["apigateway_in_flight"], {("product", "/product"): 1})
        self.assertEqual(read["apigateway_max_in_flight"], {("product",): 1024})
        self.assertEqual(read["apigateway_target_in_flight"], {a: 4, b: 0})
        self.assertEqual(read["apigateway_target_failures_total"], {a: 2, b: 0})
        self.assertEqual(read["apigateway_target_healthy"], {a: 0, b: 1})
        self.assertEqual(read["apigateway_target_ejected"], {a: 0, b: 1})
        self.assertEqual(read["apigateway_target_ejections_total"], {a: 0, b: 2})
        self.assertEqual(read["apigateway_panic"], {("product",): 0})
        pool = [
            read[f"apigateway_pool_{name}"][a] for name in ("open", "idle", "waiting", "opened_total", "reused_total")
        ]
        self.assertEqual(pool, [3, 2, 1, 5, 40])

    def test_the_state_of_each_breaker_is_one_of_three(self) -> None:
        self.runtime.fail(self.product.targets[1])
        self.runtime.service("plain", "http://c:1", breaker=False)
        states = self.read()["apigateway_breaker_state"]
        now = {labels for labels, value in states.items() if value}
        self.assertEqual(now, {("product", "http://a:8002", "closed"), ("product", "http://b:8002", "open")})
        self.assertEqual(len(states), 6)

    def test_an_address_that_is_listed_twice_is_told_once(self) -> None:
        self.runtime.service("twice", "http://c:1", "http://c:1")
        self.assertEqual(self.read()["apigateway_target_healthy"]["twice", "http://c:1"], 1)

    def test_it_tells_of_the_process(self) -> None:
        self.runtime.clock.advance(90)
        self.runtime.is_stopping = True
        self.runtime.shedding.share = 0.25
        read = self.read()
        self.assertEqual(read["apigateway_info"], {(__version__,): 1})
        told = (("uptime_seconds", 90), ("limiter_clients", 17), ("stopping", 1), ("shed_share", 0.25))
        for name, value in told:
            self.assertEqual(read[f"apigateway_{name}"], {(): value}, name)
        self.assertEqual(read["apigateway_access_log_lost_lines_total"], {(): 0})
        self.assertGreater(read["apigateway_resident_memory_bytes"][()], 1_000_000)
        self.assertEqual(read["apigateway_event_loop_lag_max_seconds"], {(): 0})

    def test_every_metric_has_a_type_and_a_help_text(self) -> None:
        text = self.ask("/gateway/metrics").body.decode()
        for metric in text_string_to_metric_families(text):
            self.assertTrue(metric.name.startswith("apigateway_"), metric.name)
            self.assertTrue(metric.documentation, metric.name)
            self.assertIn(metric.type, ("counter", "gauge", "histogram"), metric.name)
