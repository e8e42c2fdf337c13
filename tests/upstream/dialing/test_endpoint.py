"""Endpoints for services: names are looked up once for all who wait, and nothing is left of who gave up."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase

from apigateway.discovery.resolver import Resolver, reactor_lookup
from apigateway.errors import GatewayError
from apigateway.testing.memory import MemoryNetwork
from apigateway.testing.names import NEVER
from apigateway.testing.scripted_service import ScriptedService
from apigateway.upstream.dialing.dial import Way
from apigateway.upstream.dialing.endpoint import endpoint_for


class EndpointTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.network.hosts["orders"] = ["10.0.0.1"]
        self.service = ScriptedService()
        self.service.listen(self.network.reactor, 80, "10.0.0.1")
        self.resolver = Resolver(reactor_lookup(self.network.reactor), self.network.now)

    def connect(self, url: str = "http://orders", known: bool = True) -> Deferred[Any]:
        reactor, resolve = self.network.reactor, self.resolver.resolve if known else None
        endpoint = endpoint_for(reactor, url, 5.0, resolve, self.network.now)
        return endpoint.connect(Factory.forProtocol(Protocol))

    def test_it_connects_to_names_and_addresses(self) -> None:
        for url in ("http://orders", "http://orders:80", "http://10.0.0.1"):
            for known in (True, False):
                connecting = self.connect(url, known)
                self.network.advance(0)
                self.assertTrue(self.successResultOf(connecting).transport.connected)

    def test_a_way_of_its_own_makes_the_connections(self) -> None:
        asked: list[Any] = []
        way = Way(lambda *given: asked.append(given[:2]) or self.network.reactor.connectTCP(*given))  # type: ignore[func-returns-value]
        for resolve in (self.resolver.resolve, None):
            endpoint = endpoint_for(self.network.reactor, "https://orders:80", 5.0, resolve, self.network.now, way)
            connecting = endpoint.connect(Factory.forProtocol(Protocol))
            self.network.advance(0)
            self.assertTrue(self.successResultOf(connecting))
        self.assertEqual(asked, [("10.0.0.1", 80)] * 2)

    def test_the_port_is_the_schemes_own_unless_the_url_says_another(self) -> None:
        asked: list[int] = []

        def connect(host: str, port: int, *given: Any) -> Any:
            asked.append(port)

        for url in ("https://orders", "https://orders:8443", "http://orders"):
            endpoint_for(self.network.reactor, url, 5.0, None, self.network.now, Way(connect)).connect(Factory())
        self.network.advance(0)
        self.assertEqual(asked, [443, 8443, 80])

    def test_without_a_way_to_speak_tls_there_is_none_to_such_a_url(self) -> None:
        self.assertRaises(ValueError, endpoint_for, self.network.reactor, "https://orders", 5.0)

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
