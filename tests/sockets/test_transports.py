"""Transports that try to send at once, over real sockets: nothing is lost, flow control and ends are as ever."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import reactor, tcp
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import ClientFactory, Factory, Protocol, connectionDone
from twisted.internet.testing import MemoryReactor
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from apigateway.sockets.transports import EagerClient, EagerServer, Sockets

LARGE = bytes(range(256)) * 8 * 1024


@implementer(IPushProducer)
class Peer(Protocol):
    """Keeps what comes, and what its transport asks of a producer."""

    transport: Any

    def __init__(self) -> None:
        self.received = b""
        self.asked: list[str] = []
        self.made: Deferred[Peer] = Deferred()
        self.lost: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        self.made.callback(self)

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost.callback(None)

    def pauseProducing(self) -> None:
        self.asked.append("pause")

    def resumeProducing(self) -> None:
        self.asked.append("resume")

    def stopProducing(self) -> None:
        self.asked.append("stop")


class Given(ClientFactory[Protocol]):
    """Gives the protocol that is there."""

    noisy = False

    def __init__(self, protocol: Protocol) -> None:
        self.protocol_there = protocol

    def buildProtocol(self, addr: object) -> Protocol:
        return self.protocol_there


class EagerTests(TestCase):
    async def pair(self) -> tuple[Peer, Peer]:
        server, client = Peer(), Peer()
        sockets = Sockets(reactor)
        port = sockets.take(reactor.listenTCP(0, Given(server), interface="127.0.0.1"))
        self.addCleanup(port.stopListening)
        sockets.connect("127.0.0.1", port.getHost().port, Given(client), 5)
        await server.made
        await client.made
        self.addCleanup(self.part, server, client)
        return server, client

    async def part(self, *peers: Peer) -> None:
        for peer in peers:
            if not peer.lost.called:
                peer.transport.abortConnection()
                await peer.lost

    async def test_both_ends_are_eager(self) -> None:
        server, client = await self.pair()
        self.assertIsInstance(server.transport, EagerServer)
        self.assertIsInstance(client.transport, EagerClient)

    async def test_a_small_write_is_in_the_kernel_when_write_returns(self) -> None:
        server, client = await self.pair()
        server.transport.write(b"now")
        self.assertEqual(client.transport.getHandle().recv(10), b"now")

    async def test_what_does_not_fit_follows_in_order(self) -> None:
        server, client = await self.pair()
        server.transport.write(LARGE)
        server.transport.write(b"the end")
        server.transport.loseConnection()
        await client.lost
        self.assertEqual(client.received, LARGE + b"the end")

    async def test_an_end_without_anything_to_send_is_an_end(self) -> None:
        server, client = await self.pair()
        server.transport.loseConnection()
        await client.lost
        await server.lost

    async def test_an_end_after_a_write_that_fitted_is_an_end(self) -> None:
        server, client = await self.pair()
        server.transport.write(b"bye")
        server.transport.loseConnection()
        await client.lost
        self.assertEqual(client.received, b"bye")

    async def test_a_producer_is_paused_while_the_other_side_does_not_read_and_resumed_after(self) -> None:
        server, client = await self.pair()
        server.transport.registerProducer(server, True)
        client.transport.pauseProducing()
        server.transport.write(LARGE * 8)
        self.assertEqual(server.asked, ["pause"])
        client.transport.resumeProducing()
        server.transport.write(b"!")
        server.transport.unregisterProducer()
        server.transport.loseConnection()
        await client.lost
        self.assertEqual(len(client.received), len(LARGE) * 8 + 1)

    async def test_closing_one_half_lets_the_other_send_on(self) -> None:
        server, client = await self.pair()
        server.transport.write(b"last")
        server.transport.loseWriteConnection()
        await client.lost
        self.assertEqual(client.received, b"last")

    async def test_a_peer_that_reset_is_noticed_through_the_reactor_not_in_write(self) -> None:
        server, client = await self.pair()
        handle = client.transport.getHandle()
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.transport.abortConnection()
        await client.lost
        server.transport.write(b"to nobody")
        self.assertFalse(server.lost.called)
        await server.lost


class WhereTests(SynchronousTestCase):
    def test_reactors_of_tests_connect_in_their_own_way(self) -> None:
        memory = MemoryReactor()
        Sockets(memory).connect("192.0.2.1", 80, Given(Peer()), 3)
        ((host, port, _, timeout, _),) = memory.tcpClients
        self.assertEqual((host, port, timeout), ("192.0.2.1", 80, 3))

    def test_ports_that_are_not_plain_tcp_stay_as_they_are(self) -> None:
        port = tcp.Port(0, Factory(), interface="127.0.0.1", reactor=reactor)
        port.transport = object
        self.assertIs(Sockets(reactor).take(port).transport, object)
