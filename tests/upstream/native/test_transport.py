"""Who gets which connection of a native pool, who waits, and which connections are closed."""

from __future__ import annotations

import socket

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from apigateway.interfaces import ITransport
from apigateway.testing.exchanges import exchange_for
from apigateway.testing.receiver import RecordingReceiver
from apigateway.testing.steps import Answer, Close, Stall, Wait
from apigateway.upstream.pool.crowding import CROWDED_RATE, PATIENCE_S
from apigateway.upstream.steps.time_limits import NEVER
from tests.upstream.native_bench import OK, Bench
from tests.upstream.native_life import OPERATIONS, Life
from tests.upstream.native_world import WAIT_S, World, starting


class LeaseTests(SynchronousTestCase):
    def test_it_is_a_transport(self):
        verifyObject(ITransport, Bench().pool)

    def test_a_connection_is_made_where_none_is_idle(self):
        bench = Bench()
        receiver = bench.lease()
        self.assertEqual((receiver.events, len(bench.dials)), ([], 1))
        bench.end_dial(0)
        self.assertEqual((receiver.events, receiver.attempt.reused), (["leased"], False))

    def test_an_idle_one_is_used_at_once(self):
        bench = Bench()
        (idle,) = bench.used()
        receiver = bench.lease()
        self.assertIs(receiver.attempt, idle)
        self.assertEqual((receiver.attempt.reused, bench.dials), (True, []))

    def test_of_several_the_one_that_became_idle_last(self):
        bench = Bench()
        first, second, third = bench.used(3)
        self.assertEqual([bench.lease().attempt for _ in range(3)], [third, second, first])

    def test_a_connection_that_cannot_be_made_is_told(self):
        bench = Bench()
        receiver = bench.lease()
        bench.end_dial(0, well=False)
        self.assertEqual((receiver.cause, bench.numbers("open", "waiting")), ("connect-failed", (0, 0)))

    def test_who_waits_for_a_new_connection_takes_one_that_becomes_idle_before(self):
        bench = Bench()
        first = bench.lease()
        bench.end_dial(0)
        second = bench.lease()
        first.attempt.dataReceived(OK)
        self.assertIs(second.attempt, first.attempt)
        bench.end_dial(0)
        self.assertEqual(bench.numbers("open", "idle"), (2, 1))

    def test_repr_tells_the_state(self):
        bench = Bench(connections=2)
        bench.used()
        bench.lease(), bench.lease()
        self.assertEqual(repr(bench.pool), "<NativeTransport open=1 idle=0 waiting=1 opened=1 reused=1>")


class FreshTests(SynchronousTestCase):
    def test_a_fresh_lease_passes_over_idle_connections(self):
        bench = Bench()
        bench.used()
        receiver = bench.lease(fresh=True)
        self.assertIsNone(receiver.attempt)
        bench.end_dial(0)
        self.assertEqual((receiver.attempt.reused, bench.numbers("open", "idle")), (False, (2, 1)))

    def test_it_does_not_get_one_that_is_released_while_it_waits(self):
        bench = Bench()
        (used,) = bench.used()
        busy = bench.lease()
        receiver = bench.lease(fresh=True)
        busy.attempt.dataReceived(OK)
        self.assertIsNone(receiver.attempt)
        self.assertEqual(bench.numbers("idle"), (1,))
        bench.end_dial(0)
        self.assertIsNot(receiver.attempt, used)

    def test_where_all_are_open_the_oldest_idle_one_makes_room(self):
        bench = Bench(connections=2)
        oldest, newest = bench.used(2)
        receiver = bench.lease(fresh=True)
        self.assertEqual((oldest.transport.is_closed, newest.transport.is_closed), (True, False))
        bench.end_dial(0)
        self.assertFalse(receiver.attempt.reused)

    def test_where_all_are_busy_the_first_to_be_released_makes_room(self):
        bench = Bench(connections=1)
        bench.used()
        busy = bench.lease()
        receiver = bench.lease(fresh=True)
        busy.attempt.dataReceived(OK)
        self.assertEqual((receiver.attempt, len(bench.dials)), (None, 1))
        bench.end_dial(0)
        self.assertFalse(receiver.attempt.reused)

    def test_it_keeps_nobody_behind_it_waiting(self):
        bench = Bench(connections=1)
        bench.used()
        busy = bench.lease()
        fresh, other = bench.lease(fresh=True), bench.lease()
        used = busy.attempt
        used.dataReceived(OK)
        self.assertEqual((fresh.attempt, other.attempt), (None, used))


class LineTests(SynchronousTestCase):
    def full(self, **pool):
        """A pool with its one connection busy."""
        bench = Bench(connections=1, **pool)
        busy = bench.lease()
        bench.end_dial(0)
        return bench, busy

    def test_no_more_connections_are_made_than_the_bound(self):
        bench = Bench(connections=2)
        for _ in range(5):
            bench.lease()
        self.assertEqual((len(bench.dials), bench.numbers("waiting")), (2, (5,)))

    def test_those_in_the_line_are_served_in_their_order(self):
        bench, busy = self.full()
        first, second = bench.lease(), bench.lease()
        connection = busy.attempt
        connection.dataReceived(OK)
        self.assertEqual((first.attempt, second.attempt), (connection, None))
        connection.dataReceived(OK)
        self.assertIs(second.attempt, connection)

    def test_a_line_that_is_full_takes_nobody(self):
        bench, _ = self.full(waiting=2)
        receivers = [bench.lease() for _ in range(3)]
        self.assertEqual([one.cause for one in receivers], [None, None, "pool-exhausted"])
        error = receivers[2].error
        self.assertEqual((error.detail, error.retry_after_s), ("All 1 connections to the service are busy.", 1))

    def test_those_whose_connection_is_being_made_do_not_fill_it(self):
        bench = Bench(connections=2, waiting=1)
        self.assertEqual([bench.lease().cause for _ in range(4)], [None, None, None, "pool-exhausted"])

    def test_who_waits_too_long_is_told(self):
        bench, busy = self.full()
        first = bench.lease()
        bench.sweep(1.0)
        second = bench.lease()
        bench.sweep(1.0)
        self.assertEqual((first.cause, second.cause), ("pool-exhausted", None))
        busy.attempt.dataReceived(OK)
        self.assertIsNotNone(second.attempt)

    def test_a_line_that_stands_takes_only_those_who_can_be_served_in_time(self):
        bench, busy = self.full(waiting=100)
        connection = busy.attempt
        receivers = [bench.lease() for _ in range(20)]
        for _ in range(3):
            bench.sweep(0.9)
            connection.dataReceived(OK)
            receivers.append(bench.lease())
        # The first twenty are gone, three were served in the last two seconds.
        last = [bench.lease() for _ in range(3)]
        self.assertEqual(bench.numbers("waiting"), (3,))
        self.assertEqual([one.cause for one in last], [None, "pool-exhausted", "pool-exhausted"])

    def test_who_waits_for_a_connection_that_is_being_made_is_left_to_the_dialers_own_limit(self):
        bench = Bench()
        receiver = bench.lease()
        bench.sweep(1000)
        self.assertIsNone(receiver.cause)

    def test_who_gave_up_is_passed_over(self):
        bench, busy = self.full()
        first, second = bench.lease(), bench.lease()
        bench.pool.cancel(first)
        connection = busy.attempt
        connection.dataReceived(OK)
        self.assertEqual((first.events, second.attempt), ([], connection))

    def test_who_gave_up_on_a_new_connection_leaves_it_to_others(self):
        bench = Bench()
        bench.pool.cancel(bench.lease())
        bench.end_dial(0)
        self.assertEqual(bench.numbers("open", "idle"), (1, 1))
        self.assertFalse(bench.lease(fresh=False).attempt.reused)

    def test_a_failure_that_was_for_one_who_gave_up_is_told_to_nobody(self):
        bench = Bench(connections=2)
        bench.pool.cancel(bench.lease())
        other = bench.lease()
        bench.end_dial(0, well=False)
        self.assertIsNone(other.cause)
        bench.end_dial(0)
        self.assertIsNotNone(other.attempt)

    def test_giving_up_twice_or_after_the_lease_changes_nothing(self):
        bench = Bench()
        receiver = bench.lease()
        bench.end_dial(0)
        bench.pool.cancel(receiver)
        self.assertEqual(bench.numbers("open", "idle", "waiting"), (1, 0, 0))

    def test_when_a_connection_ends_the_next_in_the_line_gets_a_new_one(self):
        for ending in (lambda bench, busy: bench.lose(busy), lambda bench, busy: busy.cancel()):
            bench, busy = self.full()
            waiting = bench.lease()
            ending(bench, busy.attempt)
            self.assertEqual(len(bench.dials), 1)
            bench.end_dial(0)
            self.assertIsNotNone(waiting.attempt)

    def test_each_failure_is_told_to_one_and_the_next_gets_another_try(self):
        bench = Bench(connections=1)
        first, second = bench.lease(), bench.lease()
        bench.end_dial(0, well=False)
        self.assertEqual((first.cause, second.cause, len(bench.dials)), ("connect-failed", None, 1))
        bench.end_dial(0)
        self.assertIsNotNone(second.attempt)

    def test_a_long_line_is_told_when_no_connection_can_be_made_any_more(self):
        bench, busy = self.full(waiting=3000)
        waiting = [bench.lease() for _ in range(3000)]
        bench.at_once = False
        busy.attempt.cancel()
        self.assertEqual({one.cause for one in waiting}, {"connect-failed"})
        self.assertEqual(bench.numbers("open", "waiting"), (0, 0))

    def test_a_receiver_may_end_the_waiting_of_another_when_its_time_is_up(self):
        bench, _ = self.full()
        second = RecordingReceiver()
        first = RecordingReceiver()
        told = first.failed

        def failed(error):
            told(error)
            bench.pool.cancel(second)

        first.failed = failed
        bench.pool.lease(first)
        bench.pool.lease(second)
        bench.sweep(WAIT_S)
        self.assertEqual((first.cause, second.cause), ("pool-exhausted", None))


class UpkeepTests(SynchronousTestCase):
    def test_what_has_been_idle_too_long_is_closed(self):
        bench = Bench(idle=30.0)
        old, new = bench.used(2)
        bench.sweep(29.0)
        self.assertEqual((old.transport.is_closed, new.transport.is_closed), (True, False))
        self.assertEqual(bench.numbers("open", "idle"), (1, 1))
        self.assertIs(bench.lease().attempt, new)

    def test_a_busy_connection_is_not_closed_however_long_it_takes(self):
        bench = Bench(idle=30.0)
        receiver = bench.lease()
        bench.end_dial(0)
        bench.sweep(1000)
        self.assertFalse(receiver.attempt.transport.is_closed)

    def test_an_idle_connection_that_the_service_closes_is_not_used(self):
        world = World()
        world.service.script(Answer(), Wait(1), Close())
        world.ask()
        self.assertEqual(world.numbers("open", "idle"), (1, 1))
        world.network.advance(1)
        self.assertEqual(world.numbers("open", "idle"), (0, 0))
        receiver = world.ask()
        self.assertEqual((receiver.status, receiver.attempt.reused), (200, False))

    def test_closing_ends_idle_connections_now_and_others_after_their_attempt(self):
        bench = Bench()
        idle, later = bench.used(2)
        busy = bench.lease()
        self.assertIs(busy.attempt, later)
        bench.pool.close()
        self.assertEqual((idle.transport.is_closed, later.transport.is_closed), (True, False))
        later.dataReceived(OK)
        self.assertEqual((busy.is_ended, later.transport.is_closed, bench.numbers("open")), (True, True, (0,)))

    def test_a_closed_pool_still_serves_who_comes_late_and_keeps_nothing(self):
        bench = Bench()
        bench.pool.close()
        receiver = bench.lease()
        bench.end_dial(0)
        receiver.attempt.dataReceived(OK)
        self.assertTrue(receiver.is_ended)
        self.assertEqual(bench.numbers("open", "idle"), (0, 0))

    def test_a_connection_that_is_made_for_nobody_after_that_is_closed(self):
        bench = Bench()
        receiver = bench.lease()
        bench.pool.close()
        bench.pool.cancel(receiver)
        bench.end_dial(0)
        self.assertTrue(bench.connections[0].transport.is_closed)
        self.assertEqual(bench.numbers("open", "idle"), (0, 0))


class NetworkTests(SynchronousTestCase):
    def test_the_numbers_add_up(self):
        world = World(connections=2)
        world.service.answers(body=b"ok")
        for _ in range(3):
            world.ask()
        world.service.does(Stall())
        for _ in range(3):
            world.ask()
        self.assertEqual(world.transport.statistics(), {"open": 2, "idle": 0, "waiting": 1, "opened": 2, "reused": 3})

    def test_a_service_that_is_gone_is_told_to_everyone_who_waits(self):
        world = World(connections=1)
        world.listener.stopListening()
        receivers = [starting() for _ in range(3)]
        for receiver in receivers:
            world.transport.lease(receiver)
        world.network.pump()
        self.assertEqual([one.cause for one in receivers], ["connect-failed"] * 3)


class UnreadTests(SynchronousTestCase):
    """What has arrived before a request is sent is no answer to it."""

    def setUp(self):
        self.bench = Bench(connections=1, waiting=1)
        self.bench.handle, self.theirs = self.pair()

    def pair(self):
        pair = socket.socketpair()
        for one in pair:
            self.addCleanup(one.close)
        return pair

    def used(self):
        self.bench.used()
        (connection,) = self.bench.connections
        self.bench.handle = None
        return connection

    def is_replaced(self, connection):
        receiver = self.bench.lease()
        self.assertEqual((receiver.attempt, connection.transport.disconnected, len(self.bench.dials)), (None, True, 1))
        self.bench.end_dial(0)
        self.assertEqual((receiver.attempt.exchanges, self.bench.numbers("open", "reused")), (1, (1, 0)))

    def test_a_connection_on_which_something_waits_is_cut_when_its_turn_comes(self):
        connection = self.used()
        self.theirs.send(OK)
        self.is_replaced(connection)

    def test_one_that_has_ended_is_cut_too(self):
        connection = self.used()
        self.theirs.close()
        self.is_replaced(connection)

    def test_one_on_which_nothing_waits_is_used(self):
        connection = self.used()
        self.assertIs(self.bench.lease().attempt, connection)

    def test_the_next_one_is_looked_at_as_well(self):
        bench = Bench(connections=3)
        ends = []
        for _ in range(3):
            bench.handle, theirs = self.pair()
            ends.append(theirs)
            bench.pool.lease(starting())
            bench.end_dial(0)
        for connection in list(bench.connections):
            connection.dataReceived(OK)
        ends[2].send(OK)
        ends[1].send(OK)
        self.assertIs(bench.lease().attempt, bench.connections[0])
        self.assertEqual((bench.numbers("open", "idle"), bench.dials), ((1, 0), []))

    def test_nobody_in_the_line_gets_what_waits(self):
        for length in (0, 1):
            self.bench = Bench(connections=1, waiting=1)
            self.bench.handle, self.theirs = self.pair()
            first = starting(b"POST", length=length)
            self.bench.pool.lease(first)
            self.bench.end_dial(0)
            (connection,), self.bench.handle = self.bench.connections, None
            second = self.bench.lease()
            if length:
                first.attempt.body(b"a")
                first.attempt.body_end([])
            self.theirs.send(OK)
            connection.dataReceived(OK)
            self.assertEqual((first.is_ended, second.attempt), (True, None))
            self.bench.tell_losses()
            self.bench.end_dial(0)
            self.assertEqual(second.attempt.exchanges, 1)

    def test_a_service_that_talks_before_it_is_asked_fails_one_who_waits_and_gets_no_request(self):
        self.bench = Bench(connections=2, waiting=2)
        first, second = self.bench.lease(), self.bench.lease()
        self.bench.handle, theirs = self.pair()
        theirs.send(OK)
        self.bench.end_dial(0)
        (connection,) = self.bench.connections
        self.assertEqual((first.cause, second.cause, first.attempt), ("bad-response", None, None))
        self.assertEqual((connection.transport.disconnected, connection.transport.value()), (True, b""))
        self.assertEqual((len(self.bench.dials), self.bench.numbers("open", "waiting")), (1, (0, 1)))

    def test_one_that_closes_instead_is_lent_and_its_end_told_by_the_connection(self):
        receiver = self.bench.lease()
        self.theirs.close()
        self.bench.end_dial(0)
        self.assertIs(receiver.attempt, self.bench.connections[0])


class LifeTests(SynchronousTestCase):
    @settings(deadline=None, max_examples=1000)
    @given(
        st.integers(1, 3),
        st.integers(0, 3),
        st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 6)), max_size=60),
    )
    def test_whatever_happens_it_keeps_its_bounds_and_loses_nobody(self, connections, waiting, steps):
        life = Life(self, connections, waiting)
        for operation, number in steps:
            life.step(operation, number)
        life.come_to_rest()
        if not life.is_closed:
            self.assertEqual(life.waiting(), [])


class SiegeTests(SynchronousTestCase):
    """A pool of four whose connections uploads hold that hardly move."""

    def besieged(self, count=4):
        """The pool when they are known to be slow, and their receivers."""
        bench = Bench(at_once=True, connections=4)
        uploads = [self.upload(bench) for _ in range(count)]
        bench.sweep(0)
        bench.sweep(PATIENCE_S)
        return bench, uploads

    def upload(self, bench, client="203.0.113.66"):
        receiver = starting(b"PUT", length=1000)
        receiver.exchange = exchange_for("PUT", body=b"x" * 1000, client=client)
        receiver.exchange.downstream.is_whole = False
        receiver.deadline = NEVER
        bench.pool.lease(receiver)
        return receiver

    def made_room(self, uploads):
        return [one.stopped.cause.code for one in uploads if one.stopped]

    def test_a_request_that_is_all_here_gets_the_place_of_one_at_once(self):
        bench, uploads = self.besieged()
        get = bench.lease()
        self.assertEqual((get.attempt.reused, self.made_room(uploads)), (False, ["client-too-slow"]))
        self.assertEqual(bench.numbers("open", "waiting"), (4, 0))

    def test_while_its_connection_is_being_made_nobody_else_makes_room_for_it(self):
        bench, uploads = self.besieged()
        bench.at_once = None
        get = bench.lease()
        bench.sweep(0.25)
        self.assertEqual((len(self.made_room(uploads)), len(bench.dials)), (1, 1))
        bench.end_dial(0)
        self.assertEqual(get.events, ["leased"])

    def test_its_connection_is_kept_for_others_like_it_when_it_is_done(self):
        bench, _ = self.besieged()
        get = bench.lease()
        connection = get.attempt
        late = self.upload(bench)
        connection.dataReceived(OK)
        self.assertEqual((late.events, bench.numbers("idle", "waiting")), ([], (1, 1)))
        self.assertIs(bench.lease().attempt, connection)

    def test_those_in_the_line_when_it_is_known_get_places_too(self):
        bench = Bench(at_once=True, connections=4)
        uploads = [self.upload(bench) for _ in range(4)]
        late, get = self.upload(bench, "203.0.113.9"), bench.lease()
        bench.sweep(0)
        self.assertEqual((late.events, get.events), ([], []))
        bench.sweep(PATIENCE_S)
        self.assertEqual((late.events, get.events), (["leased"], ["leased"]))
        self.assertEqual((len(self.made_room(uploads)), bench.numbers("open", "idle", "waiting")), (2, (4, 0, 0)))

    def test_an_upload_gets_a_connection_where_more_are_left_than_are_kept(self):
        bench, uploads = self.besieged()
        for _ in range(2):
            bench.lease().attempt.dataReceived(OK)
        bench.lease().attempt.dataReceived(OK)
        for upload in uploads:
            if not upload.stopped:
                upload.attempt.cancel()
        bench.sweep(0.25)
        late = self.upload(bench)
        self.assertTrue(late.attempt.reused)

    def test_those_that_move_stay_and_the_others_wait_in_line(self):
        bench = Bench(at_once=True, connections=4)
        uploads = [self.upload(bench) for _ in range(4)]
        get = bench.lease()
        for _ in range(8):
            bench.sweep(0.25)
            for upload in uploads:
                upload.exchange.bytes_in += CROWDED_RATE // 4
        self.assertEqual((self.made_room(uploads), get.cause), ([], "pool-exhausted"))

    def test_where_connections_are_left_nobody_is_touched(self):
        bench, uploads = self.besieged(3)
        bench.sweep(60)
        self.assertEqual((bench.lease().events, self.made_room(uploads)), (["leased"], []))

    def test_room_is_made_for_one_that_has_no_place_at_the_service(self):
        bench, uploads = self.besieged()
        self.assertTrue(bench.pool.make_room(starting()))
        self.assertEqual(len(self.made_room(uploads)), 1)
        self.assertFalse(Bench().pool.make_room(starting()))
