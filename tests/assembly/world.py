"""An assembly in virtual time, and the file it uses."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from apigateway.assembly.assembly import Assembly
from apigateway.assembly.components import Surroundings
from apigateway.assembly.registry import Registry
from apigateway.config.read import parse_text
from apigateway.config.usable import usable
from apigateway.routing.snapshot import Snapshot
from apigateway.testing.memory import MemoryNetwork

FILE = """
services:
  shop:
    targets: [{url: "http://a:8002", weight: 3}, "http://b"]
    fallback: {status: 203, body: nothing}
    routes:
      - {path: /api}
      - {path: /api/admin, methods: [GET], rate_limit: {limit: 1, window: 1s}}
      - {path: /api, host: shop.example.com, strip_prefix: true}
  old: {prefix: /old, transport: treq, targets: ["http://c:81"], fallback: {service: shop}, circuit_breaker: false}
"""


ONE = """
limits: {head_timeout: HEAD}
services:
  shop:
    prefix: /shop
    targets: [{url: "http://a:1", weight: WEIGHT}]
    timeouts: {connect: CONNECT, response: RESPONSE}
    circuit_breaker: {failures: 1, recovery: RECOVERY}
    health_check: {path: PATH, interval: INTERVAL}
    rate_limit: {limit: LIMIT, window: 60s}
"""
FIRST = {"HEAD": "1s", "WEIGHT": "1", "CONNECT": "5s", "RESPONSE": "30s", "RECOVERY": "30s", "PATH": "/health",
         "INTERVAL": "10s", "LIMIT": "5"}  # fmt: skip


def one(**changes: str) -> str:
    """The configuration `ONE` with some values changed, each by its place."""
    text = ONE
    for place, value in (FIRST | changes).items():
        text = text.replace(place, value)
    return text


class AssemblyTestCase(SynchronousTestCase):
    """An assembly in virtual time, which has used `FILE`."""

    text = FILE

    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.assembly = Assembly(
            Surroundings(self.network.reactor, self.network.reactor.connectTCP, self.network.now, Random(1)),
            adapt=lambda request: None,
        )
        self.snapshot = self.use(self.text)

    def use(self, text: str, pages: dict[bytes, Resource] | None = None) -> Snapshot:
        """Go on with another configuration."""
        plan = self.assembly.plan(usable(parse_text(text, "test.yaml", {})), pages or {})
        self.assembly.use(plan)
        return plan.snapshot

    @property
    def registry(self) -> Registry:
        return self.assembly.registry

    def sweep(self) -> None:
        """What is done every fraction of a second."""
        for sweep in self.assembly.sweeps():
            sweep(self.network.now())
