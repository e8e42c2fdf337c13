"""The recording downstream: what it shows a test, and what it refuses."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from apigateway.errors import BAD_REQUEST, GatewayError
from apigateway.http.answers import Answer
from apigateway.interfaces import IDownstream, IUpstream
from apigateway.testing.downstream import RecordingDownstream
from apigateway.testing.exchanges import exchange_for


@implementer(IUpstream)
class Taking:
    """An upstream that writes down what it is told; a body pauses the client where `bound` bytes are reached."""

    def __init__(self, exchange, bound=1 << 30):
        self.told = []
        self.bound = bound
        self.exchange = exchange
        exchange.upstream = self

    def body(self, data):
        self.told.append(data)
        if sum(map(len, self.told)) >= self.bound:
            self.exchange.downstream.pause_body()

    def body_end(self, trailers):
        self.told.append(("end", trailers))

    def pause(self):
        self.told.append("pause")

    def resume(self):
        self.told.append("resume")

    def client_gone(self):
        self.told.append("gone")


class RecordingDownstreamAnswers(SynchronousTestCase):
    def setUp(self):
        self.ended = []
        self.exchange = exchange_for(observe=self.ended.append, now=lambda: 7.0)
        self.downstream = self.exchange.downstream

    def test_it_is_what_its_interface_says(self):
        verifyObject(IDownstream, self.downstream)
        verifyObject(IUpstream, Taking(self.exchange))

    def test_an_answer_shows_when_it_is_flushed_and_ends_the_exchange(self):
        downstream = self.downstream
        downstream.send_informational(103, [(b"Link", b"x")])
        downstream.send_head(200, b"OK", b"X-A: 1\r\n", 4)
        downstream.send_body(b"bo")
        downstream.send_body(b"dy")
        downstream.finish([(b"X-T", b"2")])
        self.assertEqual((downstream.status, downstream.body, self.ended), (0, b"", []))
        self.assertEqual(repr(downstream), "<RecordingDownstream 0 body=0 running unflushed=5>")
        downstream.flush()
        self.assertEqual((downstream.status, downstream.reason, downstream.length), (200, b"OK", 4))
        self.assertEqual((downstream.body, downstream.interim), (b"body", [(103, [(b"Link", b"x")])]))
        self.assertEqual((downstream.trailers, downstream.get(b"x-a")), ([(b"X-T", b"2")], b"1"))
        self.assertEqual((self.ended, self.exchange.ended), ([self.exchange], 7.0))
        self.assertEqual(repr(downstream), "<RecordingDownstream 200 body=4 finished>")

    def test_the_gateways_own_answers_are_answers_too(self):
        self.exchange.answer(Answer(404, [], b"no"))
        self.assertEqual(
            (self.downstream.status, self.downstream.body, self.downstream.is_finished), (404, b"no", True)
        )

    def test_answers_without_a_body_have_none(self):
        exchange = exchange_for("HEAD")
        exchange.answer(Answer(200, [], b"not sent"))
        self.assertEqual((exchange.downstream.length, exchange.downstream.body), (8, b""))

    def test_aborting_shows_what_was_sent_before_and_ends_the_exchange(self):
        self.downstream.send_head(200, b"OK", b"", None)
        self.downstream.send_body(b"half")
        self.exchange.status = 200
        self.exchange.fail(GatewayError(BAD_REQUEST))
        self.assertEqual((self.downstream.body, self.downstream.is_aborted), (b"half", True))
        self.assertEqual((self.downstream.is_finished, self.ended), (False, [self.exchange]))

    def test_a_client_that_left_sees_no_more_and_the_exchange_is_over(self):
        taking = Taking(self.exchange)
        self.downstream.send_head(200, b"OK", b"", None)
        self.downstream.leave()
        self.downstream.flush()
        self.downstream.abort()
        self.assertEqual((taking.told, self.downstream.status, self.downstream.is_aborted), (["gone"], 0, False))
        self.assertEqual((self.exchange.cause.code, self.ended), ("client-gone", [self.exchange]))

    def test_what_no_client_could_be_sent_is_refused(self):
        for calls in (
            lambda d: d.send_body(b"x"),
            lambda d: d.finish([]),
            lambda d: (d.send_head(200, b"", b"", 0), d.send_head(200, b"", b"", 0)),
            lambda d: (d.send_head(200, b"", b"", 0), d.send_informational(103, [])),
            lambda d: (d.send_head(200, b"", b"", 0), d.finish([]), d.send_body(b"x")),
            lambda d: (d.send_head(200, b"", b"", 0), d.finish([]), d.finish([])),
            lambda d: (d.open_body(), d.open_body()),
        ):
            self.assertRaises(AssertionError, calls, RecordingDownstream())


class RecordingDownstreamRequests(SynchronousTestCase):
    def test_the_body_waits_until_it_is_opened(self):
        exchange = exchange_for("POST", body=b"hello")
        taking = Taking(exchange)
        self.assertEqual(taking.told, [])
        exchange.downstream.open_body()
        self.assertEqual(taking.told, [b"hello", ("end", [])])

    def test_more_may_arrive_and_is_held_while_paused(self):
        exchange = exchange_for("POST", chunked=True)
        taking = Taking(exchange, bound=3)
        downstream = exchange.downstream
        downstream.open_body()
        downstream.arrive(b"one", b"two")
        downstream.arrive_end([(b"X-T", b"1")])
        self.assertEqual((taking.told, downstream.is_paused), ([b"one"], True))
        taking.bound = 99
        downstream.resume_body()
        self.assertEqual(taking.told, [b"one", b"two", ("end", [(b"X-T", b"1")])])

    def test_continue_is_recorded(self):
        downstream = RecordingDownstream()
        self.assertFalse(downstream.continued)
        downstream.send_continue()
        self.assertTrue(downstream.continued)

    def test_a_slow_client_pauses_and_resumes_the_upstream(self):
        exchange = exchange_for()
        taking = Taking(exchange)
        exchange.downstream.read_slowly()
        exchange.downstream.read_again()
        self.assertEqual(taking.told, ["pause", "resume"])
