"""What a receiver is told of an answer that comes through treq."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from apigateway.http.heads import CHUNKED
from apigateway.interfaces import IAttempt
from apigateway.testing.receiver import RecordingReceiver
from apigateway.testing.steps import Answer, Close, CloseSending, ReadAll, Reset, Respond, Send, Stall, Wait
from tests.circles import circles
from tests.upstream.treq_world import HOST, World

LOST_BEFORE = "The service closed the connection before it answered."


class TreqAnswers(SynchronousTestCase):
    """What the receiver is told is what the service sent."""

    def setUp(self):
        self.world = World()

    def answered(self, raw, method=b"GET", then=()):
        self.world.service.script(Respond(raw), *then)
        return self.world.ask(method)

    def test_an_attempt_is_what_its_interface_says(self):
        verifyObject(IAttempt, self.world.ask().attempt)

    def test_head_and_body_are_told_in_order_and_flushed_once(self):
        receiver = self.answered(b"HTTP/1.1 200 Fine\r\nContent-Length: 5\r\n\r\nhello")
        self.assertEqual((receiver.status, receiver.reason, receiver.length), (200, b"Fine", 5))
        self.assertEqual(receiver.body, b"hello")
        self.assertEqual(receiver.events, ["leased", "head", "data", "end", "flush"])

    def test_fields_keep_order_spelling_and_repetition(self):
        raw = b"HTTP/1.1 200 OK\r\nX-b: 1\r\nset-cookie: a=1\r\nSet-Cookie: b=2\r\nX-A: z\r\nContent-Length: 0\r\n\r\n"
        self.assertEqual(
            self.answered(raw).fields,
            [(b"X-b", b"1"), (b"set-cookie", b"a=1"), (b"Set-Cookie", b"b=2"), (b"X-A", b"z")],
        )

    def test_an_encoded_body_is_not_decoded(self):
        receiver = self.answered(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x00\xff"
        )
        self.assertEqual((receiver.get(b"content-encoding"), receiver.body), (b"gzip", b"\x1f\x8b\x00\xff"))

    def test_cookies_are_not_kept_for_the_next_request(self):
        self.answered(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Path=/\r\nContent-Length: 0\r\n\r\n")
        self.world.ask()
        self.assertIsNone(self.world.service.requests[1].get(b"cookie"))

    def test_redirects_are_answers_like_any_other(self):
        receiver = self.answered(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")
        self.assertEqual((receiver.status, receiver.get(b"location")), (302, b"/elsewhere"))
        self.assertEqual(len(self.world.service.requests), 1)

    def test_a_chunked_body_has_no_length_and_is_told_without_its_framing(self):
        receiver = self.answered(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
        )
        self.assertEqual((receiver.length, receiver.body, receiver.is_ended), (None, b"abcde", True))

    def test_when_it_is_over_nothing_of_it_waits_for_the_collector(self):
        for raw in (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        ):
            for length in (0, 3):
                self.world.service.script(ReadAll(), Respond(raw))
                self.send_some(length)  # keeps the first connection
                with circles("apigateway.upstream.", "twisted.web.") as found:
                    self.world.service.script(ReadAll(), Respond(raw))
                    self.send_some(length)
                self.assertEqual(found, {}, (raw, length))

    def send_some(self, length):
        receiver = self.world.send([b"abc"], b"PUT", length=3) if length else self.world.ask()
        self.assertTrue(receiver.is_ended)

    def test_each_piece_is_told_when_it_arrives(self):
        receiver = self.answered(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n",
            then=[Wait(1), Respond(b"6\r\nsecond\r\n0\r\n\r\n")],
        )
        self.assertEqual((receiver.body, receiver.is_ended, receiver.events[-1]), (b"first", False, "flush"))
        self.world.network.advance(1)
        self.assertEqual((receiver.body, receiver.is_ended), (b"firstsecond", True))

    def test_a_body_may_end_with_the_connection(self):
        receiver = self.answered(b"HTTP/1.1 200 OK\r\n\r\nto the end", then=[Close()])
        self.assertEqual((receiver.length, receiver.body, receiver.is_ended), (None, b"to the end", True))

    def test_an_answer_to_head_has_a_length_and_no_body(self):
        receiver = self.answered(b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n", b"HEAD")
        self.assertEqual((receiver.length, receiver.body, receiver.is_ended), (1234, b"", True))
        self.assertEqual(self.answered(b"HTTP/1.1 200 OK\r\n\r\n", b"HEAD").length, None)

    def test_answers_that_never_have_a_body(self):
        for head in (b"204 No Content\r\n", b"304 Not Modified\r\nContent-Length: 99\r\nETag: x\r\n"):
            receiver = self.answered(b"HTTP/1.1 " + head + b"\r\n")
            self.assertEqual((receiver.body, receiver.is_ended), (b"", True))
        self.assertEqual(self.world.transport.statistics()["opened"], 1)

    def test_interim_answers_are_told_but_100_is_not(self):
        receiver = self.answered(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </s.css>\r\n\r\n",
            then=[Wait(1), Respond(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")],
        )
        self.assertEqual(receiver.interim, [(103, [(b"Link", b"</s.css>")])])
        self.assertEqual(receiver.events, ["leased", "informational", "flush"])
        self.world.network.advance(1)
        self.assertEqual((receiver.status, receiver.is_ended), (200, True))

    def test_a_paused_receiver_gets_no_more_and_the_service_is_held_back(self):
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 6400000\r\n\r\n"
        receiver = self.answered(head + b"begin", then=[Wait(1), Send(bytes(64_000), 100)])
        receiver.attempt.pause()
        self.world.network.advance(1)
        self.assertEqual(receiver.body, b"begin")
        self.assertGreater(self.world.service.connections[0].transport.unsent, 0)
        receiver.attempt.resume()
        self.world.network.pump()
        self.assertEqual(len(receiver.body), 6_400_000)

    def test_a_receiver_that_paused_before_the_answer_gets_its_body_when_it_resumes(self):
        self.world.service.script(Wait(1), Answer(200, b"late"))
        receiver = self.world.ask()
        receiver.attempt.pause()
        self.world.network.advance(1)
        self.assertEqual((receiver.status, receiver.body, receiver.is_ended), (200, b"", False))
        receiver.attempt.resume()
        self.assertEqual((receiver.body, receiver.is_ended, receiver.events[-1]), (b"late", True, "flush"))

    def test_an_answer_that_its_receiver_is_slow_to_take_survives_the_next_use_of_its_connection(self):
        self.world.service.script(Wait(1), Answer(204))
        slow = self.world.ask()
        slow.attempt.pause()
        self.world.network.advance(1)
        self.world.service.script(Stall())
        other = self.world.ask()
        self.assertTrue(other.attempt.reused)
        slow.attempt.resume()
        self.assertEqual((slow.status, slow.is_ended), (204, True))
        self.assertEqual(repr(self.world.transport), "<TreqTransport open=1 idle=0 waiting=0 opened=1 reused=1>")

    def test_an_answer_before_the_end_of_the_request_ends_the_attempt_and_its_connection(self):
        self.world.service.script(Respond(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig"))
        receiver = self.world.ask(b"POST", length=1_000_000)
        self.assertEqual((receiver.status, receiver.body, receiver.is_ended), (413, b"big", True))
        receiver.attempt.body(b"too late")
        receiver.attempt.body_end([])
        self.world.network.pump()
        self.assertEqual(self.world.transport.statistics()["open"], 0)

    def test_a_longer_answer_before_the_end_of_the_request_is_told_as_it_comes(self):
        self.world.service.script(Respond(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc"), Wait(1), Respond(b"def"))
        receiver = self.world.ask(b"POST", length=4)
        self.assertEqual((receiver.status, receiver.body, receiver.is_ended), (200, b"abc", False))
        receiver.attempt.body(b"1234")
        receiver.attempt.body_end([])
        self.world.network.advance(2)
        self.assertEqual((receiver.body, receiver.is_ended), (b"abcdef", True))
        self.assertEqual(self.world.transport.statistics()["idle"], 1)

    def test_a_longer_answer_may_also_end_before_the_request_and_then_its_connection_does(self):
        self.world.service.script(Respond(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc"), Wait(1), Respond(b"def"))
        receiver = self.world.ask(b"POST", length=4)
        self.world.network.advance(2)
        self.assertEqual((receiver.body, receiver.is_ended), (b"abcdef", True))
        receiver.attempt.body(b"1234")
        receiver.attempt.body_end([])
        self.world.network.pump()
        self.assertEqual(self.world.transport.statistics()["open"], 0)

    def test_a_longer_answer_that_breaks_off_before_the_request_has_ended_is_told_so(self):
        for end in (Close(), Reset()):
            self.world.service.script(Respond(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc"), Wait(1), end)
            receiver = self.world.ask(b"POST", length=4)
            self.world.network.advance(2)
            self.assertEqual((receiver.status, receiver.body, receiver.cause), (200, b"abc", "connection-lost"))
            self.assertEqual(self.world.transport.statistics()["open"], 0)

    def test_a_paused_receiver_gets_no_more_of_an_early_answer(self):
        self.world.service.script(Respond(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc"), Wait(1), Respond(b"def"))
        receiver = self.world.ask(b"POST", length=4)
        receiver.attempt.pause()
        self.world.network.advance(2)
        self.assertEqual(receiver.body, b"abc")
        receiver.attempt.resume()
        self.world.network.pump()
        self.assertEqual((receiver.body, receiver.is_ended), (b"abcdef", True))

    def test_trailers_are_dropped_both_ways(self):
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.world.service.script(ReadAll(), Respond(head + b"1\r\na\r\n0\r\nX-T: 1\r\n\r\n"))
        receiver = self.world.ask(b"POST", length=CHUNKED)
        receiver.attempt.body_end([(b"X-T", b"1")])
        self.world.network.pump()
        self.assertEqual((self.world.service.requests[0].trailers, receiver.trailers), ([], []))
        self.assertEqual((receiver.body, receiver.is_ended), (b"a", True))

    @settings(deadline=None, max_examples=40)
    @given(st.lists(st.integers(0, 200), max_size=6), st.booleans())
    def test_an_answer_is_told_the_same_wherever_it_is_split(self, cuts, chunked):
        answer = Answer(200, b"" if chunked else b"some body", {"X-A": "1"}, (b"some ", b"body") if chunked else None)
        raw = answer.head() + answer.payload()
        edges = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
        steps = [step for a, b in pairwise(edges) for step in (Respond(raw[a:b]), Wait(1))]
        world = World()
        world.service.script(*steps)
        receiver = world.ask()
        world.network.advance(len(edges))
        self.assertEqual((receiver.status, receiver.body, receiver.is_ended), (200, b"some body", True))
        self.assertEqual(receiver.get(b"x-a"), b"1")


class TreqBadAnswers(SynchronousTestCase):
    """What is no answer, or only part of one, is a failure with a cause."""

    def setUp(self):
        self.world = World()

    def cause_of(self, raw, *then):
        self.world.service.script(Respond(raw), *then)
        receiver = self.world.ask()
        self.assertEqual(self.world.transport.statistics()["open"], 0)
        return receiver.cause

    def test_what_is_not_http(self):
        self.assertEqual(self.cause_of(b"SSH-2.0-OpenSSH_9.6\r\n\r\n", Close()), "bad-response")

    def test_a_head_without_bounds(self):
        self.assertEqual(
            self.cause_of(b"HTTP/1.1 200 OK\r\n" + b"X-Long: abcdefgh\r\n" * 20_000, Stall()), "bad-response"
        )

    def test_a_field_longer_than_twisted_reads(self):
        raw = b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 17_000 + b"\r\nContent-Length: 0\r\n\r\n"
        self.assertEqual(self.cause_of(raw), "connection-lost")

    def test_a_length_and_a_transfer_coding_together(self):
        raw = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        self.assertEqual(self.cause_of(raw), "bad-response")

    def test_protocols_switched_without_being_asked(self):
        raw = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
        self.assertEqual(self.cause_of(raw, Stall()), "bad-response")

    def test_a_broken_chunk(self):
        raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n"
        self.assertEqual(self.cause_of(raw), "bad-response")

    def test_a_body_that_breaks_off(self):
        for framing in (b"Content-Length: 10", b"Transfer-Encoding: chunked"):
            for end in (Close(), Reset(), CloseSending()):
                raw = b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n3\r\nabc"
                self.assertEqual(self.cause_of(raw, Wait(0), end), "connection-lost")

    def test_a_reset_is_no_end_of_a_body(self):
        self.assertEqual(self.cause_of(b"HTTP/1.1 200 OK\r\n\r\npart", Wait(0), Reset()), "connection-lost")

    def test_a_head_that_breaks_off(self):
        self.assertEqual(self.cause_of(b"HTTP/1.1 200 OK\r\nX-", Wait(0), Close()), "connection-lost")

    def test_no_answer_at_all(self):
        self.assertEqual(self.cause_of(b"", Close()), "connection-lost")

    def test_an_answer_that_breaks_off_into_nonsense_before_the_request_has_ended_is_told_at_once(self):
        for length in (10, CHUNKED):
            self.world = World()
            self.world.service.script(Respond(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), Stall())
            receiver = self.world.ask(b"POST", length=length)
            self.assertEqual(receiver.cause, "bad-response")
            self.assertEqual(self.world.transport.statistics()["open"], 0)
            self.assertEqual(self.world.service.open_connections, [])

    def test_a_service_that_closes_while_it_is_sent_a_body(self):
        self.world.service.script(Close())
        receiver = self.world.ask(b"POST", length=CHUNKED)
        self.assertEqual((receiver.cause, receiver.error.detail), ("connection-lost", LOST_BEFORE))

    def test_a_receiver_that_fails_is_our_fault_and_logged(self):
        class Broken(RecordingReceiver):
            def head(self, *args):
                raise ZeroDivisionError

        receiver = Broken(lambda attempt: attempt.start(b"GET", b"/", HOST, 0))
        self.world.transport.lease(receiver)
        self.world.network.pump()
        self.assertEqual(receiver.cause, "internal-error")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
