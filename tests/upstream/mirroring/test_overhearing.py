"""Listening to the body of a request on its way to the service."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyClass

from apigateway.errors import CONNECT_FAILED, CONNECTION_LOST
from apigateway.interfaces import IDownstream, IUpstream
from apigateway.upstream.mirroring.overhearing import Tap
from tests.upstream.forward_world import World
from tests.upstream.mirror_world import MirrorWorld


class TapTests(SynchronousTestCase):
    def setUp(self):
        self.world = MirrorWorld(max_body=10)

    def begin(self, **kwargs):
        """An exchange whose body is still to come."""
        exchange = self.world.begin("PUT", "/", chunked=True, **kwargs)
        self.client = exchange.downstream._client if _is_tapped(exchange) else exchange.downstream
        return exchange

    def left(self, exchange, **counts):
        """Nobody listens any more, and just this is counted."""
        self.assertFalse(_is_tapped(exchange), exchange.downstream)
        self.assertFalse(isinstance(exchange.upstream, Tap))
        self.assertEqual({name: count for name, count in self.world.counts.describe().items() if count}, counts)

    def test_stands_on_both_sides(self):
        verifyClass(IDownstream, Tap)
        verifyClass(IUpstream, Tap)
        exchange = self.begin()
        self.assertIn("<Tap /r kept=0 for=1>", repr(exchange.downstream))

    def test_leaves_when_the_body_is_complete(self):
        exchange = self.begin()
        self.client.arrive(b"abc")
        self.client.arrive_end()
        self.left(exchange, sent=1, in_flight=1)
        self.world.copy.answers()
        self.world.original.answers(200, body=b"fine")
        self.assertEqual((self.client.status, self.client.body, len(self.world.main.ended)), (200, b"fine", 1))

    def test_the_service_gets_each_piece_at_once_and_first(self):
        self.begin()
        self.client.arrive(b"abc")
        self.assertEqual(self.world.original.flushed, ["head", b"abc"])

    @settings(deadline=None)
    @given(st.lists(st.binary(min_size=1, max_size=6), max_size=6))
    def test_the_service_gets_all_of_it_and_the_shadow_all_or_nothing(self, pieces):
        world, body = MirrorWorld(max_body=12), b"".join(pieces)
        exchange = world.begin("PUT", "/", chunked=True)
        client = exchange.downstream._client
        client.arrive(*pieces)
        client.arrive_end()
        sent = [part for part in world.original.flushed if isinstance(part, bytes)]
        self.assertEqual(b"".join(sent), body)
        if len(body) > 12:
            self.assertEqual((world.shadow.transport.attempts, world.counts.too_large), ([], 1))
        else:
            expected = [body] if body else []
            self.assertEqual(world.copy.flushed, ["head", *expected, ("end", [])])

    def test_leaves_when_there_is_too_much_of_it_and_keeps_nothing(self):
        exchange = self.begin()
        self.client.arrive(b"12345", b"67890")
        self.assertTrue(_is_tapped(exchange))
        self.client.arrive(b"!")
        self.left(exchange, too_large=1)
        self.client.arrive(b"more")
        self.client.arrive_end()
        self.assertEqual(self.world.original.flushed[-2:], [b"more", ("end", [])])

    def test_of_several_each_has_its_own_bound(self):
        self.world.mirroring._mirrors += (self.world.another(max_body=2),)
        exchange = self.begin()
        self.client.arrive(b"123")
        self.assertTrue(_is_tapped(exchange))
        self.client.arrive_end()
        self.left(exchange, sent=1, too_large=1, in_flight=1)

    def test_a_request_that_is_never_complete_is_not_sent_again(self):
        for end in ("leave", "answer", "fail"):
            self.world = MirrorWorld(max_body=10)
            exchange = self.begin()
            self.client.arrive(b"abc")
            if end == "leave":
                self.client.leave()
            elif end == "answer":
                self.world.original.answers(413)
            else:
                self.world.original.fails(CONNECTION_LOST)
            self.left(exchange)
            self.assertEqual(len(self.world.main.ended), 1, end)

    def test_a_client_that_goes_before_there_is_a_connection_leaves_no_place_taken(self):
        self.world = MirrorWorld(main=World(lends=False), max_body=10)
        exchange = self.begin()
        self.assertEqual(self.world.counts.in_flight, 1)
        self.client.leave()
        self.left(exchange)

    def test_a_refusal_at_once_leaves_no_place_taken(self):
        self.world.main.breaker.is_open = True
        self.left(self.begin())

    def test_a_body_that_is_larger_than_the_route_takes_is_not_sent_again(self):
        exchange = self.begin()
        exchange.max_body = 4
        self.client.arrive(b"12345")
        self.assertEqual(self.client.status, 413)
        self.left(exchange)

    def test_a_service_that_holds_the_body_back_is_heeded(self):
        self.begin()
        self.world.original.receiver.writable(False)
        self.assertTrue(self.client.is_paused)
        self.world.original.receiver.writable(True)
        self.assertFalse(self.client.is_paused)

    def test_a_client_that_reads_slowly_holds_the_answer_back(self):
        exchange = self.begin()
        self.world.original.begins(200)
        exchange.upstream.pause()
        self.assertTrue(self.world.original.is_paused)
        exchange.upstream.resume()
        self.assertFalse(self.world.original.is_paused)

    def test_an_answer_that_begins_before_the_body_is_complete_gets_through(self):
        exchange = self.begin()
        self.world.original.receiver.informational(103, [(b"Link", b"x")])
        self.world.original.begins(200)
        self.world.original.sends(b"ab")
        self.client.arrive(b"123")
        self.client.arrive_end()
        self.world.original.sends(b"c")
        self.world.original.ends()
        self.assertEqual((self.client.interim, self.client.body), ([(103, [(b"Link", b"x")])], b"abc"))
        self.left(exchange, sent=1, in_flight=1)

    def test_listens_on_when_another_service_stands_in(self):
        spare = World()
        self.world.main.service.fallback = spare.service
        self.world.main.transport.refuses = CONNECT_FAILED
        exchange = self.begin()
        self.client.arrive(b"abc")
        self.client.arrive_end()
        self.assertEqual(spare.attempt.flushed, ["head", b"abc", ("end", [])])
        self.assertEqual(self.world.copy.flushed, ["head", b"abc", ("end", [])])
        self.left(exchange, sent=1, in_flight=1)

    def test_a_body_that_is_sent_to_two_targets_is_sent_to_the_shadow_once(self):
        self.world = MirrorWorld(main=World(targets=2), max_body=10)
        exchange = self.begin()
        self.client.arrive(b"abc")
        first, second = self.world.main.transports
        used, other = (first, second) if first.attempts else (second, first)
        used.last.fails(CONNECTION_LOST)
        self.client.arrive(b"def")
        self.client.arrive_end()
        sent = b"".join(part for part in other.last.flushed if isinstance(part, bytes))
        self.assertEqual(sent, b"abcdef")
        self.assertEqual(self.world.copy.flushed, ["head", b"abcdef", ("end", [])])
        self.left(exchange, sent=1, in_flight=1)


def _is_tapped(exchange):
    return isinstance(exchange.downstream, Tap)
