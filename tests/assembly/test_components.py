"""What is in the box, and how something else takes its place."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from apigateway.assembly.components import (
    LimitSpec,
    ServiceSpec,
    Surroundings,
    TargetSpec,
    default_components,
)
from apigateway.config import model
from apigateway.discovery.resolver import Resolver
from apigateway.interfaces import ICircuitBreaker, IHealthChecker, IRateLimiter, ITransport
from apigateway.testing.memory import MemoryNetwork
from apigateway.upstream.native.transport import NativeTransport
from apigateway.upstream.treq.transport import TreqTransport

SHOP = model.Service("shop", (), (model.Target("http://10.0.0.1"),))


class ComponentsTests(SynchronousTestCase):
    def setUp(self) -> None:
        network = MemoryNetwork()
        around = Surroundings(network.reactor, network.reactor.connectTCP, network.now)
        resolver = Resolver(lambda host: Deferred(), network.now)
        self.components = default_components()
        self.target = TargetSpec(SHOP, SHOP.targets[0], around, resolver)
        self.service = ServiceSpec(SHOP, (), around, lambda url, timeout_s: Deferred())

    def test_both_transports_are_there_by_name(self) -> None:
        for name, kind in (("native", NativeTransport), ("treq", TreqTransport)):
            made = self.components.getAdapter(self.target, ITransport, name)
            self.assertIsInstance(made, kind)
            verifyObject(ITransport, made)

    def test_so_are_breaker_checker_and_limiter(self) -> None:
        for spec, interface, name in (
            (self.target, ICircuitBreaker, "consecutive-or-ratio"),
            (self.service, IHealthChecker, "http"),
            (LimitSpec(5, 60.0), IRateLimiter, "memory"),
        ):
            verifyObject(interface, self.components.getAdapter(spec, interface, name))
