"""What the pages tell of relays."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.admin.relays import relay_metrics
from tests.admin.runtime import Runtime


class Moved:
    """A relay as far as it is counted."""

    bytes_in, bytes_out = 3, 4


class RelayTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.runtime = Runtime()
        self.runtime.service("chat", "http://a").relays.began(Moved())

    def test_their_metrics_name_the_service_and_the_direction(self) -> None:
        lines = [line for line in relay_metrics(self.runtime.view) if not line.startswith("#")]
        self.assertEqual(
            lines,
            [
                'apigateway_relays{service="chat"} 1',
                'apigateway_relays_total{service="chat"} 1',
                'apigateway_relay_bytes_total{service="chat",direction="in"} 3',
                'apigateway_relay_bytes_total{service="chat",direction="out"} 4',
            ],
        )
