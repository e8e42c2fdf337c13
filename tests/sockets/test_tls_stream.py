"""A connection that speaks TLS: nothing is lost, flow control and ends are those of TCP, and an end is told apart
from a cut."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import tracemalloc
from collections.abc import Callable
from typing import Any

from cryptography import x509
from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, INegotiated, IPushProducer, ISSLTransport
from twisted.internet.main import CONNECTION_DONE
from twisted.internet.task import deferLater
from twisted.internet.testing import MemoryReactor
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides, implementer
from zope.interface.verify import verifyObject

from apigateway.sockets.tls import TRUNCATED, TlsFailed
from apigateway.sockets.tls_stream import MOST_LEFT, MOST_TALK, TlsStream
from apigateway.sockets.tls_wire import INCOMING, OUTGOING, RECORD
from apigateway.sockets.unsent import waiting
from apigateway.testing.certificates import Authority
from tests.behaviour.caller import hold_little
from tests.behaviour.waiting import until
from tests.sockets.secure import Secured, Wanting, context_for, trusting
from tests.sockets.test_transports import LARGE, Peer, Pulled, reactor


@implementer(IHalfCloseableProtocol)
class HalfPeer(Peer):
    """Hears of ends one by one."""

    def __init__(self) -> None:
        super().__init__()
        self.ended = False

    def readConnectionLost(self) -> None:
        self.ended = True

    def writeConnectionLost(self) -> None:
        """The other half."""


class Echo(Peer):
    """Says what it hears."""

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        self.transport.write(data)


def has_come(handle: socket.socket) -> bool:
    """Whether there is something to read."""
    return bool(select.select([handle], [], [], 0)[0])


class StreamTests(Secured):
    async def test_it_is_what_protocols_expect_of_a_transport_with_tls(self) -> None:
        server, client = await self.secure_pair()
        for end in (server, client):
            for interface in (ISSLTransport, INegotiated, IPushProducer):
                verifyObject(interface, end.transport)
            end.transport.setTcpNoDelay(True)
            end.transport.setTcpKeepAlive(True)
            self.assertTrue(end.transport.getTcpNoDelay() and end.transport.getTcpKeepAlive())
            self.assertEqual(repr(end.transport), "<TlsStream TLSv1.3 open>")
        self.assertEqual(server.transport.getPeer(), client.transport.getHost())
        self.assertEqual(client.transport.fileno(), client.transport.getHandle().fileno())

    async def test_the_other_end_and_what_was_settled_can_be_asked(self) -> None:
        self.client_context.set_alpn_protocols(["h2", "http/1.1"])
        server, client = await self.secure_pair()
        shown = client.transport.getPeerCertificate()
        self.assertEqual(
            shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value[0].value, "localhost"
        )
        self.assertIsNone(server.transport.getPeerCertificate())
        self.assertEqual([end.transport.negotiatedProtocol for end in (server, client)], [b"http/1.1"] * 2)
        self.assertEqual(client.transport.peer.version, "TLSv1.3")

    async def test_large_and_small_pieces_arrive_in_order_both_ways(self) -> None:
        server, client = await self.secure_pair(Echo())
        sent = b""
        for piece in (b"a", LARGE, b"", b"b" * 16384, b"c" * 16385, LARGE, b"z"):
            client.transport.write(piece)
            sent += piece
        client.transport.writeSequence([b"the ", b"end"])
        sent += b"the end"
        await until(lambda: len(client.received) >= len(sent), "the echo")
        self.assertTrue(server.received == client.received == sent)

    async def test_a_little_takes_no_block_for_a_whole_record(self) -> None:
        server, client = await self.secure_pair()
        server.transport.pauseProducing()
        client.transport.write(b"a little")
        peek = server.transport.getHandle()
        await until(lambda: has_come(peek), "what was sent")
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        self.assertTrue(server.transport.read_now())
        _, most = tracemalloc.get_traced_memory()
        self.assertEqual(server.received, b"a little")
        self.assertLess(most, RECORD // 2)

    async def test_nothing_is_left_in_the_buffers_that_all_share(self) -> None:
        _, client = await self.secure_pair(Echo())
        client.transport.write(LARGE)
        await until(lambda: len(client.received) == len(LARGE), "the echo")
        self.assertEqual((INCOMING.pending, OUTGOING.pending), (0, 0))

    async def test_who_does_not_read_holds_the_producer_back_until_it_reads_again(self) -> None:
        server, client = await self.secure_pair()
        for end in (server, client):
            hold_little(end.transport)
        client.transport.pauseProducing()
        server.transport.registerProducer(server, True)
        while "pause" not in server.asked:
            server.transport.write(b"x" * 100_000)
        self.assertGreater(server.transport.unsent, 0)
        self.assertEqual(waiting(server.transport), server.transport.unsent)
        client.transport.resumeProducing()
        await until(lambda: "resume" in server.asked, "a producer that goes on")
        server.transport.unregisterProducer()

    async def test_nothing_is_delivered_while_reading_is_paused(self) -> None:
        server, client = await self.secure_pair()
        server.transport.pauseProducing()
        client.transport.write(b"later")
        await deferLater(reactor, 0.02)
        self.assertEqual(server.received, b"")
        server.transport.resumeProducing()
        await until(lambda: server.received == b"later", server)

    async def test_who_is_pulled_gives_all_before_the_end(self) -> None:
        server, client = await self.secure_pair()
        server.transport.registerProducer(Pulled(server.transport, 500), False)
        server.transport.loseConnection()
        await client.lost
        self.assertEqual((client.received, client.reason), (b"." * 500, ConnectionDone))


class EndTests(Secured):
    async def test_an_end_in_order_comes_behind_all_that_was_written(self) -> None:
        server, client = await self.secure_pair()
        server.transport.write(LARGE)
        server.transport.loseConnection()
        server.transport.write(b"too late")
        await client.lost
        await server.lost
        self.assertTrue(client.received == LARGE)
        self.assertEqual((client.reason, server.reason), (ConnectionDone, ConnectionDone))

    async def test_an_end_of_tcp_alone_is_no_end_but_a_cut(self) -> None:
        server, client = await self.secure_pair()
        server.transport.write(b"half of i")
        server.transport._below.loseConnection()
        await client.lost
        self.assertEqual((client.received, client.reason), (b"half of i", TlsFailed))
        self.assertTrue(issubclass(client.reason, ConnectionLost))

    async def test_a_reset_is_no_end_either(self) -> None:
        server, client = await self.secure_pair()
        server.transport.abortConnection()
        await client.lost
        await server.lost
        self.assertEqual((client.reason, server.reason), (ConnectionLost, ConnectionAborted))

    async def test_what_is_written_after_a_reset_or_an_end_goes_nowhere(self) -> None:
        server, client = await self.secure_pair()
        server.transport.abortConnection()
        server.transport.write(b"x")
        await client.lost
        client.transport.write(b"x")
        client.transport.loseConnection()
        client.transport.loseWriteConnection()
        self.assertEqual((OUTGOING.pending, client.received), (0, b""))

    async def test_one_side_may_end_before_the_other(self) -> None:
        server, client = await self.secure_pair(HalfPeer(), HalfPeer())
        client.transport.write(b"all I had")
        client.transport.loseWriteConnection()
        await until(lambda: server.received == b"all I had", server)
        self.assertTrue(client.transport.has_halves)

    async def test_after_our_own_end_the_other_side_is_still_heard(self) -> None:
        server, client = await self.secure_pair(HalfPeer())
        client.transport._say_end()
        await until(lambda: getattr(server, "ended", False), server)
        server.transport.write(LARGE)
        await until(lambda: len(client.received) == len(LARGE), "the answer")
        server.transport.loseConnection()
        await client.lost
        await server.lost
        self.assertEqual((client.reason, server.reason), (ConnectionDone, ConnectionDone))

    async def test_a_record_that_was_changed_on_the_way_ends_it_with_the_reason(self) -> None:
        server, client = await self.secure_pair()
        client.transport.write(b"good")
        client.transport._below.write(b"\x17\x03\x03\x00\x20" + b"x" * 32)
        await server.lost
        await client.lost
        self.assertEqual((server.received, server.reason), (b"good", TlsFailed))
        self.assertEqual(client.reason, TlsFailed, "the alert did not arrive")
        self.assertEqual((INCOMING.pending, OUTGOING.pending), (0, 0))

    async def test_a_fault_on_one_connection_is_none_on_another(self) -> None:
        _, client = await self.secure_pair(Echo())
        other, broken = Peer(), Peer()
        self.secure._build = lambda: other
        self.sockets.connect("127.0.0.1", self.port, Wanting(broken), 5, self.tls)
        await other.made
        await broken.made
        broken.transport._below.write(b"\x17\x03\x03\x00\x20" + b"x" * 32 + b"\x17\x03\x03\x40\x00and more")
        await broken.lost
        await other.lost
        client.transport.write(b"still here")
        await until(lambda: client.received == b"still here", client)

    async def test_who_asks_for_new_keys_and_reads_no_answers_is_cut(self) -> None:
        server, client = await self.secure_pair()
        hold_little(server.transport)
        server.transport._talked = MOST_TALK
        client.transport.pauseProducing()
        while not waiting(server.transport):
            server.transport.write(b"x" * 100_000)
        OUTGOING.write(b"TLS has something to say")
        server.transport._talk()
        await server.lost
        self.assertEqual(server.reason, ConnectionAborted)


class OtherImplementationTests(Secured):
    """With Python's own `ssl` on a blocking socket at the other end."""

    async def ask(self, talk: Any) -> Any:
        """The result of a talk with an echo, in a thread."""
        self.echo = Echo()
        self.serve(self.echo)

        def run() -> Any:
            with self.socket() as connection:
                return talk(connection)

        return await deferToThread(run)

    def socket(self) -> ssl.SSLSocket:
        """A connected one."""
        raw = socket.create_connection(("127.0.0.1", self.port), 5)
        return self.client_context.wrap_socket(raw, server_hostname="localhost")

    async def test_versions_1_2_and_1_3(self) -> None:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            self.client_context.maximum_version = version

            def talk(connection: ssl.SSLSocket) -> tuple[bytes, str | None]:
                connection.sendall(b"hello")
                return connection.recv(10), connection.version()

            self.assertEqual(await self.ask(talk), (b"hello", version.name.replace("_", ".")))
            await self.echo.lost

    async def test_each_answers_the_end_of_the_other(self) -> None:
        def talk(connection: ssl.SSLSocket) -> object:
            connection.sendall(b"bye")
            connection.recv(10)
            return connection.unwrap()

        self.assertIsNotNone(await self.ask(talk))
        await self.echo.lost
        self.assertEqual(self.echo.reason, ConnectionDone)

    async def test_who_closes_without_a_word_has_cut_it(self) -> None:
        def talk(connection: ssl.SSLSocket) -> None:
            connection.sendall(b"x")
            connection.recv(1)

        await self.ask(talk)
        await self.echo.lost
        self.assertEqual(self.echo.reason, TlsFailed)


ROOM = 1 << 30


class Below(FileDescriptor):
    """Twisted's ways with buffers, producers and ends; `sent` is what a peer has taken, who takes `room` bytes more."""

    def __init__(self) -> None:
        super().__init__(MemoryReactor())
        self.connected = 1
        self.room = ROOM
        self.sent = b""
        self.protocol: Any = None
        self.is_aborted = False

    def writeSomeData(self, data: Any) -> int:
        size = min(self.room, len(data))
        self.room -= size
        self.sent += bytes(data[:size])
        return size

    def loseWriteConnection(self) -> None:
        """The test says the rest."""

    def abortConnection(self) -> None:
        self.is_aborted = True

    def turn(self) -> None:
        """A turn of the reactor: what can be written is, and the connection ends when it should."""
        if self.is_aborted:
            self._lost(ConnectionAborted())
        elif self.connected and self.doWrite() is CONNECTION_DONE:
            self._lost(ConnectionDone())

    def _lost(self, why: Exception) -> None:
        if self.connected:
            FileDescriptor.connectionLost(self, Failure(why))
            self.protocol.connectionLost(Failure(why))


class Above:
    """A protocol that does what a test wants when it hears something."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.on_data: Callable[[], object] = lambda: None
        self.on_pause: Callable[[], object] = lambda: None
        self.on_lost: Callable[[], object] = lambda: None

    def makeConnection(self, transport: Any) -> None:
        """Connected."""

    def dataReceived(self, data: bytes) -> None:
        self.heard.append(data)
        self.on_data()

    def readConnectionLost(self) -> None:
        self.heard.append("end")

    def connectionLost(self, reason: Failure) -> None:
        self.heard.append(reason.value)
        self.on_lost()

    def pauseProducing(self) -> None:
        self.on_pause()

    def resumeProducing(self) -> None:
        """There is more room."""

    def stopProducing(self) -> None:
        """Nothing is wanted any more."""


class EndCase(SynchronousTestCase):
    authority = Authority()

    def setUp(self) -> None:
        self.theirs, self.ours = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = trusting(self.authority)
        self.peer = context.wrap_bio(self.theirs, self.ours, server_hostname="localhost")
        server = context_for(self.authority.server("localhost")).wrap_bio(INCOMING, OUTGOING, server_side=True)
        for _ in range(2):
            for end in (self.peer, server):
                with contextlib.suppress(ssl.SSLWantReadError):
                    end.do_handshake()
                self.theirs.write(OUTGOING.read())
                INCOMING.write(self.ours.read())
        self.below, self.above = Below(), Above()
        self.stream = TlsStream(self.below, server)
        self.stream.begin(self.above, b"")

    def tearDown(self) -> None:
        self.assertEqual((INCOMING.pending, OUTGOING.pending), (0, 0))

    def says(self, data: bytes = b"", end: bool = False) -> None:
        """The peer says something, and with `end` that this was all."""
        if data:
            self.peer.write(data)
        if end:
            with contextlib.suppress(ssl.SSLWantReadError):
                self.peer.unwrap()
        self.stream.dataReceived(self.ours.read())

    def taken(self) -> bytes:
        """All that the peer understands of what was sent; the end is `.` at the end."""
        self.theirs.write(self.below.sent)
        self.below.sent = b""
        read = b""
        try:
            while True:
                piece = self.peer.read(1 << 14)
                if not piece:
                    return read + b"."
                read += piece
        except ssl.SSLWantReadError:
            return read
        except ssl.SSLZeroReturnError:
            return read + b"."


class ClosingTests(EndCase):
    def test_what_was_written_goes_before_the_end(self) -> None:
        self.below.room = 0
        self.stream.write(b"all")
        self.stream.loseConnection()
        self.stream.write(b"late")
        self.below.turn()
        self.assertTrue(self.stream.disconnecting)
        self.assertEqual(self.above.heard, [])
        self.below.room = ROOM
        self.below.turn()
        self.assertEqual((self.taken(), [type(one) for one in self.above.heard]), (b"all.", [ConnectionDone]))

    def test_a_producer_that_is_held_back_keeps_no_end_from_coming(self) -> None:
        for is_ours in (True, False):
            self.setUp()
            self.below.room = 0
            self.below.bufferSize = 10
            self.stream.registerProducer(self.above, True)
            self.stream.write(b"x" * 1000)
            self.assertTrue(self.below.producerPaused)
            self.stream.loseConnection() if is_ours else self.says(end=True)
            self.below.room = ROOM
            self.below.turn()
            self.assertEqual(self.taken(), b"x" * 1000 + b".")
            self.assertEqual([type(one) for one in self.above.heard], [ConnectionDone])

    def test_who_unregisters_after_the_end_changes_nothing(self) -> None:
        self.stream.registerProducer(self.above, True)
        self.stream.loseConnection()
        self.stream.unregisterProducer()
        self.stream.loseConnection()
        self.below.turn()
        self.stream.unregisterProducer()
        self.assertEqual((self.taken(), [type(one) for one in self.above.heard]), (b".", [ConnectionDone]))

    def test_who_closes_or_cuts_when_it_hears_something_hears_no_more(self) -> None:
        for end, why, taken in ((self.stream.loseConnection, ConnectionDone, b"answer."),
                                (self.stream.abortConnection, ConnectionAborted, b"")):  # fmt: skip
            self.setUp()

            def answer(name: str = end.__name__) -> None:
                self.stream.write(b"answer")
                getattr(self.stream, name)()
                self.stream.write(b"late")

            self.below.room = ROOM if taken else 0
            self.above.on_data = answer
            self.says(b"question", end=True)
            self.below.turn()
            self.assertEqual(self.above.heard[0], b"question")
            self.assertEqual(([type(one) for one in self.above.heard[1:]], self.taken()), ([why], taken))

    def test_a_cut_in_the_middle_of_a_large_write_ends_the_writing(self) -> None:
        self.below.room = 0
        self.below.bufferSize = 10
        self.stream.registerProducer(self.above, True)
        for end in (self.stream.abortConnection, self.stream.loseConnection):
            self.above.on_pause = end
            self.stream.write(b"x" * 200_000)
        self.below.turn()
        self.assertEqual([type(one) for one in self.above.heard], [ConnectionAborted])

    def test_who_closes_in_the_middle_of_a_large_write_has_sent_what_went_before(self) -> None:
        self.below.room = 0
        self.below.bufferSize = 10
        self.stream.registerProducer(self.above, True)
        self.above.on_pause = self.stream.loseConnection
        self.stream.write(b"x" * 200_000)
        self.below.room = ROOM
        self.below.turn()
        self.assertEqual([type(one) for one in self.above.heard], [ConnectionDone])
        self.assertEqual(set(self.taken()), set(b"x."))

    def test_an_end_during_a_callback_about_the_end_changes_nothing(self) -> None:
        for call in ("loseConnection", "abortConnection", "loseWriteConnection", "unregisterProducer"):
            self.setUp()
            self.above.on_lost = getattr(self.stream, call)
            self.stream.loseConnection()
            self.below.turn()
            self.assertEqual([type(one) for one in self.above.heard], [ConnectionDone])


class TheirEndTests(EndCase):
    def test_behind_its_end_nothing_counts(self) -> None:
        self.says(b"all", end=True)
        self.stream.dataReceived(b"\x17\x03\x03\0\x05aaaaa")
        self.below.turn()
        self.assertEqual((self.above.heard[0], type(self.above.heard[1]), len(self.above.heard)),
                         (b"all", ConnectionDone, 2))  # fmt: skip

    def test_who_hears_of_halves_may_still_write_until_it_closes(self) -> None:
        directlyProvides(self.above, IHalfCloseableProtocol)
        self.says(b"all", end=True)
        self.stream.write(b"answer")
        self.below.turn()
        self.assertEqual(self.above.heard, [b"all", "end"])
        self.stream.loseConnection()
        self.below.turn()
        self.assertEqual((self.taken(), type(self.above.heard[-1])), (b"answer.", ConnectionDone))

    def test_both_halves_that_have_ended_are_an_end(self) -> None:
        directlyProvides(self.above, IHalfCloseableProtocol)
        self.stream.loseWriteConnection()
        self.stream.loseWriteConnection()
        self.assertEqual(self.above.heard, [])
        self.says(b"answer", end=True)
        self.below.turn()
        self.assertEqual(
            (self.above.heard[0], type(self.above.heard[1]), self.taken()), (b"answer", ConnectionDone, b".")
        )

    def test_who_does_not_take_what_is_left_is_cut(self) -> None:
        self.below.room = 0
        self.stream.write(b"x" * (MOST_LEFT + 1))
        self.says(end=True)
        self.assertTrue(self.below.is_aborted)

    def test_without_its_word_the_end_is_a_cut_but_not_after_ours(self) -> None:
        for is_ended, why in ((False, TRUNCATED), (True, None)):
            self.setUp()
            if is_ended:
                self.stream.loseWriteConnection()
            self.below._lost(ConnectionDone())
            self.assertEqual(getattr(self.above.heard[0], "reason", None), why)

    def test_a_reset_is_one_at_any_time(self) -> None:
        for prepare in ("loseConnection", "loseWriteConnection", "pauseProducing"):
            self.setUp()
            getattr(self.stream, prepare)()
            self.below._lost(ConnectionLost())
            self.assertEqual([type(one) for one in self.above.heard], [ConnectionLost])
