"""A connection through treq: the TLS in front of it, and what it refuses to read."""

from __future__ import annotations

from twisted.internet.endpoints import TCP4ServerEndpoint, wrapServerTLS
from twisted.trial.unittest import SynchronousTestCase

from apigateway.testing.certificates import Authority
from apigateway.testing.steps import Answer, Close, Respond, Stall, StopReading, Wait
from tests.behaviour.secured import options_of
from tests.upstream.treq_world import World, way_to


class TreqOverTLS(SynchronousTestCase):
    """Targets with https: verified, and part of connecting."""

    def setUp(self):
        self.world = World()
        self.authority = Authority()
        self.shop = self.authority.server("shop")
        self.trusting = self.way(self.authority)

    def way(self, authority):
        return way_to("shop", authority, self.world.network)

    def ask(self, certificate, way):
        network, reactor = self.world.network, self.world.network.reactor
        endpoint = TCP4ServerEndpoint(reactor, 443, interface="10.0.0.5")
        wrapServerTLS(options_of(certificate), endpoint, reactor).listen(self.world.service)
        self.world.service.reactor = reactor
        self.world.transport = self.world.transport_to("https://shop", way=way)
        receiver = self.world.ask(b"GET", b"/secret")
        network.pump()
        return receiver

    def test_a_connection_at_rest_ends_though_its_service_never_agrees_to_the_end(self):
        self.ask(self.shop, self.trusting)
        self.assertEqual(self.world.transport.statistics()["idle"], 1)
        self.world.network.silence("10.0.0.5")
        for _ in range(200):
            self.world.network.advance(1)
            self.world.transport.sweep(self.world.network.now())
        self.assertEqual(self.world.transport.statistics()["open"], 0)

    def test_a_service_that_is_who_it_should_be(self):
        self.world.service.answers(200, b"x" * 200_000)
        receiver = self.ask(self.shop, self.trusting)
        self.assertEqual((receiver.status, len(receiver.body), receiver.is_ended), (200, 200_000, True))
        self.assertTrue(self.world.ask().attempt.reused)

    def test_a_certificate_for_another_name(self):
        receiver = self.ask(self.authority.server("other"), self.trusting)
        self.assertEqual((receiver.cause, self.world.service.requests), ("tls-untrusted", []))

    def test_a_certificate_that_nobody_vouches_for(self):
        receiver = self.ask(self.shop, self.way(Authority("Another")))
        self.assertEqual((receiver.cause, self.world.service.requests), ("tls-untrusted", []))
        self.assertEqual(receiver.error.detail, "The service could not prove who it is.")

    def test_a_service_that_does_not_speak_tls(self):
        self.world.service.greeting = (Respond(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Close())
        self.world.transport = self.world.transport_to("https://shop:80", way=self.trusting)
        self.assertEqual(self.world.ask().cause, "tls-failed")

    def test_a_service_that_closes_during_the_handshake(self):
        self.world.service.greeting = (Close(),)
        self.world.transport = self.world.transport_to("https://shop:80", way=self.trusting)
        receiver = self.world.ask()
        self.assertEqual(receiver.cause, "tls-failed")

    def test_a_handshake_that_gets_nowhere_counts_as_connecting(self):
        self.world.service.greeting = (StopReading(), Stall())
        self.world.transport = self.world.transport_to("https://shop:80", way=self.trusting)
        receiver = self.world.ask()
        self.world.network.advance(5)
        self.assertEqual((receiver.cause, self.world.transport.statistics()["open"]), ("connect-timeout", 0))


class TreqConnectionState(SynchronousTestCase):
    """What a connection is at each moment, as its `repr` shows it."""

    def setUp(self):
        self.world = World()

    def connection(self, receiver):
        return receiver.attempt._connection

    def test_it_is_busy_until_the_answer_is_complete_and_then_idle(self):
        self.world.service.script(Wait(1), Answer())
        receiver = self.world.ask()
        connection = self.connection(receiver)
        self.assertEqual(repr(connection), "<TreqConnection busy exchanges=1>")
        self.world.network.advance(1)
        self.assertEqual(repr(connection), "<TreqConnection idle exchanges=1>")
        self.world.ask()
        self.assertEqual(repr(connection), "<TreqConnection idle exchanges=2>")

    def test_it_is_lost_as_soon_as_it_is_dropped(self):
        self.world.service.script(Stall())
        receiver = self.world.ask()
        connection = self.connection(receiver)
        connection.drop()
        connection.drop()
        self.assertEqual(repr(connection), "<TreqConnection lost exchanges=1>")
        self.assertEqual(receiver.cause, "connection-lost")

    def test_what_follows_the_answer_in_the_same_segment_is_not_taken_for_the_next_answer(self):
        ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
        self.world.service.script(Respond(ok + b"ok" + ok + b"no"))
        self.assertEqual(self.world.ask().body, b"ok")
        self.assertEqual(len(self.world.service.open_connections), 0)
        self.assertEqual(self.world.ask().body, b"")

    def test_a_body_that_was_announced_to_head_and_may_come_late_finds_the_connection_closed(self):
        for raw, stays in ((b"Content-Length: 2\r\n", 0), (b"Content-Length: 0\r\n", 1)):
            self.world.service.script(Respond(b"HTTP/1.1 200 OK\r\n" + raw + b"\r\n"))
            self.assertEqual(self.world.ask(b"HEAD").status, 200)
            self.assertEqual(len(self.world.service.open_connections), stays)

    def test_what_twisted_takes_for_trailers_and_is_none_cuts_the_answer(self):
        for line in (b"A : b", b"A", b"A: b\rc", b"A: b\0", b"Content-Length: 3", b"GET / HTTP/1.1"):
            self.world.service.script(
                Respond(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n" + line + b"\r\n\r\n")
            )
            receiver = self.world.ask()
            self.assertEqual((receiver.cause, receiver.is_ended), ("bad-response", False), line)
            self.assertEqual(len(self.world.service.open_connections), 0)
