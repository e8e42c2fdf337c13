"""The reactor of a memory network, as those see it who use a reactor."""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.internet.endpoints import HostnameEndpoint, clientFromString, serverFromString
from twisted.internet.error import (
    CannotListenError,
    ConnectionDone,
    ConnectionRefusedError,
    DNSLookupError,
    TimeoutError,
    UserError,
)
from twisted.internet.interfaces import IConnector, IHostnameResolver, IListeningPort, IReactorTCP, IReactorTime
from twisted.internet.protocol import ClientFactory, Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from apigateway.testing.memory import MemoryNetwork
from apigateway.testing.memory_reactor import MemoryPort


class Recording(ClientFactory):
    """A factory that remembers its protocols and what it is told."""

    noisy = False

    def __init__(self, protocols=None):
        self.protocols = []
        self.told = []
        self.refuses = False

    def startedConnecting(self, connector):
        self.told.append("started")

    def clientConnectionFailed(self, connector, reason):
        self.told.append(reason.type)

    def buildProtocol(self, addr):
        self.address = addr
        if self.refuses:
            return None
        protocol = Protocol()
        protocol.lost = None
        protocol.connectionLost = lambda reason: setattr(protocol, "lost", reason.type)
        self.protocols.append(protocol)
        return protocol


class MemoryReactorTests(SynchronousTestCase):
    def setUp(self):
        self.network = MemoryNetwork()
        self.network.hosts["shop"] = ["10.0.0.5"]
        self.reactor = self.network.reactor
        self.server, self.client = Recording(), Recording()

    def connect(self, host="10.0.0.5", port=80, **kwargs):
        connector = self.reactor.connectTCP(host, port, self.client, **kwargs)
        self.network.pump()
        return connector

    def test_it_is_what_its_interfaces_say(self):
        verifyObject(IReactorTCP, self.reactor)
        verifyObject(IReactorTime, self.reactor)
        verifyObject(IHostnameResolver, self.reactor.nameResolver)
        verifyObject(IListeningPort, self.reactor.listenTCP(80, self.server))
        verifyObject(IConnector, self.connect())

    def test_a_connection_is_made_with_the_next_step_and_not_before(self):
        self.reactor.listenTCP(80, self.server)
        self.reactor.connectTCP("10.0.0.5", 80, self.client)
        self.assertEqual((self.client.told, self.client.protocols), (["started"], []))
        self.network.pump()
        self.assertEqual((len(self.server.protocols), len(self.client.protocols)), (1, 1))

    def test_addresses_are_those_of_the_two_ends(self):
        self.reactor.listenTCP(80, self.server)
        self.connect("shop", bindAddress=("192.0.2.1", 0))
        self.assertEqual(self.client.protocols[0].transport.getPeer(), IPv4Address("TCP", "10.0.0.5", 80))
        self.assertEqual(self.server.protocols[0].transport.getPeer().host, "192.0.2.1")
        self.assertEqual(self.server.address, self.server.protocols[0].transport.getPeer())

    def test_nobody_listening_refuses(self):
        self.connect()
        self.assertEqual(self.client.told, ["started", ConnectionRefusedError])

    def test_a_factory_that_wants_no_connection_refuses(self):
        self.reactor.listenTCP(80, self.server)
        self.server.refuses = True
        self.connect()
        self.assertEqual((self.client.told, self.network.links), (["started", ConnectionRefusedError], []))

    def test_a_listener_at_one_address_goes_before_one_at_all_and_takes_no_other(self):
        own = Recording()
        self.reactor.listenTCP(80, self.server)
        self.reactor.listenTCP(80, own, interface="10.0.0.5")
        self.connect("10.0.0.5")
        self.connect("10.0.0.6")
        self.assertEqual((len(own.protocols), len(self.server.protocols)), (1, 1))

    def test_an_address_is_taken_once_and_free_again_after_stopping(self):
        port = self.reactor.listenTCP(80, self.server)
        self.assertRaises(CannotListenError, self.reactor.listenTCP, 80, self.server)
        self.successResultOf(port.stopListening())
        self.connect()
        self.assertEqual(self.client.told[-1], ConnectionRefusedError)
        self.assertIsInstance(self.reactor.listenTCP(80, self.server), MemoryPort)

    def test_port_zero_is_any_free_port(self):
        ports = {self.reactor.listenTCP(0, self.server).getHost().port for _ in range(3)}
        self.assertEqual((len(ports), 0 in ports), (3, False))

    def test_a_silent_address_times_out(self):
        self.reactor.listenTCP(80, self.server)
        self.network.silence("10.0.0.5")
        self.connect(timeout=3)
        self.network.advance(2.9)
        self.assertEqual(self.client.told, ["started"])
        self.network.advance(0.1)
        self.assertEqual(self.client.told, ["started", TimeoutError])

    def test_connecting_can_be_given_up(self):
        self.network.silence("10.0.0.5")
        connector = self.connect()
        connector.disconnect()
        self.assertEqual((self.client.told, self.reactor.getDelayedCalls()), (["started", UserError], []))

    def test_a_connector_disconnects_what_it_connected(self):
        self.reactor.listenTCP(80, self.server)
        self.connect().disconnect()
        self.network.pump()
        self.assertEqual(self.client.protocols[0].lost, ConnectionDone)

    def test_endpoints_meet_over_it(self):
        serverFromString(self.reactor, "tcp:8000:interface=10.0.0.5").listen(Factory.forProtocol(Protocol))
        for endpoint in (
            clientFromString(self.reactor, "tcp:10.0.0.5:8000"),
            HostnameEndpoint(self.reactor, "shop", 8000),
        ):
            connecting = endpoint.connect(Factory.forProtocol(Protocol))
            self.network.pump()
            self.assertTrue(self.successResultOf(connecting).transport.connected)

    def test_unknown_names_have_no_address(self):
        connecting = HostnameEndpoint(self.reactor, "nowhere", 80).connect(Factory.forProtocol(Protocol))
        self.failureResultOf(connecting, DNSLookupError)

    def test_what_other_threads_would_call_is_called_in_the_next_step(self):
        called = []
        self.reactor.callFromThread(called.append, 1)
        self.assertEqual(called, [])
        self.network.pump()
        self.assertEqual(called, [1])
