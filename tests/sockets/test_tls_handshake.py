"""Handshakes of clients that may be anybody: slow, broken, gone, or many at once."""

from __future__ import annotations

import gc
import ssl
import weakref
from collections.abc import Callable
from typing import Any

from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock, deferLater
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from apigateway.sockets.tls import CUT, TIMED_OUT, TlsFailed
from apigateway.sockets.tls_handshake import MOST_KEPT, Handshake
from apigateway.sockets.tls_server import NO_PROTOCOL, NOT_TLS, ServerTls
from apigateway.sockets.tls_turns import Turns
from apigateway.sockets.tls_wire import INCOMING, OUTGOING
from apigateway.testing.certificates import Authority
from tests.behaviour.waiting import until
from tests.sockets.secure import Secured, Wanting, context_for
from tests.sockets.test_client_hello import hello
from tests.sockets.test_transports import Given, Peer, reactor


class HandshakeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.context = context_for(Authority().server("localhost"))
        self.failures: list[TlsFailed] = []
        self.clock = Clock()
        self.time = 0.0
        self.turns = Turns(self.clock, lambda: self.time)
        self.transport: Any = StringTransport()
        self.handshake = Handshake(
            ServerTls(lambda name: self.context).arriving(), lambda stream: Protocol(), self.failures.append, self.turns
        )
        self.handshake.makeConnection(self.transport)

    def reasons(self) -> list[str]:
        return [one.reason for one in self.failures]

    def test_a_hello_in_single_bytes_is_answered_once(self) -> None:
        data = hello("localhost")
        for at in range(len(data)):
            self.assertEqual(self.transport.value(), b"")
            self.handshake.dataReceived(data[at : at + 1])
        self.assertEqual(self.transport.value()[:1], b"\x16")
        self.assertEqual((self.reasons(), OUTGOING.pending, INCOMING.pending), ([], 0, 0))

    def test_garbage_is_a_failure_and_the_end(self) -> None:
        self.handshake.dataReceived(b"\0\0\0\0")
        self.handshake.dataReceived(b"more of it")
        self.assertEqual(self.reasons(), [NOT_TLS])
        self.assertTrue(self.transport.disconnecting)

    def test_garbage_behind_a_hello_is_answered_with_an_alert(self) -> None:
        self.handshake.dataReceived(hello("localhost"))
        self.transport.clear()
        self.handshake.dataReceived(b"\x17\x03\x03\0\x05aaaaa" + b"left over")
        self.assertEqual((len(self.failures), self.transport.value()[:3]), (1, b"\x17\x03\x03"))  # encrypted already
        self.assertEqual((OUTGOING.pending, INCOMING.pending), (0, 0))

    def test_what_is_refused_is_told_to_the_other_end(self) -> None:
        self.handshake.dataReceived(hello("localhost", ("h2",)))
        self.assertEqual((self.reasons(), self.transport.value()[-1:]), ([NO_PROTOCOL], b"\x78"))

    def test_who_leaves_or_takes_too_long_is_told_of_once(self) -> None:
        self.handshake.dataReceived(hello("localhost")[:50])
        self.handshake.give_up()
        self.handshake.give_up()
        self.handshake.connectionLost()
        self.assertEqual((self.reasons(), self.transport.disconnecting or self.transport.aborting), ([TIMED_OUT], True))
        gone = Handshake(lambda data: None, lambda stream: Protocol(), self.failures.append, self.turns)
        gone.makeConnection(StringTransport())
        gone.connectionLost()
        self.assertEqual(self.reasons(), [TIMED_OUT, CUT])

    def test_what_came_to_nothing_keeps_nothing_of_openssl(self) -> None:
        ends: dict[str, Callable[[Handshake], object]] = {
            "left": Handshake.connectionLost,
            "too slow": Handshake.give_up,
            "broken": lambda handshake: handshake.dataReceived(b"\x17\x03\x03\0\x05aaaaa"),
        }
        for how, end in ends.items():
            begun: list[weakref.ref[ssl.SSLObject]] = []

            def begin(data: bytes, begun: list[weakref.ref[ssl.SSLObject]] = begun) -> ssl.SSLObject:
                tls = self.context.wrap_bio(INCOMING, OUTGOING, server_side=True)
                begun.append(weakref.ref(tls))
                return tls

            handshake = Handshake(begin, lambda stream: Protocol(), self.failures.append, self.turns)
            handshake.makeConnection(StringTransport())
            handshake.dataReceived(hello("localhost"))
            self.assertIsNotNone(begun[0]())
            end(handshake)
            self.assertIsNone(begun[0](), how)

    def test_who_waits_for_a_turn_is_not_read_without_bound(self) -> None:
        def long() -> None:
            self.time += 1

        self.turns.ask(long)
        self.handshake.dataReceived(hello("localhost"))
        self.assertEqual((self.transport.value(), self.transport.producerState), (b"", "producing"))
        self.handshake.dataReceived(b"\x16" * MOST_KEPT)
        self.assertEqual(self.transport.producerState, "paused")
        self.assertIn("waiting", repr(self.handshake))
        self.clock.advance(0)
        self.assertIn("over", repr(self.handshake))

    def test_reading_goes_on_when_its_turn_has_come(self) -> None:
        self.turns.ask(lambda: setattr(self, "time", 1.0))
        self.handshake.dataReceived(hello("localhost")[:100])
        self.handshake._paused = True
        self.transport.pauseProducing()
        self.clock.advance(0)
        self.assertEqual(self.transport.producerState, "producing")

    def test_who_leaves_before_its_turn_is_told_of_once(self) -> None:
        self.turns.ask(lambda: setattr(self, "time", 1.0))
        self.handshake.dataReceived(hello("localhost"))
        self.handshake.connectionLost()
        self.clock.advance(0)
        self.handshake.give_up()
        self.assertEqual((self.transport.value(), self.reasons()), (b"", [CUT]))

    def test_a_turn_that_comes_too_late_does_nothing(self) -> None:
        self.turns.ask(lambda: setattr(self, "time", 1.0))
        self.handshake.dataReceived(hello("localhost"))
        self.handshake.give_up()
        self.clock.advance(0)
        self.assertEqual((self.transport.value(), self.reasons()), (b"", [TIMED_OUT]))

    def test_one_that_is_over_does_not_hold_who_began_it(self) -> None:
        class Owner:
            def __init__(self, turns: Turns) -> None:
                self.handshake = Handshake(self.begin, self.build, self.failed, turns)

            def begin(self, data: bytes) -> None:
                """Nothing yet."""

            def build(self, stream: Any) -> Protocol:
                return Protocol()

            def failed(self, why: TlsFailed) -> None:
                """It has."""

        gc.disable()
        self.addCleanup(gc.enable)
        owner = Owner(self.turns)
        owner.handshake.makeConnection(StringTransport())
        owner.handshake.give_up()
        gone = weakref.ref(owner)
        del owner
        self.assertIsNone(gone())


class OverSocketsTests(Secured):
    async def test_what_comes_with_the_end_of_the_handshake_is_not_lost(self) -> None:
        server = Peer()
        self.serve(server)

        class Eager(Peer):
            def connectionMade(self) -> None:
                self.transport.write(b"at once")
                super().connectionMade()

        client = Eager()
        self.sockets.connect("127.0.0.1", self.port, Wanting(client), 5, self.tls)
        await until(lambda: server.received == b"at once", server)
        await self.part(server, client)

    async def test_http_without_tls_is_answered_in_the_clear(self) -> None:
        self.serve(Peer(), b"HTTP/1.1 400 Bad Request\r\n\r\n")
        client = Peer()
        self.sockets.connect("127.0.0.1", self.port, Given(client), 5)
        await client.made
        client.transport.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await client.lost
        self.assertEqual(client.received, b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async def test_many_at_once_all_come_to_an_end(self) -> None:
        servers: list[Peer] = []
        self.serve(Peer())
        self.secure._build = lambda: servers.append(Peer()) or servers[-1]  # type: ignore[func-returns-value]
        clients = [Peer() for _ in range(100)]
        for client in clients:
            self.sockets.connect("127.0.0.1", self.port, Wanting(client), 60, self.tls)
        for client in clients:
            await client.made
        await until(lambda: len(servers) == len(clients), "all servers")
        await deferLater(reactor, 0)
        await self.part(*clients, *servers)
        self.assertEqual((self.secure.failures, len(self.sockets.turns)), ([], 0))
