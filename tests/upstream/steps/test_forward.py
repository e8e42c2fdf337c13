"""The steps of an exchange at a service: whom it is sent to, how often, for how long, and what its client gets."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from apigateway.errors import (
    BAD_RESPONSE,
    CONNECT_FAILED,
    CONNECT_TIMEOUT,
    CONNECTION_LOST,
    FORBIDDEN,
    INTERNAL_ERROR,
    NAME_NOT_RESOLVED,
    POOL_EXHAUSTED,
    RESPONSE_TIMEOUT,
    GatewayError,
)
from apigateway.http.answers import Answer
from apigateway.http.heads import CHUNKED
from apigateway.interfaces import IAttemptReceiver, IUpstream
from apigateway.upstream.balancing.ewma import FAILED_S, PeakEwma
from apigateway.upstream.pool.crowding import TOO_SLOW
from apigateway.upstream.steps.forward import Forward
from apigateway.upstream.steps.plan import ForwardPlan
from apigateway.upstream.steps.time_limits import NEVER
from tests.upstream.forward_life import EVENTS, SORRY, Life
from tests.upstream.forward_world import LIMITS, CountingBreaker, World


class AnswerTests(SynchronousTestCase):
    def setUp(self):
        self.world = World()

    def test_it_is_both_sides_of_an_exchange(self):
        forward = Forward(self.world.service, self.world.exchange(), self.world.plan)
        verifyObject(IUpstream, forward)
        verifyObject(IAttemptReceiver, forward)

    def test_the_request_goes_out_at_once_and_whole(self):
        self.world.forward("GET", "/a?b", [(b"A", b"1")])
        method, target, fields, length = self.world.attempt.head
        self.assertEqual((method, target, length), (b"GET", b"/a?b", 0))
        self.assertEqual(fields[:2], [(b"Host", b"t0"), (b"A", b"1")])
        self.assertEqual(self.world.attempt.flushed, ["head"])

    def test_the_answer_is_passed_on(self):
        client = self.world.forward()
        self.world.attempt.answers(200, [(b"A", b"1"), (b"b", b"2"), (b"A", b"3")], b"body", [(b"T", b"2")])
        self.assertEqual((client.status, client.reason, client.length, client.body), (200, b"Fine", 4, b"body"))
        self.assertEqual(client.fields[:3], [(b"A", b"1"), (b"b", b"2"), (b"A", b"3")])
        self.assertEqual((client.trailers, client.is_finished), ([(b"T", b"2")], True))

    def test_trailers_that_a_head_would_decide_about_are_not_passed_on(self):
        client = self.world.forward("PUT", chunked=True)
        client.arrive_end([(b"Authorization", b"x"), (b"T", b"1")])
        self.assertEqual(self.world.attempt.flushed, ["head", ("end", [(b"T", b"1")])])
        self.world.attempt.answers(trailers=[(b"Content-Length", b"5"), (b"T", b"2")])
        self.assertEqual(client.trailers, [(b"T", b"2")])

    def test_nor_are_those_that_the_route_decides_about(self):
        self.world.plan = ForwardPlan(in_request_head=frozenset((b"x-user",)), in_answer_head=frozenset((b"x-debug",)))
        client = self.world.forward("PUT", chunked=True)
        client.arrive_end([(b"X-User", b"x"), (b"T", b"1")])
        self.assertEqual(self.world.attempt.flushed, ["head", ("end", [(b"T", b"1")])])
        self.world.attempt.answers(trailers=[(b"X-Debug", b"5"), (b"T", b"2")])
        self.assertEqual(client.trailers, [(b"T", b"2")])

    def test_an_answer_begins_before_it_has_ended(self):
        client = self.world.forward()
        self.world.attempt.begins()
        self.assertEqual((client.status, client.length), (200, None))
        self.world.attempt.sends(b"one")
        self.assertEqual((client.body, client.is_finished), (b"one", False))

    def test_interim_answers_are_passed_on_before_it(self):
        client = self.world.forward()
        self.world.attempt.receiver.informational(103, [(b"Link", b"</a>")])
        self.world.attempt.receiver.flush()
        self.assertEqual(client.interim, [(103, [(b"Link", b"</a>")])])

    def test_after_it_they_are_not(self):
        client = self.world.forward()
        self.world.attempt.begins()
        self.world.attempt.receiver.informational(103, [])
        self.world.attempt.receiver.flush()
        self.assertEqual((client.status, client.interim), (200, []))

    def test_the_plan_has_the_last_word_on_its_head(self):
        def change(exchange, head):
            head.status = 203

        self.world.plan = ForwardPlan(on_response=(change,))
        client = self.world.forward()
        self.world.attempt.answers(200)
        self.assertEqual((client.status, client.get(b"via")), (203, b"1.1 apigateway"))

    def test_the_record_of_the_exchange_is_complete(self):
        world = self.world
        client = world.forward("PUT", body=b"12345")
        world.clock.advance(1)
        world.attempt.begins()
        world.clock.advance(2)
        world.attempt.sends(b"123")
        world.attempt.ends()
        (exchange,) = world.ended
        self.assertEqual((exchange.service, exchange.target, exchange.attempts), ("shop", "http://t0", 1))
        self.assertEqual((exchange.status, exchange.bytes_in, exchange.bytes_out), (200, 5, 3))
        self.assertEqual((exchange.sent, exchange.answered, exchange.ended), (0.0, 1.0, 3.0))
        self.assertIsNone(exchange.cause)
        self.assertIsNone(client.exchange)

    def test_nothing_is_left_when_it_is_over(self):
        world = self.world
        world.forward()
        self.assertEqual((world.service.in_flight, world.targets[0].in_flight), (1, 1))
        world.attempt.answers()
        self.assertEqual((world.service.in_flight, world.targets[0].in_flight), (0, 0))
        self.assertEqual((world.targets[0].attempts, world.targets[0].failures), (1, 0))

    def test_repr_tells_the_state(self):
        world = self.world
        world.forward()
        (forward,) = world.service.active
        self.assertEqual(repr(forward), "<Forward shop <Target http://t0 closed unchecked in_flight=1> attempts=1>")


class RequestBodyTests(SynchronousTestCase):
    def setUp(self):
        self.world = World()

    def test_it_is_asked_for_only_when_there_is_a_connection(self):
        self.world.transport.lends = False
        client = self.world.forward("PUT", body=b"12345")
        self.assertEqual((client.continued, client.is_open), (False, False))
        self.world.transport.lend()
        self.assertEqual((client.continued, client.is_open), (True, True))

    def test_what_has_arrived_leaves_with_the_head(self):
        self.world.forward("PUT", body=b"12345")
        self.assertEqual(self.world.attempt.head[3], 5)
        self.assertEqual(self.world.attempt.flushed, ["head", b"12345", ("end", [])])

    def test_the_rest_leaves_as_it_arrives(self):
        client = self.world.forward("PUT", chunked=True)
        self.assertEqual((self.world.attempt.head[3], self.world.attempt.flushed), (CHUNKED, ["head"]))
        client.arrive(b"a")
        self.assertEqual(self.world.attempt.flushed, ["head", b"a"])
        client.arrive(b"b")
        client.arrive_end()
        self.assertEqual(self.world.attempt.flushed, ["head", b"a", b"b", ("end", [])])

    def test_a_service_that_takes_no_more_holds_the_client_back(self):
        client = self.world.forward("PUT", chunked=True)
        self.world.attempt.receiver.writable(False)
        self.assertTrue(client.is_paused)
        client.arrive(b"a")
        self.assertEqual(self.world.attempt.flushed, ["head"])
        self.world.attempt.receiver.writable(True)
        self.assertEqual((client.is_paused, self.world.attempt.flushed), (False, ["head", b"a"]))

    def test_back_pressure_after_the_end_of_the_request_concerns_nobody(self):
        client = self.world.forward("PUT", body=b"1")
        self.world.attempt.receiver.writable(False)
        self.assertFalse(client.is_paused)

    def limited(self, most, lends=True):
        self.world.transport.lends = lends
        exchange = self.world.exchange("PUT", chunked=True)
        exchange.max_body = most
        self.world.service.forward(exchange, self.world.plan)
        return exchange.downstream

    def test_one_that_grows_too_large_ends_the_exchange_and_the_attempt(self):
        client = self.limited(5)
        client.arrive(b"123", b"45")
        self.assertEqual(client.status, 0)
        client.arrive(b"6")
        self.assertEqual((client.status, self.world.ended[0].cause.code), (413, "body-too-large"))
        self.assertEqual((self.world.attempt.is_cancelled, self.world.breaker.told), (True, ["cancelled"]))
        self.assertNotIn(b"6", self.world.attempt.written)

    def test_one_that_is_too_large_from_the_start_is_not_begun(self):
        client = self.limited(5, lends=False)
        client.arrive(b"1234567")
        self.world.transport.lend()
        self.assertEqual((client.status, self.world.attempt.flushed), (413, []))

    def test_an_answer_that_has_begun_is_cut_instead(self):
        client = self.limited(5)
        self.world.attempt.begins()
        client.arrive(b"123456")
        self.assertEqual((client.status, client.is_aborted, self.world.attempt.is_cancelled), (200, True, True))


class BackPressureTests(SynchronousTestCase):
    def test_a_client_that_reads_slowly_holds_the_service_back(self):
        world = World()
        client = world.forward()
        world.attempt.begins()
        client.read_slowly()
        self.assertTrue(world.attempt.is_paused)
        client.read_again()
        self.assertFalse(world.attempt.is_paused)

    def test_before_there_is_a_connection_nothing_is_held(self):
        world = World(lends=False)
        client = world.forward()
        client.read_slowly()
        client.read_again()
        world.transport.lend()
        self.assertFalse(world.attempt.is_paused)


class TimeLimitTests(SynchronousTestCase):
    def setUp(self):
        self.world = World()

    def cause(self):
        return self.world.ended[-1].cause.code

    def test_a_connection_that_takes_too_long(self):
        self.world.transport.lends = False
        client = self.world.forward()
        self.world.advance(6.9)
        self.assertEqual(client.status, 0)
        self.world.advance(0.1)
        self.assertEqual((client.status, self.cause(), self.world.transport.waiting), (504, "connect-timeout", []))
        self.assertEqual(self.world.breaker.told, ["failure: connect-timeout"])

    def test_after_that_another_target_is_tried_and_has_its_own_time(self):
        world = World(targets=2, lends=False)
        client = world.forward()
        world.advance(7)
        self.assertEqual((client.status, len(world.transports[1].waiting)), (0, 1))
        world.advance(6.9)
        self.assertEqual(client.status, 0)
        world.advance(0.1)
        self.assertEqual(client.status, 504)

    def test_an_answer_that_does_not_begin(self):
        client = self.world.forward()
        self.world.advance(29.9)
        self.assertEqual(client.status, 0)
        self.world.advance(0.1)
        self.assertEqual(
            (client.status, self.cause(), self.world.attempt.is_cancelled), (504, "response-timeout", True)
        )
        self.assertEqual(self.world.breaker.told, ["failure: response-timeout"])

    def test_interim_answers_do_not_prolong_the_wait_without_end_unless_they_keep_coming(self):
        client = self.world.forward()
        self.world.advance(20)
        self.world.attempt.receiver.informational(102, [])
        self.world.attempt.receiver.flush()
        self.world.advance(30)
        self.assertEqual((client.status, self.cause()), (504, "response-timeout"))

    def test_a_body_that_stops(self):
        client = self.world.forward()
        self.world.attempt.begins()
        self.world.advance(59)
        self.world.attempt.sends(b"1")
        self.world.advance(59.9)
        self.assertFalse(client.is_aborted)
        self.world.advance(0.1)
        self.assertEqual(
            (client.is_aborted, self.cause(), self.world.attempt.is_cancelled), (True, "idle-timeout", True)
        )

    def test_there_is_none_on_the_whole_of_a_stream(self):
        client = self.world.forward()
        self.world.attempt.begins()
        for _ in range(100):
            self.world.advance(50)
            self.world.attempt.sends(b"1")
        self.assertEqual((len(client.body), client.is_aborted), (100, False))

    def test_while_the_client_sends_slowly_the_service_is_not_hurried(self):
        client = self.world.forward("PUT", chunked=True)
        self.world.advance(1000)
        client.arrive(b"1")
        self.world.advance(1000)
        self.assertEqual(client.status, 0)
        client.arrive_end()
        self.world.advance(29.9)
        self.assertEqual(client.status, 0)
        self.world.advance(0.1)
        self.assertEqual((client.status, self.cause()), (504, "response-timeout"))

    def test_nor_when_it_has_begun_to_answer(self):
        client = self.world.forward("PUT", chunked=True)
        self.world.attempt.begins()
        self.world.advance(1000)
        self.assertFalse(client.is_aborted)

    def test_while_the_client_reads_slowly_neither(self):
        client = self.world.forward()
        self.world.attempt.begins()
        client.read_slowly()
        self.world.attempt.sends(b"1")
        self.world.advance(1000)
        self.assertFalse(client.is_aborted)
        client.read_again()
        self.world.advance(59)
        self.world.attempt.sends(b"2")
        self.world.advance(59.9)
        self.assertFalse(client.is_aborted)
        self.world.advance(0.1)
        self.assertEqual((client.is_aborted, self.cause()), (True, "idle-timeout"))

    def test_a_service_that_stops_taking_the_request(self):
        client = self.world.forward("PUT", chunked=True)
        self.world.attempt.receiver.writable(False)
        self.world.advance(59.9)
        self.assertEqual(client.status, 0)
        self.world.advance(0.1)
        self.assertEqual((client.status, self.cause()), (504, "idle-timeout"))

    def test_and_one_that_takes_it_again(self):
        client = self.world.forward("PUT", chunked=True)
        self.world.attempt.receiver.writable(False)
        self.world.advance(50)
        self.world.attempt.receiver.writable(True)
        self.world.advance(1000)
        self.assertEqual(client.status, 0)

    def test_one_that_is_over_is_never_overdue(self):
        self.world.forward()
        self.world.attempt.answers()
        self.world.advance(1000)
        self.assertEqual((len(self.world.ended), self.world.ended[0].status), (1, 200))


class HeardTests(SynchronousTestCase):
    def test_a_reused_connection_that_dies_after_a_byte_of_an_answer_is_not_repeated(self):
        world = World(reused=True)
        client = world.forward("DELETE")
        world.attempt.heard = True
        world.attempt.fails(CONNECTION_LOST)
        self.assertEqual((client.status, world.ended[0].attempts), (502, 1))

    def test_nor_is_another_target_asked_whatever_the_failure(self):
        for cause, options in ((CONNECTION_LOST, {}), (RESPONSE_TIMEOUT, {"after_timeout": True})):
            world = World(targets=2, terms=options)
            client = world.forward()
            world.attempt.heard = True
            world.attempt.fails(cause)
            self.assertEqual((client.status, world.ended[0].attempts), (cause.status, 1))


class ClientGoneTests(SynchronousTestCase):
    def test_the_attempt_is_cut_at_once(self):
        world = World()
        world.forward().leave()
        self.assertEqual(
            (world.attempt.is_cancelled, world.service.in_flight, world.targets[0].in_flight), (True, 0, 0)
        )
        self.assertEqual((world.ended[0].cause.code, world.breaker.told), ("client-gone", ["cancelled"]))

    def test_who_waits_for_a_connection_waits_no_more(self):
        world = World(lends=False)
        world.forward().leave()
        self.assertEqual(
            (world.transport.waiting, world.targets[0].in_flight, world.breaker.told), ([], 0, ["cancelled"])
        )

    def test_a_request_that_has_arrived_may_run_to_its_end_instead(self):
        world = World(finish_abandoned=True)
        world.forward("POST", body=b"1").leave()
        self.assertEqual((world.attempt.is_cancelled, world.service.in_flight), (False, 1))
        world.attempt.answers(201, body=b"done")
        self.assertEqual((world.service.in_flight, world.breaker.told, len(world.ended)), (0, ["success"], 1))

    def test_then_nobody_holds_it_back_any_more(self):
        world = World(finish_abandoned=True)
        client = world.forward()
        world.attempt.begins()
        client.read_slowly()
        client.leave()
        self.assertFalse(world.attempt.is_paused)
        world.advance(60)
        self.assertEqual((world.attempt.is_cancelled, world.service.in_flight), (True, 0))

    def test_even_while_it_waits_for_a_connection(self):
        world = World(finish_abandoned=True, lends=False)
        world.forward().leave()
        world.transport.lend()
        self.assertEqual(world.attempt.flushed, ["head"])
        world.attempt.fails(CONNECTION_LOST)
        self.assertEqual((world.service.in_flight, world.breaker.told), (0, ["failure: connection-lost"]))

    def test_a_request_that_has_not_arrived_cannot(self):
        world = World(finish_abandoned=True)
        client = world.forward("POST", chunked=True)
        client.arrive(b"half")
        client.leave()
        self.assertEqual((world.attempt.is_cancelled, world.service.in_flight), (True, 0))


class FailureTests(SynchronousTestCase):
    def setUp(self):
        self.world = World()

    def test_the_client_learns_the_cause(self):
        for cause in (CONNECT_FAILED, CONNECT_TIMEOUT, NAME_NOT_RESOLVED, CONNECTION_LOST, BAD_RESPONSE):
            client = self.world.forward()
            self.world.attempt.fails(cause)
            self.assertEqual((client.status, client.get(b"content-type")), (cause.status, b"application/problem+json"))
            self.assertIn(f'"cause": "{cause.code}"'.encode(), client.body)
            self.assertIs(self.world.ended[-1].cause, cause)
        self.assertEqual((self.world.targets[0].failures, self.world.targets[0].in_flight), (5, 0))

    def test_an_answer_that_has_begun_is_cut(self):
        client = self.world.forward()
        self.world.attempt.begins(length=10)
        self.world.attempt.sends(b"123")
        self.world.attempt.fails(CONNECTION_LOST)
        self.assertEqual(
            (client.status, client.body, client.is_aborted, client.is_finished), (200, b"123", True, False)
        )

    def test_a_full_pool_is_not_held_against_the_target(self):
        self.world.transport.refuses = POOL_EXHAUSTED
        client = self.world.forward()
        self.assertEqual((client.status, self.world.breaker.told), (503, ["cancelled"]))
        self.assertEqual(self.world.targets[0].failures, 0)

    def test_what_is_no_gateway_error_is_a_mistake_of_ours_and_not_hidden(self):
        self.world.forward()
        self.assertRaises(ValueError, self.world.attempt.receiver.failed, ValueError())


def divide(exchange, head):
    """A policy with a mistake in it."""
    raise ZeroDivisionError


def refuse(exchange, head):
    """A policy that does not let an answer out."""
    raise GatewayError(FORBIDDEN, "Not this one.")


def leave_garbage(exchange, head):
    """A policy that puts something into a head that can't be written."""
    head.fields = [("text", None)]


class PolicyFailureTests(SynchronousTestCase):
    """A policy fails when the answer is there, or leaves a head that can't be sent."""

    def setUp(self):
        self.world = World()

    def assert_nothing_is_left(self):
        self.assertEqual((self.world.service.in_flight, self.world.service.everyone), (0, set()))
        self.assertEqual(self.world.targets[0].in_flight, 0)
        self.assertNotIn(None, self.world.breaker.told)

    def assert_failed(self, client):
        self.assertEqual((client.status, client.is_finished), (500, True))
        self.assertIn(b'"cause": "internal-error"', client.body)
        self.assertIs(self.world.ended[-1].cause, INTERNAL_ERROR)
        self.assert_nothing_is_left()

    def test_an_answer_in_pieces_becomes_500_and_its_connection_is_cut(self):
        for policy, error in ((divide, ZeroDivisionError), (leave_garbage, TypeError)):
            self.world.plan = ForwardPlan(on_response=(policy,))
            for status in (200, 503):
                client = self.world.forward()
                self.world.attempt.begins(status, length=10)
                self.assertTrue(self.world.attempt.is_cancelled)
                self.assert_failed(client)
                self.assertEqual(len(self.flushLoggedErrors(error)), 1)
        self.assertEqual(self.world.targets[0].failures, 2, "the target's own, with 503")

    def test_a_whole_answer_becomes_500_and_its_connection_is_kept(self):
        self.world.plan = ForwardPlan(on_response=(divide,))
        client = self.world.forward()
        self.world.attempt.receiver.whole(200, b"Fine", b"", b"a cup")
        self.assertFalse(self.world.attempt.is_cancelled)
        self.assert_failed(client)
        self.assertEqual(self.world.breaker.told, ["success"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_the_log_tells_which_exchange_it_was(self):
        events = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        self.world.plan = ForwardPlan(on_response=(divide,))
        exchange = self.world.exchange()
        exchange.request_id, exchange.route = b"5f1d", "/shop"
        self.world.service.forward(exchange, self.world.plan)
        self.world.attempt.answers()
        (event,) = [event for event in events if event.get("route") == "/shop"]
        self.assertEqual((event["request_id"], event["log_failure"].type), ("5f1d", ZeroDivisionError))
        self.flushLoggedErrors(ZeroDivisionError)

    def test_a_policy_may_refuse_an_answer(self):
        self.world.plan = ForwardPlan(on_response=(refuse,))
        for answer in (self.world_answers_whole, lambda: self.world.attempt.answers(body=b"a cup")):
            client = self.world.forward()
            answer()
            self.assertEqual((client.status, self.world.ended[-1].cause), (403, FORBIDDEN))
            self.assert_nothing_is_left()

    def world_answers_whole(self):
        self.world.attempt.receiver.whole(200, b"Fine", b"", b"a cup")

    def test_a_request_that_cannot_be_written_is_not_begun(self):
        exchange = self.world.exchange()
        client = exchange.downstream
        exchange.head.plain = [("text", None)]
        self.world.service.forward(exchange, self.world.plan)
        self.assertEqual((self.world.attempt.written, self.world.attempt.is_cancelled), ([], True))
        self.assert_failed(client)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    def test_nor_is_one_after_a_wait_for_its_connection(self):
        self.world.transport.lends = False
        exchange = self.world.exchange()
        client = exchange.downstream
        exchange.head.plain = [("text", None)]
        self.world.service.forward(exchange, self.world.plan)
        self.world.transport.lend()
        self.assert_failed(client)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    def test_of_what_fails_unforeseen_at_the_very_beginning_nothing_is_left_either(self):
        self.patch(self.world.transport, "lease", None)
        self.patch(self.world.transport, "cancel", lambda receiver: None)
        self.assertRaises(TypeError, self.world.forward)
        self.assert_nothing_is_left()


class BreakerTests(SynchronousTestCase):
    def told(self, *statuses):
        world = World()
        for status in statuses:
            world.forward()
            world.attempt.answers(status)
        return world.breaker.told

    def test_answers_below_500_are_successes(self):
        self.assertEqual(self.told(200, 301, 404, 429, 499), ["success"] * 5)

    def test_answers_from_500_on_are_failures(self):
        self.assertEqual(self.told(500, 503), ["failure: status 500", "failure: status 503"])

    def test_a_broken_attempt_is_a_failure_with_its_cause(self):
        world = World()
        world.forward()
        world.attempt.fails(CONNECTION_LOST)
        self.assertEqual(world.breaker.told, ["failure: connection-lost"])

    def test_a_client_that_leaves_is_no_verdict(self):
        world = World()
        world.forward().leave()
        self.assertEqual(world.breaker.told, ["cancelled"])

    def test_while_closed_a_success_is_one_when_the_answer_is_complete(self):
        world = World()
        world.forward()
        world.attempt.begins()
        self.assertEqual(world.breaker.told, [None])
        world.attempt.ends()
        self.assertEqual(world.breaker.told, ["success"])

    def test_half_open_the_head_is_enough_lest_a_long_answer_keep_it_waiting(self):
        world = World(breaker=lambda: CountingBreaker("half-open"))
        world.forward()
        world.attempt.begins()
        self.assertEqual(world.breaker.told, ["success"])
        world.attempt.fails(CONNECTION_LOST)
        self.assertEqual((world.breaker.told, world.targets[0].in_flight), (["success"], 0))

    def test_a_target_that_may_not_be_tried_is_passed_over(self):
        world = World(targets=2)
        world.breakers[0].is_open = True
        world.forward()
        self.assertEqual([len(one.attempts) for one in world.transports], [0, 1])

    def test_where_none_may_be_tried_the_client_is_told_when_to_come_again(self):
        world = World(targets=2)
        for breaker, wait_s in zip(world.breakers, (9.5, 20.0), strict=True):
            breaker.is_open = True
            breaker.wait_s = wait_s
        client = world.forward()
        self.assertEqual((client.status, client.get(b"retry-after")), (503, b"10"))
        self.assertEqual((world.ended[0].cause.code, world.ended[0].attempts), ("breaker-open", 0))
        self.assertEqual(world.service.in_flight, 0)

    def test_a_target_may_have_no_breaker(self):
        world = World()
        world.targets[0].breaker = None
        for ending in (lambda one: one.answers(), lambda one: one.answers(500), lambda one: one.fails(CONNECT_FAILED)):
            world.forward()
            ending(world.attempt)
        self.assertEqual((world.targets[0].in_flight, world.targets[0].failures), (0, 2))


class StaleConnectionTests(SynchronousTestCase):
    """The service closed an idle connection just when it was taken."""

    def setUp(self):
        self.world = World(reused=True)

    def test_an_idempotent_request_is_repeated_on_a_fresh_connection_and_nobody_notices(self):
        for method in ("GET", "HEAD", "OPTIONS", "DELETE"):
            world = World(reused=True)
            client = world.forward(method)
            world.attempt.fails(CONNECTION_LOST)
            self.assertEqual((world.transport.leases, client.status), (["any", "fresh"], 0))
            world.attempt.answers()
            self.assertEqual((client.status, world.breaker.told, world.targets[0].failures), (200, ["success"], 0))
            self.assertEqual((world.ended[0].attempts, world.targets[0].in_flight), (2, 0))

    def test_it_costs_nothing_of_the_budget(self):
        world = World(targets=2, reused=True)
        world.forward()
        world.attempt.fails(CONNECTION_LOST)
        self.assertEqual(world.transport.leases, ["any", "fresh"])
        world.advance(0.25)
        self.assertEqual(repr(world.budget), "<RetryBudget 0 retries for 1 exchanges>")

    def test_it_is_repeated_only_once(self):
        client = self.world.forward()
        self.world.attempt.fails(CONNECTION_LOST)
        self.world.attempt.reused = True
        self.world.attempt.fails(CONNECTION_LOST)
        self.assertEqual((client.status, self.world.breaker.told), (502, ["failure: connection-lost"]))

    def not_repeated(self, *args, **kwargs):
        client = self.world.forward(*args, **kwargs)
        self.world.attempt.fails(CONNECTION_LOST)
        self.assertEqual((client.status, len(self.world.transport.attempts)), (502, 1))

    def test_a_request_that_is_not_idempotent_is_not_repeated(self):
        self.not_repeated("POST")

    def test_a_request_whose_body_was_begun_and_not_kept_is_not_repeated(self):
        self.world = World(reused=True, terms={"replay": 4})
        self.not_repeated("PUT", body=b"12345")

    def test_nor_one_of_which_a_part_or_only_the_end_had_arrived(self):
        self.world = World(reused=True, terms={"replay": 0})
        for arrive in (lambda client: client.arrive(b"half"), lambda client: client.arrive_end()):
            client = self.world.forward("PUT", chunked=True)
            arrive(client)
            self.world.attempt.fails(CONNECTION_LOST)
            self.assertEqual((client.status, self.world.transport.leases[-1]), (502, "any"))

    def test_one_whose_body_was_asked_for_but_has_not_begun_is(self):
        client = self.world.forward("PUT", chunked=True)
        self.world.attempt.fails(CONNECTION_LOST)
        client.arrive(b"all")
        client.arrive_end()
        self.assertEqual(self.world.attempt.flushed, ["head", b"all", ("end", [])])

    def test_a_connection_that_was_not_used_before_is_no_reason(self):
        self.world.transport.reused = False
        self.not_repeated("GET")

    def test_an_answer_that_has_begun_is_not_repeated(self):
        client = self.world.forward()
        self.world.attempt.begins()
        self.world.attempt.fails(CONNECTION_LOST)
        self.assertEqual((client.is_aborted, len(self.world.transport.attempts)), (True, 1))

    def test_an_answer_that_is_not_http_is_not_asked_for_again(self):
        client = self.world.forward()
        self.world.attempt.fails(BAD_RESPONSE)
        self.assertEqual((client.status, len(self.world.transport.attempts)), (502, 1))


class AwaitedTests(SynchronousTestCase):
    """A deadline that never comes says that the client is the one to hurry; others may need what it holds."""

    def test_while_its_request_is_arriving_it_is(self):
        world = World()
        client = world.forward("PUT", chunked=True)
        receiver = world.attempt.receiver
        self.assertEqual(receiver.deadline, NEVER)
        receiver.writable(False)
        self.assertLess(receiver.deadline, NEVER)
        receiver.writable(True)
        self.assertEqual(receiver.deadline, NEVER)
        client.arrive_end()
        self.assertLess(receiver.deadline, NEVER)

    def test_so_it_is_while_it_does_not_take_the_answer(self):
        world = World()
        client = world.forward()
        world.attempt.begins()
        receiver = world.attempt.receiver
        self.assertLess(receiver.deadline, NEVER)
        client.read_slowly()
        self.assertEqual(receiver.deadline, NEVER)
        client.read_again()
        self.assertLess(receiver.deadline, NEVER)

    def test_one_that_makes_room_is_told_that_it_was_too_slow_and_that_is_no_failure_of_the_target(self):
        world = World()
        client = world.forward("PUT", chunked=True)
        world.attempt.receiver.stop(TOO_SLOW)
        self.assertEqual((client.status, world.ended[-1].cause.code), (408, "client-too-slow"))
        self.assertEqual((world.breaker.told, world.targets[0].failures), (["cancelled"], 0))
        self.assertEqual((world.attempt.is_cancelled, world.service.in_flight), (True, 0))

    def test_where_its_answer_has_begun_that_is_cut(self):
        world = World()
        client = world.forward()
        world.attempt.begins()
        client.read_slowly()
        world.attempt.receiver.stop(TOO_SLOW)
        self.assertEqual((client.is_aborted, world.ended[-1].cause.code), (True, "client-too-slow"))
        self.assertEqual((world.breaker.told, world.targets[0].failures), (["cancelled"], 0))

    def test_no_fallback_answers_for_it(self):
        world = World()
        world.service.fallback = Answer(200, [], b"later")
        client = world.forward("PUT", chunked=True)
        world.attempt.receiver.stop(TOO_SLOW)
        self.assertEqual(client.status, 408)


class RetryTests(SynchronousTestCase):
    def setUp(self):
        self.world = World(targets=2)

    def used(self, world=None):
        return [len(one.attempts) for one in (world or self.world).transports]

    def test_a_failed_attempt_is_followed_by_one_at_another_target(self):
        client = self.world.forward()
        self.world.attempt.fails(CONNECT_FAILED)
        self.assertEqual((client.status, self.used()), (0, [1, 1]))
        self.world.transports[1].last.answers()
        self.assertEqual(
            (client.status, self.world.ended[0].target, self.world.ended[0].attempts), (200, "http://t1", 2)
        )
        self.assertEqual([one.told for one in self.world.breakers], [["failure: connect-failed"], ["success"]])

    def test_the_only_target_is_not_asked_again(self):
        world = World()
        client = world.forward()
        world.attempt.fails(CONNECT_FAILED)
        self.assertEqual((client.status, self.used(world)), (502, [1]))
        self.assertIn(" 0 retries ", repr(world.budget))

    def test_there_are_no_more_retries_than_configured(self):
        for retries in range(4):
            world = World(targets=6, retries=retries, waits=True)
            for one in world.transports:
                one.refuses = CONNECT_FAILED
            client = world.forward()
            world.clock.pump([0.25] * 3)
            self.assertEqual((client.status, world.ended[0].attempts), (502, 1 + retries))

    def test_no_target_is_asked_twice(self):
        world = World(targets=2, retries=5)
        for one in world.transports:
            one.refuses = CONNECT_FAILED
        client = world.forward()
        self.assertEqual((client.status, world.ended[0].attempts), (502, 2))

    def test_a_target_that_its_breaker_rests_is_not_asked_and_the_failure_stands(self):
        self.world.breakers[1].is_open = True
        client = self.world.forward()
        self.world.attempt.fails(CONNECT_FAILED)
        self.assertEqual((client.status, self.world.ended[0].cause, self.used()), (502, CONNECT_FAILED, [1, 0]))

    def test_they_stay_within_the_budget(self):
        for one in self.world.transports:
            one.refuses = CONNECT_FAILED
        for _ in range(100):
            self.world.forward()
        retries = sum(exchange.attempts - 1 for exchange in self.world.ended)
        self.assertEqual((len(self.world.ended), 30 <= retries <= 50), (100, True))

    def test_what_was_never_sent_is_repeated_with_any_method(self):
        self.world.transports[0].refuses = CONNECT_FAILED
        self.world.forward("POST", body=b"once")
        self.assertEqual(self.world.transports[1].last.flushed, ["head", b"once", ("end", [])])

    def test_a_fresh_connection_that_dies_is_repeated_elsewhere_only_if_that_is_safe(self):
        self.world.forward("GET")
        self.world.attempt.fails(CONNECTION_LOST)
        self.assertEqual(self.used(), [1, 1])
        world = World(targets=2)
        client = world.forward("POST")
        world.attempt.fails(CONNECTION_LOST)
        self.assertEqual((client.status, self.used(world)), (502, [1, 0]))

    def test_a_body_that_was_asked_for_waits_for_the_next_attempt(self):
        self.world.transports[1].lends = False
        client = self.world.forward("PUT", chunked=True)
        self.world.attempt.fails(CONNECTION_LOST)
        self.assertTrue(client.is_paused)
        client.arrive(b"all")
        client.arrive_end()
        self.world.transports[1].lend()
        self.assertEqual(self.world.transports[1].last.flushed, ["head", b"all", ("end", [])])

    def test_an_answer_however_bad_is_not_repeated(self):
        client = self.world.forward()
        self.world.attempt.answers(503)
        self.assertEqual((client.status, self.used()), (503, [1, 0]))

    def test_what_was_sent_to_one_target_says_nothing_of_how_long_the_next_takes(self):
        world = World(targets=2)
        for target in world.targets:
            target.latency = PeakEwma(1e9)
        world.transports[1].lends = False
        world.clock.advance(1.0)
        world.forward()
        world.clock.advance(20.0)
        world.attempt.fails(CONNECTION_LOST)
        self.assertEqual(world.transports[1].leases, ["any"])
        world.advance(LIMITS.connection)
        self.assertEqual([target.latency.seconds for target in world.targets], [20.0, FAILED_S])


class FallbackTests(SynchronousTestCase):
    def setUp(self):
        self.world = World()
        self.world.service.fallback = SORRY

    def test_a_failure_gives_way_to_a_fixed_answer_but_stays_in_the_record(self):
        client = self.world.forward()
        self.world.attempt.fails(CONNECT_FAILED)
        self.assertEqual((client.status, client.body, client.get(b"x-gateway-fallback")), (200, b"later", b"static"))
        (exchange,) = self.world.ended
        self.assertEqual((exchange.cause, exchange.fallback), (CONNECT_FAILED, True))

    def test_so_does_an_open_breaker(self):
        self.world.breaker.is_open = True
        self.assertEqual(self.world.forward().body, b"later")

    def test_so_do_the_services_own_502_503_and_504(self):
        for status in (502, 503, 504):
            client = self.world.forward()
            self.world.attempt.answers(status, body=b"its own")
            self.assertEqual((client.body, self.world.attempt.is_cancelled), (b"later", True))
            self.assertEqual(self.world.targets[0].in_flight, 0)
        self.assertEqual(self.world.breaker.told, ["failure: status 502", "failure: status 503", "failure: status 504"])

    def test_other_answers_stand(self):
        for status in (404, 500, 501):
            client = self.world.forward()
            self.world.attempt.answers(status, body=b"its own")
            self.assertEqual(
                (client.status, client.body, client.get(b"x-gateway-fallback")), (status, b"its own", None)
            )

    def test_an_answer_that_has_begun_is_not_replaced(self):
        client = self.world.forward()
        self.world.attempt.begins()
        self.world.attempt.fails(CONNECTION_LOST)
        self.assertEqual((client.body, client.is_aborted), (b"", True))

    def test_another_service_gets_the_request(self):
        spare = World()
        self.world.service.fallback = spare.service
        client = self.world.forward("PUT", chunked=True)
        self.world.attempt.fails(CONNECTION_LOST)
        client.arrive(b"all")
        client.arrive_end()
        self.assertEqual(spare.attempt.flushed, ["head", b"all", ("end", [])])
        spare.attempt.answers(200, body=b"spare")
        self.assertEqual((client.body, client.get(b"x-gateway-fallback")), (b"spare", b"shop"))
        self.assertEqual((self.world.service.in_flight, spare.service.in_flight), (0, 0))

    def test_but_not_half_a_request(self):
        spare = World()
        self.world.service.fallback = spare.service
        client = self.world.forward("PUT", body=b"1")
        self.world.attempt.answers(503)
        self.assertEqual((client.status, spare.transport.leases), (503, []))

    def test_it_is_not_replaced_itself(self):
        spare = World()
        spare.service.fallback = SORRY
        self.world.service.fallback = spare.service
        client = self.world.forward()
        self.world.attempt.fails(CONNECT_FAILED)
        spare.attempt.fails(CONNECT_FAILED)
        self.assertEqual((client.status, client.get(b"x-gateway-fallback")), (502, b"shop"))

    def test_it_has_its_own_time_however_long_the_first_service_took(self):
        spare = World(lends=False)
        spare.service.now = self.world.clock.seconds
        self.world.service.fallback = spare.service
        client = self.world.forward()
        self.world.advance(30)
        spare.service.sweep(self.world.clock.seconds())
        self.assertEqual((client.status, len(spare.transport.waiting)), (0, 1))
        spare.transport.lend()
        spare.attempt.answers(200, body=b"spare")
        self.assertEqual(client.body, b"spare")


class LifeTests(SynchronousTestCase):
    @settings(deadline=None, max_examples=300)
    @given(
        st.integers(1, 3),
        st.integers(0, 2),
        st.booleans(),
        st.booleans(),
        st.integers(0, 2),
        st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(0, 6)), max_size=60),
    )
    def test_whatever_happens_every_account_is_settled_once(self, targets, retries, abandoned, reused, fallback, steps):
        life = Life(targets, retries, abandoned, reused, fallback)
        for event, number in steps:
            life.step(event, number)
            waiting = sum(len(one.waiting) for one in life.transports)
            in_flight = sum(one.in_flight for one in (*life.world.targets, *life.spare.targets))
            # Who holds a permit or counts as in flight waits for a connection or has one.
            self.assertEqual(in_flight, waiting + len(life.running()))
            self.assertEqual(life.world.service.in_flight + life.spare.service.in_flight, in_flight)
        life.come_to_rest()
        self.assertEqual(len(life.world.ended), len(life.clients))
        self.assertEqual((life.world.service.in_flight, life.spare.service.in_flight), (0, 0))
        for target in (*life.world.targets, *life.spare.targets):
            self.assertEqual(target.in_flight, 0)
        for breaker in life.breakers:
            self.assertNotIn(None, breaker.told)
        for client in life.clients:
            self.assertTrue(client.is_finished or client.is_aborted or client.is_gone)
