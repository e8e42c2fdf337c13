"""What a service gets of a request that is sent through treq."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.http.heads import CHUNKED
from apigateway.testing.steps import Answer, ReadAgain, ReadAll, StopReading, Wait
from tests.upstream.treq_world import World, starting


class TreqRequests(SynchronousTestCase):
    """What the service gets is what was started, and nothing that treq thinks of."""

    def setUp(self):
        self.world = World()

    def test_the_head_arrives_with_its_own_order_and_spelling_and_nothing_added(self):
        self.world.ask(
            b"GET", b"/a?b=%2f", [(b"x-Two", b"2"), (b"Accept", b"*/*"), (b"x-Two", b"3"), (b"COOKIE", b"a=1")]
        )
        self.assertEqual(
            self.world.service.requests[0].raw_head,
            b"GET /a?b=%2f HTTP/1.1\r\nHost: shop\r\nx-Two: 2\r\nAccept: */*\r\nx-Two: 3\r\nCOOKIE: a=1",
        )

    def test_targets_arrive_as_they_are(self):
        for target in (b"/a?", b"//a//b", b"/%7euser;v=1?q=%20&&", b"*", b"/a?b?c", b"/a|b"):
            self.world.ask(b"OPTIONS", target)
            self.assertEqual(self.world.service.requests[-1].target, target.decode())

    def test_methods_keep_their_case(self):
        self.world.ask(b"qUeRy")
        self.assertEqual(self.world.service.requests[0].method, "qUeRy")

    def test_a_target_that_can_not_be_sent_is_the_clients_fault_and_told_later(self):
        receiver = starting(b"GET", "/é".encode())
        self.world.transport.lease(receiver)
        self.world.network.pump()
        self.assertEqual((receiver.cause, receiver.events), ("bad-request", ["leased", "failed", "flush"]))
        self.assertEqual(self.world.service.requests, [])

    def test_a_body_of_known_length(self):
        self.world.send([b"hello ", b"world"], b"POST", length=11)
        [request] = self.world.service.requests
        self.assertEqual((request.body, request.get(b"content-length")), (b"hello world", b"11"))

    def test_a_body_of_unknown_length_goes_in_chunks(self):
        receiver = self.world.send([b"hello ", b"", b"world"], b"PUT", length=CHUNKED)
        [request] = self.world.service.requests
        self.assertEqual((request.body, request.get(b"transfer-encoding")), (b"hello world", b"chunked"))
        self.assertIsNone(request.get(b"content-length"))
        self.assertTrue(receiver.is_ended)

    def test_without_a_body_only_methods_that_usually_have_one_say_so(self):
        for method, length in ((b"GET", None), (b"DELETE", None), (b"POST", b"0"), (b"PUT", b"0")):
            self.world.ask(method)
            self.assertEqual(self.world.service.requests[-1].get(b"content-length"), length)

    def test_a_service_that_stops_reading_pauses_the_body_and_reading_again_resumes_it(self):
        self.world.service.script(StopReading(), Wait(9), ReadAgain(), ReadAll(), Answer())
        receiver = self.world.ask(b"POST", length=CHUNKED)
        for _ in range(64):
            if receiver.is_writable:
                receiver.attempt.body(bytes(16 * 1024))
                self.world.network.pump()
        self.assertFalse(receiver.is_writable)
        self.world.network.advance(9)
        self.assertTrue(receiver.is_writable)
        receiver.attempt.body_end([])
        self.world.network.pump()
        self.assertEqual((receiver.status, receiver.is_ended), (200, True))
        self.assertLess(self.world.service.requests[0].size, 320 * 1024)

    @settings(deadline=None, max_examples=40)
    @given(st.lists(st.binary(max_size=4000), max_size=8), st.booleans())
    def test_any_body_in_any_pieces_arrives_whole(self, pieces, chunked):
        world, body = World(), b"".join(pieces)
        receiver = world.send(pieces, b"POST", length=CHUNKED if chunked else len(body))
        self.assertEqual(world.service.requests[0].body, body)
        self.assertTrue(receiver.is_ended)
