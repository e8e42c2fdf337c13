"""What goes out on a native connection, what its receiver is told, and when it may be used again."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol as Speaking
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from apigateway.errors import TLS_FAILED, GatewayError
from apigateway.http.heads import CHUNKED
from apigateway.http.upgrade import Offer
from apigateway.interfaces import IAttempt
from apigateway.testing.receiver import RecordingReceiver
from apigateway.testing.steps import Answer, Close, ReadAgain, ReadAll, Reset, Respond, Stall, StopReading, Wait
from apigateway.testing.wire import WireReader
from apigateway.upstream.dialing.dial import nothing_more
from apigateway.upstream.native.connection import NativeConnection
from tests.circles import circles
from tests.upstream.native_world import HOST, World, starting

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
NOTHING = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
IN_CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
BEFORE = "The service closed the connection before it answered."
AMID = "The service closed the connection in the middle of its answer."


class _Pool:
    """Notes what a connection reports."""

    def __init__(self):
        self.reports = []
        self.refusal = nothing_more

    def connected(self, connection):
        self.reports.append("connected")

    def released(self, connection):
        self.reports.append("released")

    def dropped(self, connection):
        self.reports.append("dropped")


class _Writes(StringTransport):
    """Keeps each write by itself."""

    def __init__(self):
        super().__init__()
        self.writes = []

    def write(self, data):
        self.writes.append(data)

    def setTcpNoDelay(self, enabled):
        self.no_delay = enabled


class Bench:
    """One connection on a transport that keeps what is written, and a pool that notes what it is told."""

    def __init__(self):
        self.pool = _Pool()
        self.transport = _Writes()
        self.connection = NativeConnection(self.pool)
        self.connection.makeConnection(self.transport)
        self.pool.reports.clear()

    def lend(self, receiver=None, method=b"GET", length=0, fields=()):
        receiver = receiver or starting(method, b"/x?y", fields, length)
        self.connection.lend(receiver)
        return receiver

    def answer(self, *pieces):
        for piece in pieces:
            self.connection.dataReceived(piece)

    def lose(self, reason):
        self.connection.connectionLost(Failure(reason))

    @property
    def writes(self):
        return self.transport.writes


class SendingTests(SynchronousTestCase):
    def setUp(self):
        self.bench = Bench()

    def sent(self, method, length=0, body=(), trailers=()):
        attempt = self.bench.lend(RecordingReceiver()).attempt
        attempt.start(method, b"/x?y", HOST, length)
        for piece in body:
            attempt.body(piece)
        if length:
            attempt.body_end(list(trailers))
        attempt.flush()
        return self.bench.writes

    def test_it_is_an_attempt_and_takes_back_pressure(self):
        verifyObject(IAttempt, self.bench.connection)
        verifyObject(IPushProducer, self.bench.connection)

    def test_small_writes_are_not_held_back_by_the_kernel(self):
        self.assertTrue(self.bench.transport.no_delay)

    def test_a_head_leaves_in_one_write(self):
        self.assertEqual(self.sent(b"GET"), [b"GET /x?y HTTP/1.1\r\nHost: shop\r\n\r\n"])

    def test_head_and_body_that_are_there_together_leave_in_one_write(self):
        head = b"PUT /x?y HTTP/1.1\r\nHost: shop\r\nContent-Length: 5\r\n\r\n"
        self.assertEqual(self.sent(b"PUT", 5, (b"he", b"llo")), [head + b"hello"])

    def test_a_body_of_unknown_length_is_chunked_with_its_trailers(self):
        head = b"PUT /x?y HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n"
        sent = self.sent(b"PUT", CHUNKED, (b"hello", b"x" * 26), [(b"A", b"1"), (b"B", b"2")])
        self.assertEqual(sent, [head + b"5\r\nhello\r\n1a\r\n" + b"x" * 26 + b"\r\n0\r\nA: 1\r\nB: 2\r\n\r\n"])

    def test_an_empty_piece_is_not_taken_for_the_end(self):
        self.assertTrue(self.sent(b"PUT", CHUNKED, (b"", b"a", b""))[0].endswith(b"\r\n\r\n1\r\na\r\n0\r\n\r\n"))

    def test_methods_that_expect_a_body_say_that_there_is_none(self):
        for method in (b"POST", b"PUT", b"PATCH"):
            self.bench = Bench()
            self.assertIn(b"\r\nContent-Length: 0\r\n\r\n", self.sent(method)[0])
        for method in (b"GET", b"HEAD", b"DELETE", b"OPTIONS", b"post"):
            self.bench = Bench()
            self.assertNotIn(b"Content-Length", self.sent(method)[0])

    def test_nothing_leaves_before_it_is_flushed_and_nothing_twice(self):
        attempt = self.bench.lend(RecordingReceiver()).attempt
        attempt.start(b"PUT", b"/", HOST, 1)
        self.assertEqual(self.bench.writes, [])
        attempt.flush()
        attempt.flush()
        attempt.body(b"1")
        attempt.flush()
        self.assertEqual((len(self.bench.writes), self.bench.writes[1]), (2, b"1"))

    @settings(deadline=None)
    @given(st.lists(st.binary(max_size=40), max_size=8), st.booleans(), st.lists(st.booleans(), min_size=8))
    def test_a_service_reads_what_was_sent_however_it_was_cut(self, pieces, chunked, flushes):
        bench, body = Bench(), b"".join(pieces)
        length = CHUNKED if chunked else len(body)
        attempt = bench.lend(RecordingReceiver()).attempt
        attempt.start(b"POST", b"/", HOST, length)
        for piece, flush in zip(pieces, flushes, strict=False):
            attempt.body(piece)
            if flush:
                attempt.flush()
        if length:
            attempt.body_end([])
        attempt.flush()
        reader = WireReader(is_response=False)
        reader.feed(b"".join(bench.writes))
        (message,) = reader.messages
        self.assertEqual((message.body, message.is_complete), (body, True))


class AnswerTests(SynchronousTestCase):
    def setUp(self):
        self.bench = Bench()

    def told(self, *pieces, method=b"GET"):
        receiver = self.bench.lend(method=method)
        self.bench.answer(*pieces)
        return receiver

    def test_what_arrives_together_is_told_together_and_flushed_once(self):
        receiver = self.told(OK)
        self.assertEqual((receiver.status, receiver.reason, receiver.length, receiver.body), (200, b"OK", 2, b"ok"))
        self.assertEqual(receiver.events, ["leased", "head", "data", "end", "flush"])

    def test_a_head_is_told_before_its_body_has_ended(self):
        receiver = self.told(OK[:-1])
        self.assertEqual(receiver.events, ["leased", "head", "data", "flush"])
        self.assertEqual(receiver.body, b"o")

    def test_the_same_is_told_however_it_is_cut(self):
        raw = (
            b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n"
            b"A: 1\r\n\r\n5\r\nhello\r\n3\r\n, w\r\n0\r\nT: 2\r\n\r\n"
        )
        for cut in range(1, len(raw)):
            self.bench = Bench()
            receiver = self.told(raw[:cut], raw[cut:])
            self.assertEqual((receiver.status, receiver.reason, receiver.length), (200, b"Fine", None))
            self.assertEqual((receiver.body, receiver.trailers), (b"hello, w", [(b"T", b"2")]))
            self.assertEqual(receiver.interim, [(103, [(b"Link", b"</a>")])])
            self.assertEqual((receiver.is_ended, self.bench.pool.reports), (True, ["released"]))

    def test_fields_keep_order_spelling_and_repetition(self):
        receiver = self.told(b"HTTP/1.1 204 No Content\r\nx-B: 1\r\nSet-Cookie: a\r\nset-cookie: b\r\n\r\n")
        self.assertEqual(receiver.fields, [(b"x-B", b"1"), (b"Set-Cookie", b"a"), (b"set-cookie", b"b")])

    def test_an_answer_to_head_has_no_body_whatever_it_says(self):
        receiver = self.told(OK[:-2], method=b"HEAD")
        self.assertEqual((receiver.length, receiver.is_ended), (2, True))

    def test_interim_answers_are_passed_on_but_100_is_not(self):
        receiver = self.told(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n", OK
        )
        self.assertEqual([status for status, _ in receiver.interim], [102, 103])
        self.assertEqual(receiver.status, 200)

    def test_a_switch_of_protocols_that_nobody_asked_for_is_refused(self):
        receiver = self.told(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello")
        self.assertEqual((receiver.cause, receiver.interim), ("bad-response", []))
        self.assertTrue(self.bench.transport.disconnected)

    def test_one_that_was_offered_gives_the_connection_away(self):
        bench, spoken = self.bench, Speaking()
        receiver, rest = RecordingReceiver(), []
        receiver.when_switched = lambda attempt: rest.append(attempt.switch(spoken))
        bench.connection.lend(receiver)
        self.assertTrue(bench.connection.offer_switch(Offer((b"x",))))
        bench.connection.start(b"GET", b"/", b"", 0)
        bench.transport.protocol = bench.connection
        early = b"HTTP/1.1 103 Early\r\n\r\n"
        bench.connection.dataReceived(early + b"HTTP/1.1 101 Go\r\nUpgrade: X\r\nConnection: upgrade\r\n\r\nhello")
        self.assertEqual((receiver.switched_to, receiver.reason, receiver.interim), (b"x", b"Go", [(103, [])]))
        self.assertEqual((rest, spoken.transport, bench.transport.protocol), ([b"hello"], bench.transport, spoken))
        self.assertEqual((bench.pool.reports[-1:], bench.transport.disconnecting), (["dropped"], False))

    def test_a_connection_that_made_an_offer_is_not_used_again(self):
        receiver = RecordingReceiver()
        self.bench.connection.lend(receiver)
        self.bench.connection.offer_switch(Offer((b"x",)))
        self.bench.connection.start(b"GET", b"/", b"", 0)
        self.bench.connection.dataReceived(OK)
        self.assertTrue(receiver.is_ended)
        self.assertEqual(self.bench.pool.reports[-1:], ["dropped"])

    def test_what_is_not_http_is_not_begun(self):
        receiver = self.told(b"SSH-2.0-OpenSSH_9.2\r\n")
        self.assertEqual((receiver.events, receiver.cause), (["leased", "failed", "flush"], "bad-response"))
        self.assertEqual((self.bench.pool.reports, self.bench.transport.disconnected), (["dropped"], True))

    def test_broken_chunks_end_an_answer_that_has_begun(self):
        receiver = self.told(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", b"zz\r\n")
        self.assertEqual((receiver.status, receiver.body, receiver.cause), (200, b"ok", "bad-response"))

    def test_head_and_broken_body_in_one_piece_are_not_begun(self):
        receiver = self.told(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
        self.assertEqual((receiver.status, receiver.cause), (0, "bad-response"))


class LossTests(SynchronousTestCase):
    def setUp(self):
        self.bench = Bench()
        self.receiver = self.bench.lend()

    def failure(self):
        self.assertEqual(self.receiver.cause, "connection-lost")
        return self.receiver.error.detail

    def test_before_the_answer(self):
        self.bench.lose(ConnectionDone())
        self.assertEqual((self.failure(), self.receiver.events[-2:]), (BEFORE, ["failed", "flush"]))

    def test_in_the_middle_of_its_head(self):
        self.bench.answer(OK[:20])
        self.bench.lose(ConnectionDone())
        self.assertEqual(self.failure(), BEFORE)

    def test_in_the_middle_of_its_body(self):
        self.bench.answer(OK[:-1])
        self.bench.lose(ConnectionDone())
        self.assertEqual(self.failure(), AMID)

    def test_in_the_middle_of_a_chunked_body(self):
        self.bench.answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
        self.bench.lose(ConnectionDone())
        self.assertEqual(self.failure(), AMID)

    def test_a_proper_end_completes_an_answer_that_has_no_other(self):
        self.bench.answer(b"HTTP/1.1 200 OK\r\n\r\nsome")
        self.bench.lose(ConnectionDone())
        self.assertEqual((self.receiver.body, self.receiver.length, self.receiver.is_ended), (b"some", None, True))
        self.assertEqual(self.receiver.events[-2:], ["end", "flush"])

    def test_a_reset_does_not(self):
        self.bench.answer(b"HTTP/1.1 200 OK\r\n\r\nsome")
        self.bench.lose(ConnectionLost())
        self.assertEqual(self.failure(), AMID)

    def refuse(self):
        self.bench.pool.refusal = lambda why: GatewayError(TLS_FAILED)

    def test_a_new_connection_may_have_been_refused(self):
        self.refuse()
        self.bench.lose(ConnectionLost())
        self.assertEqual(self.receiver.cause, "tls-failed")

    def test_one_that_has_answered_was_not(self):
        self.refuse()
        self.bench.answer(OK[:20])
        self.bench.lose(ConnectionLost())
        self.assertEqual(self.failure(), BEFORE)

    def test_nor_was_one_that_had_carried_an_exchange(self):
        self.refuse()
        self.bench.answer(OK)
        self.receiver = self.bench.lend()
        self.bench.lose(ConnectionLost())
        self.assertEqual(self.failure(), BEFORE)

    def test_it_is_dropped_before_it_is_told(self):
        seen = []
        self.receiver.failed = lambda error: seen.extend(self.bench.pool.reports)
        self.bench.lose(ConnectionDone())
        self.assertEqual(seen, ["dropped"])

    def test_at_its_end_nothing_of_it_waits_for_the_collector(self):
        def answer_and_end():
            bench = Bench()
            bench.lend()
            bench.answer(IN_CHUNKS)
            bench.lose(ConnectionDone())
            bench.transport.unregisterProducer()  # as transports do

        with circles() as found:
            answer_and_end()
        self.assertNotIn("ResponseReader", found)


class ReuseTests(SynchronousTestCase):
    def setUp(self):
        self.bench = Bench()

    def after(self, *pieces, **request):
        """What became of the connection after this answer."""
        self.bench = Bench()
        receiver = self.bench.lend(**request)
        self.bench.answer(*pieces)
        self.assertTrue(receiver.is_ended)
        return self.bench.pool.reports, self.bench.transport.disconnecting or self.bench.transport.disconnected

    def test_a_complete_exchange_leaves_a_connection_for_the_next(self):
        for raw in (OK, b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 304 Not Modified\r\nETag: a\r\n\r\n"):
            self.assertEqual(self.after(raw), (["released"], False))
        self.assertEqual(self.after(NOTHING, method=b"HEAD"), (["released"], False))

    def test_a_body_that_was_announced_and_must_not_come_makes_it_unfit(self):
        for raw, method in (
            (OK[:-2], b"HEAD"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"HEAD"),
            (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", b"GET"),
            (b"HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n", b"GET"),
        ):
            self.assertEqual(self.after(raw, method=method), (["dropped"], True))
            self.assertTrue(self.bench.transport.disconnected)  # at once: a local port must not wait for the rest

    def test_the_service_may_want_it_closed(self):
        for raw in (
            OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n"),
            OK.replace(b"OK\r\n", b"OK\r\nconnection: x, Close\r\n"),
            OK.replace(b"1.1", b"1.0"),
        ):
            self.assertEqual(self.after(raw), (["dropped"], True))

    def test_more_than_was_asked_for_makes_it_unfit(self):
        for more in (b"x", OK, b"\x00"):
            self.assertEqual(self.after(OK + more), (["dropped"], True))

    def test_an_answer_to_an_unfinished_request_makes_it_unfit(self):
        self.assertEqual(self.after(OK, method=b"PUT", length=5), (["dropped"], True))
        self.assertTrue(self.bench.transport.disconnected)

    def test_what_the_service_has_not_taken_makes_it_unfit_though_all_was_said(self):
        receiver = self.bench.lend(method=b"PUT", length=5)
        receiver.attempt.body(b"hello")
        receiver.attempt.body_end([])
        receiver.attempt.flush()
        self.bench.connection.pauseProducing()
        self.bench.answer(OK)
        self.assertEqual((receiver.is_ended, self.bench.pool.reports), (True, ["dropped"]))
        self.assertTrue(self.bench.transport.disconnected)

    def test_bytes_that_nobody_asked_for_end_it(self):
        self.bench.answer(OK)
        self.assertEqual((self.bench.pool.reports, self.bench.transport.disconnected), (["dropped"], True))
        self.bench.answer(OK)
        self.assertEqual(self.bench.pool.reports, ["dropped"])

    def test_it_is_released_before_the_end_is_told_so_that_the_next_exchange_may_begin_in_there(self):
        receiver, second = starting(), starting()
        told = receiver.end

        def end(trailers):
            self.assertEqual(self.bench.pool.reports, ["released"])
            self.bench.lend(second)
            told(trailers)

        receiver.end = end
        self.bench.lend(receiver)
        self.bench.answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nT: 1\r\n\r\n")
        self.assertEqual((receiver.body, receiver.trailers, second.events), (b"a", [(b"T", b"1")], ["leased"]))
        self.bench.answer(OK)
        self.assertEqual((second.body, second.is_ended, second.attempt.reused), (b"ok", True, True))

    def test_only_what_carried_an_exchange_before_is_reused(self):
        self.assertFalse(self.bench.lend().attempt.reused)
        self.bench.answer(OK)
        self.assertTrue(self.bench.lend().attempt.reused)

    def test_repr_tells_the_state(self):
        connection = self.bench.connection
        states = [repr(connection)]
        self.bench.lend()
        states.append(repr(connection))
        connection.cancel()
        states.append(repr(connection))
        self.assertEqual(
            states,
            [
                "<NativeConnection idle exchanges=0>",
                "<NativeConnection busy exchanges=1>",
                "<NativeConnection closing exchanges=1>",
            ],
        )

    @settings(deadline=None)
    @given(st.lists(st.integers(1, 60), max_size=6), st.lists(st.binary(max_size=9), min_size=1, max_size=4))
    def test_exchanges_one_after_the_other_get_their_own_answers(self, cuts, bodies):
        bench = Bench()
        for body in bodies:
            raw = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
            receiver = bench.lend()
            at = 0
            for cut in [*cuts, len(raw)]:
                if raw[at : at + cut]:
                    bench.answer(raw[at : at + cut])
                at += cut
            self.assertEqual((receiver.body, receiver.is_ended), (body, True))
        self.assertEqual(bench.pool.reports, ["released"] * len(bodies))


class CancelTests(SynchronousTestCase):
    def setUp(self):
        self.bench = Bench()

    def test_the_connection_is_cut_and_nothing_more_is_told(self):
        receiver = self.bench.lend()
        receiver.attempt.cancel()
        self.bench.answer(OK)
        self.bench.connection.pauseProducing()
        self.bench.connection.resumeProducing()
        self.bench.lose(ConnectionLost())
        self.assertEqual((receiver.events, self.bench.transport.disconnected), (["leased"], True))
        self.assertEqual(self.bench.pool.reports[0], "dropped")

    def test_what_was_kept_is_not_sent(self):
        attempt = self.bench.lend(RecordingReceiver()).attempt
        attempt.start(b"PUT", b"/", HOST, 1)
        attempt.body(b"1")
        attempt.cancel()
        attempt.flush()
        self.assertEqual(self.bench.writes, [])

    def cancelled_in(self, event, raw):
        receiver = starting()
        told = getattr(receiver, event)

        def then_cancel(*args):
            told(*args)
            receiver.attempt.cancel()

        setattr(receiver, event, then_cancel)
        self.bench.lend(receiver)
        self.bench.answer(raw)
        return [one for one in receiver.events if one != "flush"]

    def test_it_may_be_given_up_while_something_is_told(self):
        raw = b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK
        self.assertEqual(self.cancelled_in("informational", raw), ["leased", "informational"])
        self.bench = Bench()
        self.assertEqual(self.cancelled_in("head", IN_CHUNKS), ["leased", "head"])
        self.bench = Bench()
        self.assertEqual(self.cancelled_in("data", IN_CHUNKS), ["leased", "head", "data"])
        self.assertTrue(self.bench.transport.disconnected)


class BackPressureTests(SynchronousTestCase):
    def setUp(self):
        self.world = World()

    def test_a_receiver_that_pauses_is_told_nothing_until_it_resumes(self):
        world = self.world
        world.service.does(Respond(OK[:-2]), Wait(1), Respond(b"o"), Wait(1), Respond(b"k"))
        receiver = world.ask()
        receiver.attempt.pause()
        world.network.advance(3)
        self.assertEqual((receiver.status, receiver.body), (200, b""))
        receiver.attempt.resume()
        world.network.pump()
        self.assertEqual((receiver.body, receiver.is_ended), (b"ok", True))

    def test_a_connection_that_was_paused_at_the_end_goes_on_for_the_next(self):
        receiver = starting()
        told = receiver.data

        def data(piece):
            told(piece)
            receiver.attempt.pause()

        receiver.data = data
        self.world.service.does(Respond(IN_CHUNKS))
        self.world.transport.lease(receiver)
        self.world.network.pump()
        self.assertTrue(receiver.is_ended)
        second = self.world.ask()
        self.assertEqual((second.body, second.attempt.reused), (b"ok", True))

    def test_a_service_that_reads_slowly_is_not_buried(self):
        world = self.world
        world.service.does(StopReading(), Wait(1), ReadAgain(), ReadAll(), Answer())
        receiver = world.ask(b"PUT", length=CHUNKED)
        sent = 0
        while receiver.is_writable and sent < 100:
            receiver.attempt.body(b"x" * 65536)
            receiver.attempt.flush()
            world.network.pump()
            sent += 1
        self.assertLess(sent, 5)
        world.network.advance(1)
        self.assertTrue(receiver.is_writable)
        receiver.attempt.body_end([])
        receiver.attempt.flush()
        world.network.pump()
        self.assertEqual((receiver.status, world.service.requests[0].size), (200, sent * 65536))
        self.assertEqual(world.numbers("idle"), (1,))


class NetworkTests(SynchronousTestCase):
    """The same against a service that reads for itself."""

    def setUp(self):
        self.world = World()

    def test_exchanges_share_a_connection(self):
        self.world.service.answers(body=b"ok")
        for _ in range(3):
            self.assertEqual(self.world.ask().body, b"ok")
        self.assertEqual(self.world.send((b"a", b"b"), b"PUT", length=2).body, b"ok")
        (connection,) = self.world.service.connections
        self.assertEqual([one.body for one in connection.requests], [b"", b"", b"", b"ab"])

    def test_trailers_reach_the_service(self):
        self.world.send((b"a",), b"PUT", length=CHUNKED, trailers=[(b"T", b"1")])
        self.assertEqual(self.world.service.requests[0].trailers, [(b"T", b"1")])

    def test_an_early_answer_is_told_and_the_rest_of_the_request_is_not_sent(self):
        self.world.service.does(Answer(413))
        receiver = self.world.ask(b"PUT", length=100)
        self.assertEqual((receiver.status, receiver.is_ended), (413, True))
        self.assertEqual((self.world.service.open_connections, self.world.numbers("open", "idle")), ([], (0, 0)))

    def test_a_service_that_resets_or_closes_is_told(self):
        for step in (Reset(), Close()):
            self.world.service.script(step)
            self.assertEqual(self.world.ask().cause, "connection-lost")

    def test_an_answer_until_the_end_of_the_connection(self):
        self.world.service.does(Respond(b"HTTP/1.1 200 OK\r\n\r\nsome"), Close())
        receiver = self.world.ask()
        self.assertEqual((receiver.body, receiver.is_ended), (b"some", True))
        self.world.service.does(Respond(b"HTTP/1.1 200 OK\r\n\r\nsome"), Reset())
        self.assertEqual(self.world.ask().cause, "connection-lost")

    def test_giving_up_is_seen_by_the_service_at_once(self):
        self.world.service.does(Stall())
        receiver = self.world.ask()
        receiver.attempt.cancel()
        self.world.network.pump()
        self.assertEqual((self.world.service.open_connections, receiver.events), ([], ["leased"]))

    def test_a_connection_on_which_the_service_speaks_unasked_is_not_used_again(self):
        self.world.service.script(Respond(OK), Wait(1), Respond(OK))
        self.assertEqual(self.world.ask().body, b"ok")
        self.world.network.advance(1)
        self.assertEqual((self.world.service.open_connections, self.world.numbers("open")), ([], (0,)))
        self.assertFalse(self.world.ask().attempt.reused)
