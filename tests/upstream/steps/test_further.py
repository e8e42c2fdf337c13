"""What follows an attempt that failed: when, where, with which body, and within which time."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.errors import BAD_RESPONSE, CONNECT_FAILED, CONNECT_TIMEOUT, CONNECTION_LOST, NAME_NOT_RESOLVED
from apigateway.http.answers import Answer
from apigateway.upstream.steps.deadline_field import DeadlineField
from apigateway.upstream.steps.terms import Terms
from tests.upstream.forward_world import LIMITS, World

BUSY = frozenset((429, 503))


class SameTargetTests(SynchronousTestCase):
    """With one target there is nobody else to ask."""

    def setUp(self):
        self.world = World(waits=True)

    def test_a_refused_connection_is_tried_once_more_after_a_moment(self):
        client = self.world.forward()
        self.world.attempt.fails(CONNECT_FAILED)
        self.assertEqual((client.status, len(self.world.transport.leases), self.world.targets[0].in_flight), (0, 1, 0))
        self.world.advance(0.0125)
        self.world.attempt.answers(200)
        self.assertEqual((client.status, self.world.ended[0].attempts), (200, 2))
        self.assertEqual((self.world.service.in_flight, self.world.service.counts.retries), (0, 1))

    def test_its_breaker_hears_of_what_came_of_it_in_the_end(self):
        for ending, told in ((lambda one: one.answers(200), "success"),
                             (lambda one: one.fails(CONNECT_FAILED), "failure: connect-failed")):  # fmt: skip
            world = World(waits=True)
            world.forward()
            world.attempt.fails(CONNECT_FAILED)
            self.assertEqual(world.breaker.told, [None])
            world.advance(0.0125)
            ending(world.attempt)
            self.assertEqual((world.breaker.told, world.targets[0].in_flight), ([told], 0))

    def test_no_other_failure_is_worth_it(self):
        for cause in (CONNECTION_LOST, CONNECT_TIMEOUT, NAME_NOT_RESOLVED, BAD_RESPONSE):
            world = World(waits=True)
            client = world.forward()
            world.attempt.fails(cause)
            self.assertEqual((client.status, world.ended[0].attempts), (cause.status, 1))

    def test_a_client_that_leaves_is_not_asked_for(self):
        client = self.world.forward()
        self.world.attempt.fails(CONNECT_FAILED)
        client.leave()
        self.world.advance(1)
        self.assertEqual((len(self.world.transport.leases), self.world.clock.getDelayedCalls()), (1, []))
        self.assertEqual((self.world.breaker.told, self.world.service.in_flight), (["cancelled"], 0))
        self.assertEqual((self.world.ended[0].status, self.world.ended[0].attempts), (0, 1))

    def test_unless_the_service_is_to_finish_all_the_same(self):
        world = World(waits=True, finish_abandoned=True)
        client = world.forward()
        world.attempt.fails(CONNECT_FAILED)
        client.leave()
        world.advance(0.1)
        world.attempt.answers(200)
        self.assertEqual((world.service.in_flight, world.breaker.told), (0, ["success"]))

    def test_when_all_attempts_are_used_up_the_failure_stands(self):
        world = World(waits=True, retries=2, random=lambda: 0.999)
        client = world.forward()
        for wait_s in (0.025, 0.05):
            world.attempt.fails(CONNECT_FAILED)
            world.advance(wait_s)
        self.assertEqual(client.status, 0)
        world.attempt.fails(CONNECT_FAILED)
        self.assertEqual((client.status, world.ended[0].attempts, world.targets[0].failures), (502, 3, 3))

    def test_a_fallback_answers_when_no_attempt_is_left(self):
        self.world.service.fallback = Answer(200, [], b"later")
        client = self.world.forward()
        self.world.attempt.fails(CONNECT_FAILED)
        self.assertEqual(client.status, 0)
        self.world.advance(0.1)
        self.world.attempt.fails(CONNECT_FAILED)
        self.assertEqual(client.body, b"later")


class StatusTests(SynchronousTestCase):
    """Answers of these statuses are worth another attempt."""

    def world(self, targets=2, **options):
        return World(targets=targets, waits=True, terms={"statuses": BUSY}, **options)

    def test_another_target_answers_and_the_first_answer_is_seen_by_nobody(self):
        world = self.world()
        client = world.forward()
        world.attempt.answers(503, body=b"busy")
        self.assertEqual((client.status, world.attempt.is_cancelled), (0, True))
        world.transports[1].last.answers(200, body=b"fine")
        self.assertEqual((client.status, client.body), (200, b"fine"))
        self.assertEqual([breaker.told for breaker in world.breakers], [["failure: status 503"], ["success"]])
        self.assertEqual([target.in_flight for target in world.targets], [0, 0])

    def test_an_answer_that_came_whole_keeps_its_connection(self):
        world = self.world()
        client = world.forward()
        world.attempt.receiver.whole(429, b"Slow", b"", b"busy")
        self.assertEqual((client.status, world.attempt.is_cancelled), (0, False))
        world.transports[1].last.receiver.whole(200, b"OK", b"", b"fine")
        self.assertEqual((client.body, [b.told for b in world.breakers]), (b"fine", [["success"], ["success"]]))

    def test_the_last_answer_is_passed_on_as_it_is(self):
        world = self.world()
        client = world.forward()
        world.attempt.answers(503, body=b"busy")
        world.transports[1].last.answers(503, [(b"Retry-After", b"9")], b"too")
        self.assertEqual((client.status, client.body, client.get(b"retry-after")), (503, b"too", b"9"))
        self.assertIsNone(world.ended[0].cause)

    def test_so_is_the_first_when_the_budget_is_used_up(self):
        world = self.world()
        while world.budget.withdraw(0.0):
            pass
        client = world.forward()
        world.attempt.answers(503, body=b"busy")
        self.assertEqual((client.status, client.body, world.service.counts.refused), (503, b"busy", 1))

    def test_other_answers_are_passed_on(self):
        for status in (404, 500, 502):
            world = self.world()
            client = world.forward()
            world.attempt.answers(status)
            self.assertEqual((client.status, len(world.transports[1].attempts)), (status, 0))

    def test_what_may_not_be_sent_twice_is_not(self):
        world = self.world()
        client = world.forward("POST")
        world.attempt.answers(503)
        self.assertEqual((client.status, len(world.transports[1].attempts)), (503, 0))

    def test_unless_the_terms_name_its_method(self):
        world = World(targets=2, terms={"statuses": BUSY, "methods": frozenset((b"POST",))})
        client = world.forward("POST", body=b"order")
        world.attempt.answers(503)
        world.transports[1].last.answers(201)
        self.assertEqual((client.status, world.transports[1].last.flushed), (201, ["head", b"order", ("end", [])]))
        client = world.forward("GET")
        world.attempt.answers(503)
        self.assertEqual(client.status, 503)

    def test_with_one_target_that_one_is_asked_again_after_a_moment(self):
        world = self.world(targets=1)
        client = world.forward()
        world.attempt.answers(503)
        world.advance(0.0125)
        world.attempt.answers(200)
        self.assertEqual((client.status, world.breaker.told, world.targets[0].failures), (200, ["success"], 1))

    def test_a_pause_that_the_service_asks_for_is_made(self):
        world = self.world()
        client = world.forward()
        world.attempt.answers(503, [(b"Retry-After", b"2")])
        world.advance(1.9)
        self.assertEqual(len(world.transports[1].attempts), 0)
        world.advance(0.1)
        world.transports[1].last.answers(200)
        self.assertEqual((client.status, world.ended[0].answered), (200, 2.0))

    def test_one_that_is_too_long_is_the_clients_to_make(self):
        world = World(targets=2, waits=True, terms={"statuses": BUSY, "total": 5.0})
        client = world.forward()
        world.attempt.answers(503, [(b"Retry-After", b"5")], b"busy")
        self.assertEqual((client.status, client.body, client.get(b"retry-after")), (503, b"busy", b"5"))

    def test_a_long_answer_is_not_dropped_once_it_has_begun(self):
        world = self.world()
        client = world.forward()
        world.attempt.begins(200)
        world.attempt.fails(CONNECTION_LOST)
        self.assertEqual((client.is_aborted, len(world.transports[1].attempts)), (True, 0))


class ReplayTests(SynchronousTestCase):
    """Small bodies are kept."""

    def test_a_body_is_sent_again_whole(self):
        world = World(targets=2)
        client = world.forward("PUT", body=b"12345")
        world.attempt.fails(CONNECTION_LOST)
        self.assertEqual(world.transports[1].last.flushed, ["head", b"12345", ("end", [])])
        world.transports[1].last.answers(200)
        self.assertEqual((client.status, world.ended[0].bytes_in), (200, 5))

    def test_with_its_trailers(self):
        world = World(targets=2)
        client = world.forward("PUT", chunked=True)
        client.arrive(b"1", b"2")
        client.arrive_end([(b"T", b"1")])
        world.attempt.fails(CONNECTION_LOST)
        self.assertEqual(world.transports[1].last.flushed, ["head", b"1", b"2", ("end", [(b"T", b"1")])])

    def test_the_rest_follows_as_it_arrives(self):
        world = World(targets=2)
        world.transports[1].lends = False
        client = world.forward("PUT", chunked=True)
        client.arrive(b"1")
        world.attempt.fails(CONNECTION_LOST)
        client.arrive(b"2")
        self.assertTrue(client.is_paused)
        world.transports[1].lend()
        client.arrive(b"3")
        client.arrive_end()
        self.assertEqual(world.transports[1].last.flushed, ["head", b"1", b"2", b"3", ("end", [])])
        world.transports[1].last.answers(200)
        self.assertEqual((client.status, world.ended[0].bytes_in), (200, 3))

    def test_a_dead_connection_that_had_been_idle_costs_it_nothing(self):
        world = World(reused=True)
        client = world.forward("PUT", body=b"12345")
        world.attempt.fails(CONNECTION_LOST)
        self.assertEqual((world.transport.leases, world.service.counts.retries), (["any", "fresh"], 0))
        world.attempt.answers(200)
        self.assertEqual((client.status, world.attempt.flushed), (200, ["head", b"12345", ("end", [])]))

    def test_one_that_turns_out_too_large_is_not_sent_again(self):
        world = World(targets=2, terms={"replay": 4})
        client = world.forward("PUT", chunked=True)
        client.arrive(b"123", b"45")
        world.attempt.fails(CONNECTION_LOST)
        self.assertEqual((client.status, len(world.transports[1].attempts)), (502, 0))

    def test_one_of_a_request_that_may_not_be_repeated_is_not_kept(self):
        world = World(targets=2)
        world.forward("POST", body=b"12345")
        (forward,) = world.service.active
        self.assertIsNone(forward.again)

    def test_it_is_let_go_when_an_answer_begins(self):
        world = World()
        world.forward("PUT", body=b"12345")
        (forward,) = world.service.active
        self.assertEqual(forward.again.kept, [b"12345"])
        world.attempt.begins(200)
        self.assertIsNone(forward.again.kept)

    def test_the_answer_to_the_second_has_its_time(self):
        world = World(targets=2)
        client = world.forward("PUT", body=b"1")
        world.attempt.fails(CONNECTION_LOST)
        world.advance(29.9)
        self.assertEqual(client.status, 0)
        world.advance(0.1)
        self.assertEqual((client.status, world.ended[0].cause.code), (504, "response-timeout"))


class TimeoutTests(SynchronousTestCase):
    def test_an_attempt_that_is_not_answered_is_followed_by_none(self):
        world = World(targets=2)
        client = world.forward()
        world.advance(30)
        self.assertEqual((client.status, len(world.transports[1].attempts)), (504, 0))

    def test_unless_that_is_wanted(self):
        world = World(targets=2, waits=True, terms={"after_timeout": True})
        client = world.forward()
        world.advance(30)
        self.assertEqual((client.status, world.attempt.is_cancelled), (0, True))
        self.assertEqual(world.breakers[0].told, ["failure: response-timeout"])
        world.transports[1].last.answers(200)
        self.assertEqual(client.status, 200)

    def test_even_then_not_for_what_may_not_be_sent_twice_nor_to_the_same_target(self):
        for targets, method in ((2, "POST"), (1, "GET")):
            world = World(targets, waits=True, terms={"after_timeout": True}, reused=True)
            client = world.forward(method)
            world.advance(30)
            self.assertEqual((client.status, world.ended[0].attempts), (504, 1))


class TotalTests(SynchronousTestCase):
    """A time for all attempts together, to the head of the answer."""

    def test_when_it_is_over_all_is(self):
        world = World(terms={"total": 10.0})
        client = world.forward()
        world.advance(9.9)
        self.assertEqual(client.status, 0)
        world.advance(0.1)
        self.assertEqual((client.status, world.ended[0].cause.code), (504, "total-timeout"))
        self.assertEqual((world.attempt.is_cancelled, world.service.in_flight), (True, 0))
        self.assertEqual((world.breaker.told, world.service.bulkhead.timed), (["failure: total-timeout"], set()))

    def test_an_answer_that_has_begun_may_take_for_ever(self):
        world = World(terms={"total": 10.0})
        client = world.forward()
        world.attempt.begins(200)
        world.advance(20)
        world.attempt.sends(b"1")
        self.assertEqual((client.status, client.is_aborted), (200, False))
        world.attempt.ends()
        self.assertEqual(world.service.bulkhead.timed, set())

    def test_it_counts_while_there_is_no_connection_and_while_a_retry_waits(self):
        world = World(lends=False, terms={"total": 3.0})
        client = world.forward()
        world.advance(3)
        self.assertEqual((client.status, world.transport.waiting), (504, []))
        world = World(waits=True, terms={"total": 3.0, "statuses": BUSY})
        client = world.forward()
        world.attempt.answers(503, [(b"Retry-After", b"2")])
        self.patch(world.service, "later", None)
        world.clock.rightNow = 3.0
        world.service.sweep(3.0)
        self.assertEqual((client.status, world.clock.getDelayedCalls()), (504, []))
        self.assertEqual(world.breaker.told, ["cancelled"])

    def test_a_wait_that_ends_too_late_ends_the_exchange(self):
        world = World(waits=True, terms={"total": 3.0, "statuses": BUSY})
        client = world.forward()
        world.attempt.answers(503, [(b"Retry-After", b"2")])
        world.clock.advance(4)
        self.assertEqual((client.status, world.breaker.told), (504, ["cancelled"]))

    def test_a_target_that_had_only_the_rest_of_it_is_not_to_blame(self):
        world = World(targets=2, terms={"total": 10.0})
        client = world.forward()
        world.advance(9)
        world.attempt.fails(CONNECTION_LOST)
        world.advance(1)
        self.assertEqual((client.status, world.breakers[1].told), (504, ["cancelled"]))

    def test_nor_one_that_waited_for_the_client(self):
        world = World(terms={"total": 10.0})
        client = world.forward("PUT", chunked=True)
        world.advance(10)
        self.assertEqual((client.status, world.breaker.told), (504, ["cancelled"]))

    def test_no_further_attempt_is_made_after_it(self):
        world = World(targets=2, terms={"total": 10.0})
        client = world.forward()
        world.clock.advance(11)
        world.attempt.fails(CONNECTION_LOST)
        self.assertEqual((client.status, world.ended[0].attempts), (502, 1))


class DeadlineFieldTests(SynchronousTestCase):
    """The service is told how much time is left."""

    FIELD = DeadlineField(b"X-Time-Left")

    def sent(self, attempt):
        return [value for name, value in attempt.head[2] if name.lower() == b"x-time-left"]

    def world(self, **terms):
        return World(targets=2, terms={"deadline_field": self.FIELD, **terms})

    def test_it_is_the_time_of_an_attempt(self):
        world = self.world()
        world.forward("GET", "/", [(b"X-Time-Left", b"99999999")])
        self.assertEqual(self.sent(world.attempt), [b"30000"])

    def test_or_what_is_left_of_the_time_for_all(self):
        world = self.world(total=10.0)
        world.forward()
        world.advance(4)
        world.attempt.fails(CONNECTION_LOST)
        self.assertEqual((self.sent(world.attempt), self.sent(world.transports[1].last)), ([b"10000"], [b"6000"]))

    def test_a_trusted_proxy_may_shorten_it(self):
        world = self.world(total=10.0)
        for told, left in ((b"2500", b"2500"), (b"60000", b"10000"), (b"soon", b"10000")):
            exchange = world.exchange("GET", "/", [(b"X-Time-Left", told)])
            exchange.trusted = True
            world.service.forward(exchange, world.plan)
            self.assertEqual(self.sent(next(one.last for one in world.transports if one.attempts
                             and one.last.receiver.exchange is exchange)), [left])  # fmt: skip

    def test_when_that_is_over_so_is_the_exchange_and_nobody_is_to_blame(self):
        world = self.world()
        exchange = world.exchange("GET", "/", [(b"X-Time-Left", b"2500")])
        exchange.trusted = True
        world.service.forward(exchange, world.plan)
        world.advance(2.5)
        self.assertEqual((world.ended[0].status, world.breakers[0].told), (504, ["cancelled"]))

    def test_nobody_is_asked_when_there_is_no_time(self):
        world = self.world()
        exchange = world.exchange("GET", "/", [(b"X-Time-Left", b"0")])
        exchange.trusted = True
        world.service.forward(exchange, world.plan)
        self.assertEqual((world.ended[0].status, world.ended[0].attempts, world.service.in_flight), (504, 0, 0))


class RouteTests(SynchronousTestCase):
    def test_a_route_may_have_terms_of_its_own(self):
        world = World(targets=2)
        world.plan = type(world.plan)(via=False, terms=Terms(LIMITS, retries=0))
        client = world.forward()
        world.attempt.fails(CONNECT_FAILED)
        self.assertEqual((client.status, world.ended[0].attempts), (502, 1))

    def test_what_stands_in_for_a_service_has_its_own(self):
        world, spare = World(targets=1), World(targets=2)
        world.service.fallback = spare.service
        world.plan = type(world.plan)(via=False, terms=Terms(LIMITS, retries=0))
        client = world.forward()
        world.attempt.fails(CONNECT_FAILED)
        spare.attempt.fails(CONNECT_FAILED)
        spare.transports[1].last.answers(200)
        self.assertEqual(client.status, 200)


METHODS = ("GET", "PUT", "POST")
CAUSES = (CONNECT_FAILED, CONNECTION_LOST, CONNECT_TIMEOUT, BAD_RESPONSE)
HAPPENINGS = st.one_of(
    st.tuples(st.just("fails"), st.sampled_from(CAUSES)),
    st.tuples(st.just("answers"), st.sampled_from((200, 404, 429, 500, 503))),
    st.tuples(st.just("asks to wait"), st.integers(0, 6)),
    st.tuples(st.just("begins"), st.sampled_from((200, 503))),
    st.tuples(st.just("data"), st.just(0)),
    st.tuples(st.just("body"), st.integers(1, 6)),
    st.tuples(st.just("body end"), st.just(0)),
    st.tuples(st.just("time"), st.floats(0.01, 4.0)),
)


class Witness:
    """One exchange to which things happen, and what may never be: see `check`."""

    def __init__(self, targets, retries, total, replay, method, chunked, random):
        terms = {"statuses": BUSY, "total": total, "replay": replay, "after_timeout": True}
        self.world = World(targets, retries, waits=True, terms=terms, random=random)
        self.total, self.replay, self.method = total, replay, method
        self.made = []
        self.answered_at = None
        self.client = self.world.forward(method, chunked=chunked, body=b"" if chunked else b"abc")
        self.arrived = b"" if chunked else b"abc"
        self.is_open = chunked

    @property
    def attempts(self):
        return [one for way in self.world.transports for one in way.attempts]

    def step(self, what, number):
        for one in self.attempts:
            if not (one.is_over or one.is_cancelled):
                self.at(one, what, number)
                break
        if what == "body" and self.is_open and self.client.exchange:
            self.client.arrive(b"x" * number)
            self.arrived += b"x" * number
        elif what == "body end" and self.is_open and self.client.exchange:
            self.is_open = False
            self.client.arrive_end()
        elif what == "time":
            self.world.advance(number)
        self.check()

    def at(self, one, what, number):
        begun = getattr(one, "begun", False)
        if what == "fails" and number in ((CONNECTION_LOST, BAD_RESPONSE) if begun else CAUSES):
            one.fails(number)
        elif what == "answers" and not begun:
            one.answers(number)
        elif what == "asks to wait" and not begun:
            one.answers(503, [(b"Retry-After", b"%d" % number)])
        elif what == "begins" and not begun:
            one.begun = True
            one.begins(number)
        elif what == "data" and begun:
            one.sends(b"data")

    def check(self):
        known = {one for one, _ in self.made}
        for one in self.attempts:
            if one not in known:
                self.made.append((one, self.world.clock.seconds()))
                assert not self.client.status, "an attempt after the client had the beginning of an answer"
                assert self.made[-1][1] < self.total, "an attempt when there was no time left"
        sent = [b"".join(piece for piece in one.flushed if isinstance(piece, bytes)) for one, _ in self.made]
        for body in sent:
            assert self.arrived.startswith(body), "a body with a hole in it"
        if sum(map(bool, sent)) > 1:
            assert self.method != "POST", "the body of a request that may not be sent twice was"
            assert max(map(len, sent[:-1])) <= self.replay, "what was not kept was sent again"


class InvariantTests(SynchronousTestCase):
    @settings(deadline=None, max_examples=300)
    @given(
        st.integers(1, 3), st.integers(0, 4), st.sampled_from((2.0, 7.0, float("inf"))), st.sampled_from((0, 4, 64)),
        st.sampled_from(METHODS), st.booleans(), st.floats(0, 1, exclude_max=True), st.lists(HAPPENINGS, max_size=30),
    )  # fmt: skip
    def test_whatever_happens_no_rule_is_broken(
        self, targets, retries, total, replay, method, chunked, random, happenings
    ):
        witness = Witness(targets, retries, total, replay, method, chunked, lambda: random)
        witness.check()
        for what, number in happenings:
            witness.step(what, number)
        self.assertLessEqual(len(witness.made), retries + 1)
        if witness.client.exchange is None:
            world = witness.world
            self.assertEqual((world.service.in_flight, world.service.bulkhead.timed), (0, set()))
            self.assertEqual([target.in_flight for target in world.targets], [0] * targets)
            self.assertNotIn(None, [told for breaker in world.breakers for told in breaker.told])
            self.assertEqual(world.clock.getDelayedCalls(), [])

    @settings(deadline=None, max_examples=50)
    @given(st.integers(1, 3), st.lists(st.tuples(st.floats(0.25, 3.0), st.integers(0, 40)), max_size=30))
    def test_the_budget_of_a_service_is_never_exceeded(self, targets, bursts):
        world = World(targets, retries=3, waits=True, terms={"statuses": BUSY})
        begun, made = [], []
        for pause, number in bursts:
            world.advance(pause)
            now, before = world.clock.seconds(), world.service.counts.retries
            for _ in range(number):
                world.forward()
            for _ in range(4):
                for way in world.transports:
                    for one in way.attempts:
                        if not (one.is_over or one.is_cancelled):
                            one.answers(503)
            world.advance(0.25)
            begun.append((now, number))
            made.append((now, world.service.counts.retries - before))
            recent = now - 10.5
            earned = sum(count for at, count in begun if at > recent)
            self.assertLessEqual(sum(count for at, count in made if at > now - 8.5), 30 + 0.2 * earned)
