"""Hedged exchanges: when a second target is asked, who wins, and what the accounts then say."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from apigateway.errors import BAD_RESPONSE, CONNECTION_LOST
from apigateway.http.answers import Answer
from apigateway.interfaces import IUpstream
from apigateway.upstream.pool.crowding import TOO_SLOW
from apigateway.upstream.steps.head_times import FEWEST, HeadTimes
from apigateway.upstream.steps.hedge import Hedge, may_hedge
from apigateway.upstream.steps.plan import ForwardPlan
from apigateway.upstream.steps.terms import Hedging
from tests.upstream.forward_world import World

AFTER_S = 0.2


def hedged(targets=2, **options):
    terms = {"hedging": Hedging(after_s=AFTER_S), **options.pop("terms", {})}
    return World(targets, waits=True, terms=terms, **options)


class Hedged(SynchronousTestCase):
    def setUp(self):
        self.world = hedged()

    @property
    def first(self):
        return self.world.transports[0].last

    @property
    def second(self):
        return self.world.transports[1].last

    def late(self, world=None, *args, **kwargs):
        """An exchange whose first attempt takes long."""
        client = (world or self.world).forward(*args, **kwargs)
        (world or self.world).advance(AFTER_S)
        return client

    def told(self, world=None):
        return [breaker.told for breaker in (world or self.world).breakers]

    def assert_nothing_is_left(self, world=None):
        world = world or self.world
        self.assertEqual((world.service.active, world.service.everyone), (set(), set()))
        self.assertEqual([target.in_flight for target in world.targets], [0] * len(world.targets))
        self.assertEqual(world.clock.getDelayedCalls(), [])
        self.assertNotIn(None, [told for breaker in world.breakers for told in breaker.told])


class WhenTests(Hedged):
    def test_while_the_first_is_quick_nobody_else_is_asked(self):
        client = self.world.forward()
        self.world.advance(0.1)
        self.first.answers(200, body=b"quick")
        self.assertEqual((client.status, client.body, self.world.transports[1].attempts), (200, b"quick", []))
        self.assertEqual((self.world.ended[0].attempts, self.world.ended[0].hedged), (1, False))
        self.assert_nothing_is_left()

    def test_when_it_takes_long_another_is(self):
        self.late()
        self.assertEqual((len(self.first.flushed), len(self.second.flushed)), (1, 1))
        self.assertEqual(self.world.service.counts.describe(),
                         {"retries": 0, "refused": 0, "hedges": 1, "hedges_won": 0})  # fmt: skip

    def test_what_long_is_the_service_itself_has_shown(self):
        world = hedged(terms={"hedging": Hedging(heads=HeadTimes())})
        for _ in range(FEWEST):
            world.forward()
            world.advance(0.1)
            (one,) = [way.last for way in world.transports if way.attempts and not way.last.is_over]
            one.answers(200)
        self.assertEqual(world.service.counts.hedges, 0)
        world.forward()
        world.advance(0.095)
        self.assertEqual(world.service.counts.hedges, 0)
        world.advance(0.015)
        self.assertEqual(world.service.counts.hedges, 1)

    def test_one_whose_answer_has_begun_is_not_late(self):
        client = self.world.forward()
        self.first.begins(200)
        self.world.advance(1)
        self.first.sends(b"slow")
        self.assertEqual((client.body, self.world.transports[1].attempts), (b"slow", []))

    def test_only_idempotent_requests_without_a_body_that_stay_with_their_protocol(self):
        for args, kwargs in (
            (("POST",), {}),
            (("PUT",), {"body": b"1"}),
            (("PUT",), {"chunked": True}),
            (("GET", "/", [(b"Connection", b"upgrade"), (b"Upgrade", b"websocket")]), {}),
        ):
            exchange = self.world.exchange(*args, **kwargs)
            self.assertFalse(may_hedge(exchange))
        self.assertTrue(may_hedge(self.world.exchange("DELETE")))
        self.late(None, "POST")
        self.assertEqual(self.world.service.counts.hedges, 0)

    def test_where_there_is_no_other_target_nobody_is_asked(self):
        for world in (hedged(targets=1), hedged()):
            if len(world.targets) > 1:
                world.breakers[1].is_open = True
            client = self.late(world)
            self.assertEqual((world.service.counts.hedges, world.service.counts.refused), (0, 0))
            world.transports[0].last.answers(200)
            self.assertEqual(client.status, 200)
            self.assert_nothing_is_left(world)

    def test_nor_where_the_budget_is_used_up(self):
        while self.world.budget.withdraw(0.0):
            pass
        self.late()
        self.assertEqual((self.world.service.counts.hedges, self.world.service.counts.refused), (0, 1))
        self.assertEqual(self.told()[1], ["cancelled"])

    def test_nor_where_the_service_has_all_the_work_it_may_have(self):
        world = hedged(max_in_flight=1)
        self.late(world)
        self.assertEqual((world.service.counts.hedges, world.service.bulkhead.spell.refused), (0, 0))

    def test_an_attempt_that_was_repeated_already_is_not_hedged(self):
        self.world = hedged(targets=3)
        self.world.forward()
        self.first.fails(CONNECTION_LOST)
        self.world.advance(AFTER_S)
        self.assertEqual((self.world.service.counts.retries, self.world.service.counts.hedges), (1, 0))


class WhoWinsTests(Hedged):
    def test_the_second_if_it_is_faster_and_the_first_is_cut(self):
        client = self.late()
        self.second.answers(200, [(b"A", b"1")], b"fast")
        self.assertEqual((client.status, client.body, client.get(b"a")), (200, b"fast", b"1"))
        self.assertTrue(self.first.is_cancelled)
        self.assertEqual(self.told(), [["cancelled"], ["success"]])
        self.assertEqual(self.world.service.counts.hedges_won, 1)
        (exchange,) = self.world.ended
        self.assertEqual((exchange.attempts, exchange.hedged, exchange.target), (2, True, "http://t1"))
        self.assertEqual((exchange.status, exchange.bytes_out, exchange.cause), (200, 4, None))
        self.assertEqual((exchange.sent, exchange.answered), (AFTER_S, AFTER_S))
        self.assert_nothing_is_left()

    def test_or_the_first_after_all(self):
        client = self.late()
        self.first.receiver.whole(200, b"OK", b"", b"first")
        self.assertEqual((client.body, self.second.is_cancelled), (b"first", True))
        self.assertEqual(self.told(), [["success"], ["cancelled"]])
        self.assertEqual((self.world.service.counts.hedges_won, self.world.ended[0].attempts), (0, 2))
        self.assert_nothing_is_left()

    def test_a_long_answer_goes_on_as_any_other(self):
        client = self.late()
        self.second.begins(200)
        client.read_slowly()
        self.assertTrue(self.second.is_paused)
        client.read_again()
        self.second.sends(b"some")
        self.assertEqual((client.body, self.second.is_paused), (b"some", False))
        self.second.ends([(b"T", b"1")])
        self.assertEqual((client.trailers, self.world.ended[0].bytes_out), ([(b"T", b"1")], 4))
        self.assert_nothing_is_left()

    def test_one_that_breaks_off_is_cut_for_the_client_too(self):
        client = self.late()
        self.second.begins(200)
        self.second.fails(CONNECTION_LOST)
        self.assertEqual((client.is_aborted, self.world.ended[0].cause), (True, CONNECTION_LOST))
        self.assertEqual(self.told(), [["cancelled"], ["failure: connection-lost"]])

    def test_a_client_that_leaves_in_the_middle_of_it_is_missed(self):
        client = self.late()
        self.second.begins(200)
        client.leave()
        self.assertTrue(self.second.is_cancelled)
        self.assert_nothing_is_left()

    def test_a_failure_waits_for_the_other(self):
        client = self.late()
        self.first.fails(BAD_RESPONSE)
        self.assertEqual(client.status, 0)
        self.second.answers(200, body=b"fine")
        self.assertEqual((client.body, self.world.ended[0].cause), (b"fine", None))
        self.assertEqual(self.told(), [["failure: bad-response"], ["success"]])
        self.assert_nothing_is_left()

    def test_and_is_not_retried_as_the_other_is_a_retry(self):
        world = hedged(targets=3)
        self.late(world)
        world.transports[0].last.fails(CONNECTION_LOST)
        self.assertEqual((len(world.transports[2].attempts), world.service.counts.retries), (0, 0))

    def test_when_both_fail_the_client_learns_why(self):
        client = self.late()
        self.first.fails(CONNECTION_LOST)
        self.second.fails(BAD_RESPONSE)
        self.assertEqual((client.status, self.world.ended[0].cause), (502, CONNECTION_LOST))
        self.assertEqual((self.world.ended[0].attempts, self.world.service.counts.hedges_won), (2, 0))
        self.assert_nothing_is_left()

    def test_a_bad_answer_waits_too(self):
        client = self.late()
        self.first.answers(500, body=b"broken")
        self.assertEqual(client.status, 0)
        self.second.answers(404, body=b"not here")
        self.assertEqual((client.status, client.body), (404, b"not here"))
        self.assertEqual(self.told(), [["failure: status 500"], ["success"]])
        self.assert_nothing_is_left()

    def test_and_is_passed_on_where_the_other_is_no_better(self):
        client = self.late()
        self.first.begins(500)
        self.assertTrue(self.first.is_paused)
        self.second.fails(BAD_RESPONSE)
        self.assertEqual((client.status, self.first.is_paused), (500, False))
        self.first.sends(b"broken")
        self.first.ends()
        self.assertEqual((client.body, client.is_finished, self.world.ended[0].cause), (b"broken", True, None))
        self.assert_nothing_is_left()

    def test_a_fallback_answers_only_where_both_have_failed(self):
        self.world.service.fallback = Answer(200, [], b"later")
        client = self.late()
        self.first.fails(BAD_RESPONSE)
        self.assertEqual(client.status, 0)
        self.second.answers(200, body=b"fine")
        self.assertEqual((client.body, client.get(b"x-gateway-fallback")), (b"fine", None))
        client = self.late()
        one, other = (way.last for way in self.world.transports)
        one.fails(BAD_RESPONSE)
        other.fails(BAD_RESPONSE)
        self.assertEqual((client.body, client.get(b"x-gateway-fallback")), (b"later", b"static"))
        self.assertEqual((self.world.ended[1].fallback, self.world.ended[1].cause), (True, BAD_RESPONSE))

    def test_another_service_as_fallback_answers_for_both(self):
        spare = World()
        self.world.service.fallback = spare.service
        client = self.late()
        self.first.fails(BAD_RESPONSE)
        self.second.fails(BAD_RESPONSE)
        for attempt in spare.transport.attempts:
            if not attempt.is_cancelled:
                attempt.answers(200, body=b"spare")
        self.assertEqual((client.body, spare.service.in_flight), (b"spare", 0))
        self.assert_nothing_is_left()

    def test_policies_on_answers_concern_the_one_that_wins(self):
        def mark(exchange, head):
            exchange.extra.append((b"X-From", exchange.target.encode()))

        self.world.plan = ForwardPlan(via=False, on_response=(mark,))
        client = self.late()
        self.first.answers(500)
        self.second.answers(200)
        self.assertEqual([value for name, value in client.fields if name == b"X-From"], [b"http://t1"])


class OthersTests(Hedged):
    def test_it_is_the_upstream_of_its_exchange_until_one_has_won(self):
        client = self.world.forward()
        hedge = client.exchange.upstream
        verifyObject(IUpstream, hedge)
        self.assertEqual(repr(hedge), "<Hedge shop attempts=1>")
        self.first.begins(200)
        self.assertNotIsInstance(client.exchange.upstream, Hedge)

    def test_a_client_that_leaves_ends_both(self):
        client = self.late()
        client.leave()
        self.assertEqual((self.first.is_cancelled, self.second.is_cancelled), (True, True))
        self.assertEqual(self.told(), [["cancelled"], ["cancelled"]])
        (exchange,) = self.world.ended
        self.assertEqual((exchange.attempts, exchange.target, exchange.hedged), (2, "http://t0", True))
        self.assert_nothing_is_left()

    def test_one_that_leaves_early_ends_the_waiting_too(self):
        self.world.forward().leave()
        self.assert_nothing_is_left()

    def test_a_service_that_is_to_finish_what_it_was_asked_finishes_the_first(self):
        world = hedged(finish_abandoned=True)
        client = self.late(world)
        client.leave()
        self.assertEqual([way.last.is_cancelled for way in world.transports], [False, True])
        world.transports[0].last.answers(200)
        self.assertEqual(self.told(world), [["success"], ["cancelled"]])
        self.assert_nothing_is_left(world)

    def test_a_client_that_reads_slowly_holds_both(self):
        client = self.late()
        client.read_slowly()
        self.assertEqual((self.first.is_paused, self.second.is_paused), (True, True))
        client.read_again()
        self.assertEqual((self.first.is_paused, self.second.is_paused), (False, False))

    def test_time_limits_hold_for_each(self):
        client = self.late()
        self.world.advance(30 - AFTER_S)
        self.assertEqual((client.status, self.first.is_cancelled), (0, True))
        self.world.advance(AFTER_S)
        self.assertEqual((client.status, self.world.ended[0].cause.code), (504, "response-timeout"))
        self.assert_nothing_is_left()

    def test_so_does_the_time_for_all(self):
        world = hedged(terms={"total": 5.0})
        client = self.late(world)
        world.advance(5)
        self.assertEqual((client.status, world.ended[0].cause.code), (504, "total-timeout"))
        self.assertEqual(world.service.bulkhead.timed, set())
        self.assert_nothing_is_left(world)

    def test_one_that_makes_room_leaves_the_race(self):
        client = self.late()
        self.first.receiver.stop(TOO_SLOW)
        self.second.answers(200)
        self.assertEqual((client.status, self.world.ended[0].cause), (200, None))
        self.assert_nothing_is_left()

    def test_interim_answers_of_the_winner_are_passed_on(self):
        client = self.late()
        self.first.receiver.informational(103, [(b"Link", b"</a>")])
        self.second.receiver.informational(103, [(b"Link", b"</b>")])
        self.second.answers(200)
        self.assertEqual(client.interim, [(103, [(b"Link", b"</b>")])])

    def test_a_service_that_refuses_does_so_at_once(self):
        for breaker in self.world.breakers:
            breaker.is_open = True
        client = self.world.forward()
        self.assertEqual((client.status, self.world.ended[0].cause.code), (503, "breaker-open"))
        self.assert_nothing_is_left()

    def test_of_what_fails_unforeseen_at_the_very_beginning_nothing_is_left(self):
        self.patch(self.world.transport, "lease", None)
        self.patch(self.world.transport, "cancel", lambda receiver: None)
        self.assertRaises(TypeError, self.world.forward)
        self.assert_nothing_is_left()


EVENTS = ("time", "lend", "refuse", "begin", "answer", "data", "end", "fail", "leave", "slow", "again")


class InvariantTests(SynchronousTestCase):
    @settings(deadline=None, max_examples=300)
    @given(
        st.integers(1, 3), st.booleans(), st.integers(0, 2),
        st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(0, 5)), max_size=25),
    )  # fmt: skip
    def test_whatever_happens_there_is_one_answer_and_every_account_is_settled(
        self, targets, abandoned, fallback, events
    ):
        spare = World()
        world = hedged(targets, finish_abandoned=abandoned, lends=False)
        world.service.fallback = (None, Answer(200, [], b"later"), spare.service)[fallback]
        client = world.forward()
        for event, number in (*events, *[("lend", 0), ("lend", 0), ("answer", 0), ("end", 0)] * 4, ("leave", 0)):
            self.step(world, spare, client, event, number)
        self.assertEqual(len(world.ended), 1)
        for one in (world, spare):
            self.assertEqual((one.service.active, [target.in_flight for target in one.targets]),
                             (set(), [0] * len(one.targets)))  # fmt: skip
            self.assertNotIn(None, [told for breaker in one.breakers for told in breaker.told])
        self.assertEqual(world.clock.getDelayedCalls(), [])
        self.assertLessEqual(world.service.counts.hedges_won, world.service.counts.hedges)

    def step(self, world, spare, client, event, number):
        transports = [*world.transports, *spare.transports]
        waiting = [way for way in transports if way.waiting]
        running = [one for way in transports for one in way.attempts if not (one.is_over or one.is_cancelled)]
        one = running[number % len(running)] if running else None
        begun = getattr(one, "begun", False)
        if event == "time":
            world.advance((0.1, 0.2, 1, 10, 30, 60)[number])
        elif event == "lend" and waiting:
            waiting[number % len(waiting)].lend()
        elif event == "refuse" and waiting:
            waiting[number % len(waiting)].refuse(CONNECTION_LOST)
        elif event == "begin" and one and not begun:
            one.begun = True
            one.begins((200, 404, 500, 503, 204, 502)[number])
        elif event == "answer" and one and not begun:
            one.answers((200, 404, 500, 503, 204, 502)[number], body=b"all")
        elif event == "data" and begun:
            one.sends(b"data")
        elif event == "end" and begun:
            one.ends()
        elif event == "fail" and one:
            one.fails((CONNECTION_LOST, BAD_RESPONSE)[number % 2])
        elif event == "leave" and client.exchange:
            client.leave()
        elif event == "slow" and client.exchange:
            client.read_slowly()
        elif event == "again" and client.exchange:
            client.read_again()
