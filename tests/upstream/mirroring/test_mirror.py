"""Requests that are sent a second time: what the copy is, and that it concerns nobody else."""

from __future__ import annotations

import gc
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from apigateway.errors import BREAKER_OPEN, CONNECT_FAILED, CONNECTION_LOST, RESPONSE_TIMEOUT
from apigateway.http.answers import Answer
from apigateway.http.lines import find_value, join_lines
from apigateway.interfaces import IDownstream
from apigateway.upstream.mirroring.mirror import MOST_READ, Copy, Mirror
from apigateway.upstream.mirroring.overhearing import Tap
from tests.upstream.forward_world import World
from tests.upstream.mirror_world import MirrorWorld


class CopyCase(SynchronousTestCase):
    def setUp(self):
        self.world = MirrorWorld()

    def told(self, **counts):
        """What is counted, and nothing else."""
        self.assertEqual({name: count for name, count in self.world.counts.describe().items() if count}, counts)


class CopyTests(CopyCase):
    def test_is_the_same_request_for_the_other_host_with_a_mark(self):
        self.world.begin("GET", "/a?b", [(b"Accept", b"text/plain"), (b"X-A", b"1")])
        method, target, fields, length = self.world.copy.head
        self.assertEqual((method, target, length), (*self.world.original.head[:2], 0))
        mine = dict(fields)
        self.assertEqual((mine.pop(b"X-Gateway-Mirror"), mine.pop(b"Host")), (b"shop", b"t0"))
        original = dict(self.world.original.head[2])
        self.assertEqual(original.pop(b"Host"), b"t0")
        self.assertEqual(mine, original)
        self.assertEqual(mine[b"X-Request-Id"], b"id")

    def test_a_mark_that_came_with_the_request_is_not_believed(self):
        self.world.begin("GET", "/", [(b"x-gateway-MIRROR", b"me"), (b"X-A", b"1")])
        names = [name.lower() for name, _ in self.world.copy.head[2]]
        self.assertEqual(names.count(b"x-gateway-mirror"), 1)
        self.assertEqual(dict(self.world.copy.head[2])[b"X-Gateway-Mirror"], b"shop")

    def test_nor_in_a_spelling_that_services_may_take_for_it(self):
        self.world.begin("GET", "/", [(b"X_Gateway_Mirror", b"me"), (b"X-GATEWAY_mirror", b"me"), (b"X-A", b"1")])
        names = [name.lower().replace(b"_", b"-") for name, _ in self.world.copy.head[2]]
        self.assertEqual((names.count(b"x-gateway-mirror"), names.count(b"x-a")), (1, 1))

    def test_goes_out_after_the_original(self):
        order = []
        for world in (self.world.main, self.world.shadow):
            self.patch(world.transport, "lease", lambda receiver, fresh=False: order.append(receiver.service.name))
        self.world.begin()
        self.assertEqual(order, ["shop", "shadow"])

    def test_its_answer_is_thrown_away_and_the_clients_is_the_originals(self):
        exchange = self.world.begin()
        self.world.copy.answers(500, body=b"no")
        self.assertEqual(exchange.downstream.status, 0)
        self.world.original.answers(200, body=b"yes")
        self.assertEqual((exchange.downstream.status, exchange.downstream.body), (200, b"yes"))

    def test_its_record_tells_whose_copy_it_was_and_how_it_was_answered(self):
        exchange = self.world.begin("GET", "/a", client="203.0.113.9")
        self.world.main.clock.advance(2)
        self.world.copy.answers(201, body=b"12345")
        (copy,) = self.world.copies
        self.assertEqual((copy.route, copy.service, copy.target), ("/r (mirrored)", "shadow", "http://t0"))
        self.assertEqual((copy.status, copy.cause, copy.bytes_out, copy.ended - copy.started), (201, None, 5, 2.0))
        self.assertEqual((copy.client, copy.request_id, copy.snapshot), (exchange.client, b"id", self.world))
        self.assertEqual(self.world.main.ended, [])
        self.told(sent=1)

    def test_goes_on_when_the_original_is_over_and_when_its_client_is_gone(self):
        self.world.begin()
        self.world.original.answers()
        self.world.begin().downstream.leave()
        self.told(sent=2, in_flight=2)
        self.assertFalse(self.world.copy.is_cancelled)
        for attempt in self.world.shadow.transport.attempts:
            attempt.answers()
        self.told(sent=2)

    def test_an_original_that_is_answered_at_once_is_sent_again_all_the_same(self):
        self.world.main.breaker.is_open = True
        exchange = self.world.begin()
        self.assertEqual(exchange.cause, BREAKER_OPEN)
        self.world.copy.answers()
        self.told(sent=1)

    def test_whole_answers_and_answers_in_pieces_end_it(self):
        self.world.begin()
        self.world.copy.is_over = True
        self.world.copy.receiver.whole(200, b"Fine", b"", b"abc")
        self.assertEqual(self.world.copies[0].bytes_out, 3)
        self.world.begin()
        self.world.copy.begins(200)
        self.world.copy.sends(b"abcd")
        self.told(sent=2, in_flight=1)
        self.world.copy.ends()
        self.assertEqual(self.world.copies[1].bytes_out, 4)
        self.told(sent=2)

    def test_leaves_nothing_behind_that_a_collector_would_have_to_find(self):
        self.addCleanup(gc.enable)
        gc.collect()
        gc.disable()
        for _ in range(5):
            self.world.begin("PUT", "/", body=b"abc")
            self.world.copy.answers()
            self.world.original.answers()
        for world in (self.world.main, self.world.shadow):
            world.transport.attempts.clear()
        self.world.copies.clear()
        self.world.main.ended.clear()
        self.assertEqual([one for one in gc.get_objects() if isinstance(one, Copy | Tap)], [])

    def test_provides_what_a_clients_side_does(self):
        exchange = self.world.begin()
        copy = Copy(self.world.mirror, exchange, "shop", b"", [])
        verifyObject(IDownstream, copy)
        self.assertEqual((copy.progress(), copy.offer_switch()), ((True, 0), False))


class FailureTests(CopyCase):
    def test_a_failure_is_counted_and_concerns_nobody(self):
        exchange = self.world.begin()
        self.world.copy.fails(CONNECTION_LOST)
        self.told(sent=1, failed=1)
        self.assertEqual(self.world.copies[0].cause, CONNECTION_LOST)
        self.world.original.answers(200)
        self.assertEqual(exchange.downstream.status, 200)

    def test_it_counts_for_the_breaker_of_the_shadow(self):
        self.world.begin()
        self.world.copy.fails(CONNECTION_LOST)
        self.assertEqual(self.world.shadow.breaker.told, ["failure: connection-lost"])
        self.world.shadow.breaker.is_open = True
        self.world.begin()
        self.assertEqual(self.world.copies[1].cause, BREAKER_OPEN)

    def test_it_is_not_tried_again_although_others_are(self):
        shadow = World(targets=2, retries=5, terms={"statuses": frozenset((503,))})
        world = MirrorWorld(shadow=shadow)
        shadow.transports[0].refuses = shadow.transports[1].refuses = CONNECT_FAILED
        world.begin()
        self.assertEqual((world.copies[0].attempts, world.copies[0].cause), (1, CONNECT_FAILED))
        shadow.transports[0].refuses = shadow.transports[1].refuses = None
        world.begin()
        used = next(transport for transport in shadow.transports if transport.attempts)
        used.last.answers(503)
        self.assertEqual((world.copies[1].attempts, world.copies[1].status), (1, 503))

    def test_nobody_stands_in_for_the_shadow(self):
        for fallback in (Answer(200, [], b"sorry"), World().service):
            world = MirrorWorld()
            world.shadow.service.fallback = fallback
            world.begin()
            world.copy.fails(CONNECTION_LOST)
            self.assertEqual((world.copies[0].cause, world.copies[0].fallback), (CONNECTION_LOST, False))

    def test_a_bug_on_its_way_is_logged_and_no_more(self):
        class Broken:
            def pick(self, exchange, now, tried=()):
                raise ZeroDivisionError

        self.world.shadow.service.balancer = Broken()
        self.world.begin()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.world.original.answers(200)
        self.told(sent=1, failed=1)
        self.assertEqual(self.world.shadow.service.in_flight, 0)
        self.assertEqual(self.world.everyone, set())


class TimeTests(CopyCase):
    def test_the_shadows_time_limits_hold(self):
        self.world.begin()
        self.world.original.answers()
        self.world.advance(31)
        self.assertEqual(self.world.copies[0].cause, RESPONSE_TIMEOUT)
        self.assertTrue(self.world.copy.is_cancelled)
        self.told(sent=1, failed=1)

    def test_an_answer_that_never_ends_gets_its_time_once_and_is_no_failure(self):
        self.world.begin()
        self.world.copy.begins(200)
        for _ in range(5):
            self.world.advance(11)
            self.world.copy.sends(b"x")
        self.told(sent=1, in_flight=1)
        self.world.advance(11)
        self.world.copy.receiver.data(b"x")
        self.assertTrue(self.world.copy.is_cancelled)
        self.told(sent=1)

    def test_of_a_long_answer_no_more_is_read_than_the_bound(self):
        self.world.begin()
        self.world.copy.begins(200, length=10 * MOST_READ)
        self.world.copy.sends(b"x" * MOST_READ)
        self.told(sent=1, in_flight=1)
        self.world.copy.receiver.data(b"x")
        self.assertTrue(self.world.copy.is_cancelled)
        self.told(sent=1)
        self.assertEqual(self.world.shadow.breaker.told, ["cancelled"])
        self.assertEqual((self.world.copies[0].status, self.world.copies[0].cause), (200, None))


class ChoiceTests(SynchronousTestCase):
    def sent(self, world: MirrorWorld) -> int:
        return world.counts.sent

    def test_only_with_its_methods(self):
        world = MirrorWorld(methods=frozenset((b"GET", b"HEAD")))
        for method in ("GET", "HEAD", "POST", "get"):
            world.begin(method)
        self.assertEqual(self.sent(world), 2)
        world = MirrorWorld()
        for method in ("GET", "POST", "PURGE"):
            world.begin(method)
        self.assertEqual(self.sent(world), 3)

    def test_what_asks_for_another_protocol_never(self):
        world = MirrorWorld()
        world.begin("GET", "/", [(b"Connection", b"upgrade"), (b"Upgrade", b"websocket")])
        self.assertEqual(self.sent(world), 0)

    @settings(deadline=None)
    @given(st.integers(0, 2**32), st.floats(0, 1))
    def test_just_those_that_the_numbers_say(self, seed, share):
        world = MirrorWorld(share=share, most=1000)
        expected = Random(seed)
        world.draws = [expected.random() for _ in range(50)]
        fewer = sum(draw < share for draw in world.draws)
        for _ in range(50):
            world.begin()
        self.assertEqual(self.sent(world), fewer)

    def test_no_more_at_a_time_than_there_may_be(self):
        world = MirrorWorld(most=2)
        for _ in range(5):
            world.begin()
        self.assertEqual((self.sent(world), world.counts.too_many, world.counts.in_flight), (2, 3, 2))
        world.copy.answers()
        world.begin()
        self.assertEqual((self.sent(world), world.counts.too_many), (3, 3))
        self.assertEqual(len(world.main.transport.attempts), 6, "the originals are all on their way")

    def test_the_places_of_the_shadow_are_a_bound_too(self):
        world = MirrorWorld(shadow=World(max_in_flight=1))
        world.begin()
        world.begin()
        self.assertEqual([copy.cause.code for copy in world.copies], ["service-overloaded"])

    def test_several_mirrors_choose_each_for_itself(self):
        world = MirrorWorld(methods=frozenset((b"GET",)))
        world.mirroring._mirrors += (world.another(share=0.5),)
        world.draws = [0.0, 0.6, 0.0, 0.4]
        world.begin()
        world.begin()
        world.begin("POST")
        self.assertEqual(self.sent(world), 4)

    def test_copies_are_counted_with_the_shadow_but_not_among_the_exchanges_with_clients(self):
        world = MirrorWorld()
        world.begin()
        self.assertEqual((world.shadow.service.in_flight, len(world.shadow.service.everyone)), (1, 0))
        self.assertEqual(len(world.everyone), 1)
        world.copy.answers()
        self.assertEqual((world.shadow.service.in_flight, world.everyone), (0, set()))


class BodyTests(SynchronousTestCase):
    def test_a_request_with_a_body_is_sent_again_when_it_is_complete(self):
        world = MirrorWorld()
        client = world.begin("POST", "/", chunked=True).downstream._client
        client.arrive(b"one", b"two")
        self.assertEqual(world.shadow.transport.attempts, [])
        self.assertEqual(world.counts.in_flight, 1, "it has its place already")
        client.arrive_end([(b"X-Sum", b"7")])
        self.assertEqual(world.copy.flushed, ["head", b"onetwo", ("end", [(b"X-Sum", b"7")])])
        self.assertEqual((world.copy.head[0], world.copy.head[3]), (b"POST", world.original.head[3]))
        world.copy.answers()
        self.assertEqual((world.copies[0].bytes_in, world.counts.in_flight), (6, 0))

    def test_one_that_is_known_to_be_too_large_is_never_listened_to(self):
        world = MirrorWorld(max_body=4)
        world.begin("POST", "/", body=b"12345")
        self.assertEqual((world.counts.too_large, world.counts.in_flight), (1, 0))
        world.begin("POST", "/", body=b"1234")
        self.assertEqual((world.counts.too_large, world.counts.sent), (1, 1))

    def test_a_bodyless_request_is_never_too_large(self):
        world = MirrorWorld(max_body=0)
        world.begin("POST")
        self.assertEqual(world.counts.sent, 1)

    def test_a_shadow_that_does_not_read_is_waited_for_by_nobody(self):
        world = MirrorWorld()
        exchange = world.begin("POST", "/", body=b"x" * 1000)
        world.copy.receiver.writable(False)
        self.assertFalse(exchange.downstream.is_paused)
        world.original.answers()
        self.assertTrue(exchange.downstream.is_finished)


class ReprTests(SynchronousTestCase):
    def test_tells_of_its_state(self):
        world = MirrorWorld()
        world.begin()
        counts = "<MirrorCounts {'in_flight': 1, 'sent': 1, 'failed': 0, 'too_many': 0, 'too_large': 0}>"
        self.assertEqual(repr(world.mirror), f"<Mirror /r (mirrored) to shadow {counts}>")
        self.assertIn("<Mirroring [<Mirror", repr(world.mirroring))
        self.assertIsInstance(world.mirror, Mirror)
        self.assertIn("to shadow read=0", repr(world.copy.receiver.exchange.downstream))
        self.assertIsNone(find_value(join_lines(world.original.head[2]), b"x-gateway-mirror"))
