"""Transports that try to send at once, over real sockets: nothing is lost, flow control and ends are as ever."""

from __future__ import annotations

import socket
import tracemalloc
from pathlib import Path
from typing import Any

from OpenSSL.crypto import FILETYPE_PEM
from twisted.internet import reactor as the_reactor
from twisted.internet import tcp, unix
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import (
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    TimeoutError,
    UserError,
)
from twisted.internet.interfaces import IConnector, IPullProducer, IPushProducer
from twisted.internet.protocol import ClientFactory, Factory, Protocol, connectionDone
from twisted.internet.ssl import (
    Certificate,
    KeyPair,
    PrivateCertificate,
    optionsForClientTLS,
    trustRootFromCertificates,
)
from twisted.internet.task import deferLater
from twisted.internet.testing import MemoryReactor
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from apigateway.sockets.transports import BACKLOG, READ_SIZE, SHORT_READ_SIZE, SMALL, EagerClient, EagerServer, Sockets
from apigateway.testing.certificates import self_signed
from apigateway.upstream.native.unread import has_unread
from tests.behaviour.waiting import a_moment, until
from tests.circles import circles

reactor: Any = the_reactor

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
        self.reason: Any = None

    def connectionMade(self) -> None:
        self.made.callback(self)

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.reason = reason.type
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


@implementer(IPullProducer)
class Pulled:
    """Sends so many bytes, one each time it is asked, and ends the connection."""

    def __init__(self, transport: Any, left: int) -> None:
        self.transport = transport
        self.left = left

    def resumeProducing(self) -> None:
        if self.left:
            self.left -= 1
            self.transport.write(b".")
        else:
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def stopProducing(self) -> None:
        self.left = 0


class Connected(TestCase):
    """Makes pairs of protocols that are connected, over `sockets`."""

    def setUp(self) -> None:
        self.sockets = Sockets(reactor)

    def listen(self, protocol: Protocol) -> Any:
        port = self.sockets.take(reactor.listenTCP(0, Given(protocol), interface="127.0.0.1"))
        self.addCleanup(port.stopListening)
        return port

    async def pair(self, server: Peer | None = None, client: Peer | None = None) -> tuple[Peer, Peer]:
        server, client = server or Peer(), client or Peer()
        port = self.listen(server)
        self.sockets.connect("127.0.0.1", port.getHost().port, Given(client), 60)
        await server.made
        await client.made
        self.addCleanup(self.part, server, client)
        await deferLater(reactor, 0)  # out of the poller's round that made them, in which writes wait
        return server, client

    async def part(self, *peers: Peer) -> None:
        for peer in peers:
            if not peer.lost.called:
                peer.transport.abortConnection()
                await peer.lost


class EagerTests(Connected):
    """What is the same, and what comes sooner."""

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
        client.transport.abortConnection()
        await client.lost
        server.transport.write(b"to nobody")
        self.assertFalse(server.lost.called)
        await server.lost

    async def test_a_reset_that_a_write_ran_into_is_no_clean_end(self) -> None:
        server, client = await self.pair()
        server.transport.pauseProducing()
        client.transport.abortConnection()
        await client.lost
        server.transport.write(b"to nobody")
        server.transport.resumeProducing()
        await server.lost
        self.assertEqual((server.reason, client.reason), (ConnectionLost, ConnectionAborted))

    async def test_what_came_before_a_reset_is_read_though_a_write_runs_into_it_first(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = Peer()
            self.sockets.connect("127.0.0.1", listener.getsockname()[1], Given(client), 5)
            await client.made
            client.transport.write(LARGE * 10)
            peer, _ = listener.accept()
            peer.sendall(b"no more, please")
            peer.close()  # with much unread: a reset
        client.transport.doWrite()
        self.assertEqual(client.received, b"no more, please")
        await client.lost
        self.assertEqual(client.reason, ConnectionLost)

    async def test_a_write_after_ones_own_half_was_closed_sends_nothing_and_spoils_no_clean_end(self) -> None:
        server, client = await self.pair()
        client.transport.pauseProducing()
        server.transport.write(b"all")
        server.transport.loseWriteConnection()
        await self.turns()
        server.transport.write(b"more")
        client.transport.resumeProducing()
        await server.lost
        await client.lost
        self.assertEqual((client.received, client.reason, server.reason), (b"all", ConnectionDone, ConnectionDone))

    async def test_a_connection_that_is_being_reset_sends_nothing_more(self) -> None:
        class Aborting(Peer):
            def dataReceived(self, data: bytes) -> None:
                super().dataReceived(data)
                self.transport.abortConnection()
                self.transport.write(b"too late")
                self.transport.abortConnection()

        server, client = await self.pair(Aborting())
        client.transport.write(b"x")
        await client.lost
        await server.lost
        self.assertEqual((client.received, client.reason, server.reason), (b"", ConnectionLost, ConnectionAborted))

    async def test_who_is_paused_gets_nothing_until_it_is_resumed(self) -> None:
        server, client = await self.pair()
        client.transport.pauseProducing()
        server.transport.write(b"here")
        await self.turns()
        self.assertEqual(client.received, b"")
        client.transport.resumeProducing()
        server.transport.loseConnection()
        await client.lost
        self.assertEqual(client.received, b"here")

    async def test_a_server_that_is_paused_notices_a_reset_and_an_end_only_when_it_reads_again(self) -> None:
        server, client = await self.pair()
        server.transport.pauseProducing()
        client.transport.abortConnection()
        await server.lost
        self.assertEqual(server.reason, ConnectionLost)
        server, client = await self.pair()
        server.transport.pauseProducing()
        client.transport.loseWriteConnection()
        await self.turns()
        self.assertFalse(server.lost.called)
        server.transport.resumeProducing()
        await server.lost
        self.assertEqual(server.reason, ConnectionDone)

    async def test_a_client_that_is_paused_reads_what_came_before_a_reset(self) -> None:
        server, client = await self.pair()
        client.transport.pauseProducing()
        server.transport.write(b"said before")
        await self.turns()
        server.transport.abortConnection()
        await self.turns()
        client.transport.resumeProducing()
        await client.lost
        self.assertEqual(client.received, b"said before")

    async def test_no_block_is_taken_for_the_most_that_could_have_come(self) -> None:
        server, client = await self.pair()
        for size in (10, SHORT_READ_SIZE, 3 * SHORT_READ_SIZE, 10):
            self.assertLess(await self.block_for(server, client, size), READ_SIZE // 4)

    async def block_for(self, server: Peer, client: Peer, size: int) -> int:
        """The most memory that one read of so many bytes takes."""
        server.transport.pauseProducing()
        server.received = b""
        client.transport.write(b"x" * size)
        await until(lambda: has_unread(server.transport), "what was sent")
        await a_moment()
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        server.transport.doRead()
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        self.assertEqual(len(server.received), size)
        return most

    async def test_who_reads_may_ask_for_smaller_pieces(self) -> None:
        server, client = await self.pair()
        await self.block_for(server, client, SHORT_READ_SIZE)
        server.transport.read_size = 1000
        server.received = b""
        client.transport.write(b"x" * 3000)
        await until(lambda: has_unread(server.transport), "what was sent")
        server.transport.doRead()
        self.assertEqual(len(server.received), 1000)

    async def test_what_comes_at_once_is_read_in_pieces(self) -> None:
        class Measuring(Peer):
            largest = 0

            def dataReceived(self, data: bytes) -> None:
                super().dataReceived(data)
                self.largest = max(self.largest, len(data))

        measuring = Measuring()
        server, client = await self.pair(measuring)
        client.transport.write(LARGE)
        client.transport.loseConnection()
        await server.lost
        self.assertEqual(measuring.received, LARGE)
        self.assertLessEqual(measuring.largest, READ_SIZE)

    async def test_who_is_pulled_is_asked_until_it_has_no_more(self) -> None:
        server, client = await self.pair()
        server.transport.registerProducer(Pulled(server.transport, 3000), False)
        await client.lost
        self.assertEqual(client.received, b"." * 3000)

    async def test_at_its_end_nothing_of_a_client_waits_for_the_collector(self) -> None:
        server = Peer()
        port = self.listen(server)

        async def connect_and_part() -> None:
            client = Peer()
            given = Given(client)
            self.sockets.connect("127.0.0.1", port.getHost().port, given, 5)
            await client.made
            await server.made
            del given.protocol_there
            client.transport.loseConnection()
            await client.lost
            await server.lost

        with circles() as found:
            await connect_and_part()
            await deferLater(reactor, 0)
        self.assertEqual(found, {})

    async def test_who_registers_with_a_connection_that_is_gone_is_stopped(self) -> None:
        server, client = await self.pair()
        transport, produces = client.transport, Pulled(client.transport, 9)
        client.transport.abortConnection()
        await client.lost
        await server.lost
        transport.registerProducer(produces, False)
        self.assertEqual(produces.left, 0)

    async def test_a_sequence_comes_between_what_is_written_before_and_after(self) -> None:
        server, client = await self.pair()
        server.transport.write(b"1")
        server.transport.writeSequence([b"2", b"3"])
        server.transport.write(b"4")
        server.transport.loseConnection()
        await client.lost
        self.assertEqual(client.received, b"1234")

    async def turns(self) -> None:
        """Some turns of the reactor: enough for whatever is there to be read."""
        for _ in range(3):
            turned: Deferred[None] = Deferred()
            reactor.callLater(0, turned.callback, None)
            await turned


class Attempt(Given):
    """Keeps why it came to nothing."""

    def __init__(self) -> None:
        super().__init__(Peer())
        self.failed: Deferred[Any] = Deferred()

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        self.failed.callback(reason.type)


class ConnectTests(Connected):
    """Connections that are not made."""

    def bound(self) -> socket.socket:
        bound = socket.socket()
        self.addCleanup(bound.close)
        bound.bind(("127.0.0.1", 0))
        return bound

    async def test_a_refused_connection_fails(self) -> None:
        bound = self.bound()
        attempt = Attempt()
        self.sockets.connect("127.0.0.1", bound.getsockname()[1], attempt, 5)
        self.assertIs(await attempt.failed, ConnectionRefusedError)

    async def test_a_connection_that_takes_too_long_fails(self) -> None:
        bound, attempt = self.bound(), Attempt()
        bound.listen()
        self.sockets.connect("127.0.0.1", bound.getsockname()[1], attempt, 0)
        self.assertIs(await attempt.failed, TimeoutError)

    async def test_a_connection_that_nobody_wants_any_more_fails(self) -> None:
        bound, attempt = self.bound(), Attempt()
        bound.listen()
        connector = self.sockets.connect("127.0.0.1", bound.getsockname()[1], attempt, 5)
        reactor.callLater(0, connector.stopConnecting)
        self.assertIs(await attempt.failed, UserError)

    async def test_nothing_of_them_waits_for_the_collector(self) -> None:
        bound = self.bound()
        port = bound.getsockname()[1]

        async def fail(timeout: float, kind: type[Exception]) -> None:
            attempt = Attempt()
            self.sockets.connect("127.0.0.1", port, attempt, timeout)
            self.assertIs(await attempt.failed, kind)

        with circles() as found:
            await fail(5, ConnectionRefusedError)
            bound.listen()
            await fail(0, TimeoutError)
            await deferLater(reactor, 0)
        self.assertEqual(found, {})


class TLSTests(Connected):
    """TLS goes through eager transports like any other bytes."""

    issued = self_signed("shop")
    shop = PrivateCertificate.fromCertificateAndKeyPair(
        Certificate.loadPEM(issued.pem), KeyPair.load(issued.key_pem(), FILETYPE_PEM)
    )

    def trusting(self) -> Any:
        return optionsForClientTLS("shop", trustRoot=trustRootFromCertificates([self.shop]))

    async def exchange(self, server: Peer, client: Peer) -> None:
        await server.made
        await client.made
        client.transport.write(LARGE)
        server.transport.write(LARGE[::-1])
        server.transport.write(b"the end")
        server.transport.loseConnection()
        await client.lost
        await server.lost
        self.assertEqual(client.received.removeprefix(b"a secret"), LARGE[::-1] + b"the end")

    async def test_an_endpoint_with_a_certificate_is_eager_below(self) -> None:
        pem = Path(self.mktemp())
        pem.write_bytes(self.shop.privateKey.dump(1) + self.shop.dumpPEM())
        server, client = Peer(), Peer()
        endpoint = serverFromString(reactor, f"ssl:0:interface=127.0.0.1:privateKey={pem}:certKey={pem}")
        port: Any = self.sockets.take(await endpoint.listen(Given(server)))
        self.addCleanup(port.stopListening)
        factory = TLSMemoryBIOFactory(self.trusting(), True, Given(client))
        self.sockets.connect("127.0.0.1", port.getHost().port, factory, 5)
        await server.made
        self.assertIsInstance(server.transport.transport, EagerServer)
        await self.exchange(server, client)

    async def test_nothing_bypasses_a_tls_that_starts_later(self) -> None:
        server, client = await self.pair()
        server.transport.startTLS(self.shop.options())
        client.transport.startTLS(self.trusting())
        server.transport.write(b"a secret")
        await self.exchange(server, client)


class WhereTests(SynchronousTestCase):
    def test_reactors_of_tests_connect_in_their_own_way(self) -> None:
        memory = MemoryReactor()
        Sockets(memory).connect("192.0.2.1", 80, Given(Peer()), 3)
        ((host, port, _, timeout, _),) = memory.tcpClients
        self.assertEqual((host, port, timeout), ("192.0.2.1", 80, 3))

    def test_ports_that_are_not_plain_tcp_stay_as_they_are(self) -> None:
        port: Any = tcp.Port(0, Factory(), interface="127.0.0.1", reactor=reactor)
        port.transport = object
        self.assertIs(Sockets(reactor).take(port).transport, object)

    def test_unix_ports_stay_as_they_are(self) -> None:
        port: Any = unix.Port(self.mktemp(), Factory(), reactor=reactor)
        self.assertIs(Sockets(reactor).take(port).transport, unix.Server)


class PortTests(Connected):
    """Ports that are taken."""

    async def test_a_port_that_another_process_bound_is_eager_too(self) -> None:
        bound = socket.create_server(("127.0.0.1", 0), backlog=1)
        bound.setblocking(False)
        server, client = Peer(), Peer()
        port = self.sockets.take(reactor.adoptStreamPort(bound.fileno(), socket.AF_INET, Given(server)))
        self.addCleanup(port.stopListening)
        self.sockets.connect("127.0.0.1", bound.getsockname()[1], Given(client), 5)
        bound.close()
        await server.made
        await client.made
        self.assertIsInstance(server.transport, EagerServer)
        await self.part(server, client)

    async def test_more_may_wait_to_be_accepted_than_twisted_lets(self) -> None:
        asked: list[int] = []
        port = reactor.listenTCP(0, Given(Peer()), interface="127.0.0.1")
        self.addCleanup(port.stopListening)

        class Listening:
            listen = asked.append
            setsockopt = staticmethod(lambda *asked: None)

        kept, port.socket = port.socket, Listening
        self.sockets.take(port)
        port.socket = kept
        self.assertEqual(asked, [BACKLOG])


class OutboxTests(Connected):
    """Small writes in a round of a poller leave at its end; everything else about a connection stays as it is."""

    async def pair_in_a_round(self) -> tuple[Peer, Peer, Any]:
        server, client = await self.pair()
        outbox = server.transport.outbox
        outbox.is_open = True
        return server, client, outbox

    async def test_a_small_write_waits_for_the_end_of_the_round(self) -> None:
        server, client, outbox = await self.pair_in_a_round()
        server.transport.write(b"later")
        with self.assertRaises(BlockingIOError):
            client.transport.getHandle().recv(10)
        outbox.close()
        self.assertEqual(client.transport.getHandle().recv(10), b"later")

    async def test_another_small_write_leaves_with_it(self) -> None:
        server, client, outbox = await self.pair_in_a_round()
        server.transport.write(b"one ")
        server.transport.write(b"two")
        outbox.close()
        self.assertEqual(client.transport.getHandle().recv(10), b"one two")
        self.assertEqual((server.transport.dataBuffer, server.transport._tempDataLen), (b"", 0))

    async def test_small_writes_that_do_not_fit_follow_in_order_and_hold_their_producer(self) -> None:
        server, client, outbox = await self.pair_in_a_round()
        server.transport.registerProducer(server, True)
        sent = b"".join(b"%07d\n" % number for number in range(100_000))
        client.transport.pauseProducing()
        for at in range(0, len(sent), 1000):
            server.transport.write(sent[at : at + 1000])
        self.assertEqual(set(server.asked), {"pause"})
        outbox.close()
        server.transport.unregisterProducer()
        server.transport.loseConnection()
        client.transport.resumeProducing()
        await client.lost
        self.assertEqual(client.received, sent)

    async def test_what_is_written_after_it_follows_it(self) -> None:
        server, client, outbox = await self.pair_in_a_round()
        server.transport.write(b"one ")
        server.transport.write(LARGE)
        outbox.close()
        server.transport.loseConnection()
        await client.lost
        self.assertEqual(client.received, b"one " + LARGE)

    async def test_an_end_waits_for_it(self) -> None:
        server, client, outbox = await self.pair_in_a_round()
        server.transport.write(b"bye")
        server.transport.loseConnection()
        outbox.close()
        await client.lost
        self.assertEqual(client.received, b"bye")

    async def test_an_end_of_one_half_waits_for_it(self) -> None:
        server, client, outbox = await self.pair_in_a_round()
        server.transport.write(b"bye")
        server.transport.loseWriteConnection()
        outbox.close()
        await client.lost
        self.assertEqual(client.received, b"bye")

    async def test_a_connection_that_is_reset_sends_it_no_more(self) -> None:
        server, client, outbox = await self.pair_in_a_round()
        server.transport.write(b"nothing")
        server.transport.abortConnection()
        outbox.close()
        await client.lost
        self.assertEqual(client.received, b"")

    async def test_a_reset_is_no_end_whatever_is_asked_before_or_after_it(self) -> None:
        for asked in (("loseConnection", "abortConnection"), ("abortConnection", "loseConnection")):
            server, client, outbox = await self.pair_in_a_round()
            server.transport.write(b"nothing")
            for what in asked:
                getattr(server.transport, what)()
            outbox.close()
            await client.lost
            await server.lost
            self.assertEqual(client.received, b"")

    async def test_an_end_in_a_round_comes_with_the_end_of_the_round(self) -> None:
        server, client, outbox = await self.pair_in_a_round()
        server.transport.write(b"bye")
        server.transport.loseConnection()
        self.assertFalse(server.lost.called)
        outbox.close()
        self.assertTrue(server.lost.called)
        await client.lost
        self.assertEqual(client.received, b"bye")

    async def test_an_end_waits_for_what_does_not_fit(self) -> None:
        server, client = await self.pair()
        outbox = server.transport.outbox
        client.transport.pauseProducing()
        server.transport.write(LARGE * 8)
        outbox.is_open = True
        server.transport.write(b"bye")
        server.transport.loseConnection()
        outbox.close()
        self.assertFalse(server.lost.called)
        client.transport.resumeProducing()
        await client.lost
        self.assertEqual(len(client.received), len(LARGE) * 8 + 3)

    async def test_accepted_connections_do_not_wait_to_fill_a_packet(self) -> None:
        server, client = await self.pair()
        for peer in (server, client):
            peer.transport.setTcpNoDelay(True)
            self.assertTrue(peer.transport.getTcpNoDelay())
            peer.transport.setTcpNoDelay(False)
            self.assertFalse(peer.transport.getTcpNoDelay())

    async def test_large_writes_wait_for_nothing(self) -> None:
        server, client, outbox = await self.pair_in_a_round()
        server.transport.write(b"x" * (SMALL + 1))
        self.assertEqual(client.transport.getHandle().recv(1), b"x")
        outbox.close()
