"""TLS in the metrics."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

from apigateway.admin.tls import tls_metrics
from apigateway.telemetry.prometheus import page

TOLD = {
    "tcp:8443": {
        "handshakes": 7,
        "resumed": 3,
        "failed": {"NOT_TLS": 2},
        "certificates": [{"file": "a.pem", "names": ["a"], "days_left": 12.5}] * 2,
    }
}


class MetricsTests(SynchronousTestCase):
    def test_handshakes_and_days_are_told_by_listener(self) -> None:
        text = page(tls_metrics(TOLD)).decode()
        samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
        self.assertEqual(
            {(one.name, *one.labels.values()): one.value for one in samples},
            {
                ("apigateway_tls_handshakes_total", "tcp:8443"): 7,
                ("apigateway_tls_resumed_total", "tcp:8443"): 3,
                ("apigateway_tls_failed_total", "tcp:8443", "NOT_TLS"): 2,
                ("apigateway_certificate_days_left", "tcp:8443", "a.pem"): 12.5,
            },
        )
        self.assertEqual(len(samples), 4, "a sample must not come twice")

    def test_where_there_is_no_tls_nothing_is_told(self) -> None:
        self.assertEqual(tls_metrics({}), [])
