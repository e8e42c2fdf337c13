"""Endpoints for services: names are looked up once for all who wait, and nothing is left of who gave up."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import BrowserLikePolicyForHTTPS

from apigateway.discovery.resolver import Resolver, reactor_lookup
from apigateway.errors import GatewayError
from apigateway.testing.memory import MemoryNetwork
from apigateway.testing.names import NEVER
from apigateway.testing.scripted_service import ScriptedService
from apigateway.upstream.endpoint import endpoint_for


class EndpointTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.network.hosts["orders"] = ["10.0.0.1"]
        self.service = ScriptedService()
        self.service.listen(self.network.reactor, 80, "10.0.0.1")
        self.resolver = Resolver(reactor_lookup(self.network.reactor), self.network.now)

    def connect(self, url: str = "http://orders", known: bool = True) -> Deferred[Any]:
        reactor, resolve = self.network.reactor, self.resolver.resolve if known else None
        endpoint, _ = endpoint_for(reactor, url, 5.0, BrowserLikePolicyForHTTPS(), resolve, self.network.now)
        return endpoint.connect(Factory.forProtocol(Protocol))

    def test_it_connects_to_names_and_addresses(self) -> None:
        for url in ("http://orders", "http://orders:80", "http://10.0.0.1"):
            for known in (True, False):
                connecting = self.connect(url, known)
                self.network.advance(0)
                self.assertTrue(self.successResultOf(connecting).transport.connected)

    def test_the_scheme_tells_whether_it_is_secure(self) -> None:
        for url, secure in (("http://orders", False), ("https://orders", True)):
            _, told = endpoint_for(self.network.reactor, url, 5.0, BrowserLikePolicyForHTTPS(), self.resolver.resolve)
            self.assertEqual(told, secure)

    def test_many_who_wait_for_one_name_ask_for_it_once(self) -> None:
        self.network.reactor.names.delays["orders"] = 1.0
        connecting = [self.connect() for _ in range(20)]
        self.network.advance(2)
        self.assertEqual([self.successResultOf(one).connected for one in connecting], [1] * 20)
        self.assertEqual(self.network.reactor.names.asked, ["orders"])

    def test_what_goes_wrong_is_told_in_the_gateways_words(self) -> None:
        self.network.reactor.names.delays["silent"] = NEVER
        for url, cause in (
            ("http://unknown", "name-not-resolved"),
            ("http://silent", "name-not-resolved"),
            ("http://orders:81", "connect-failed"),
        ):
            connecting = self.connect(url)
            self.network.advance(6)
            self.assertEqual(self.failureResultOf(connecting, GatewayError).value.cause.code, cause)
        self.network.silence("10.0.0.1")
        connecting = self.connect()
        self.network.advance(6)
        self.assertEqual(self.failureResultOf(connecting, GatewayError).value.cause.code, "connect-timeout")

    def test_who_gives_up_gets_nothing_and_leaves_nothing(self) -> None:
        for wait in (0.0, 1.0):
            self.network.reactor.names.delays["orders"] = wait
            connecting = self.connect()
            connecting.cancel()
            self.failureResultOf(connecting, CancelledError)
            self.network.advance(6)
            self.assertEqual(([link for link in self.network.links if link.client.connected]), [])
            self.assertEqual(self.network.reactor.getDelayedCalls(), [])

    def test_who_gives_up_at_the_last_moment_gets_no_connection_either(self) -> None:
        connecting = self.connect()
        self.network._step()
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)
        self.network.advance(1)
        self.assertEqual(self.service.open_connections, [])
