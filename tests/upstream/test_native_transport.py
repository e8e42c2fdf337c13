"""Who gets which connection of a native pool, who waits, and which connections are closed."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from apigateway.config.model import Pool
from apigateway.errors import CONNECT_FAILED, GatewayError
from apigateway.interfaces import ITransport
from apigateway.testing.receiver import RecordingReceiver
from apigateway.testing.steps import Answer, Close, Stall, Wait
from apigateway.upstream.native_transport import NativeTransport
from tests.upstream.native_world import WAIT_S, World, starting

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
LAST = OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n")


class _Transport(StringTransport):
    def setTcpNoDelay(self, enabled):
        pass

    @property
    def is_closed(self):
        return self.disconnecting or self.disconnected


class Bench:
    """A pool whose connections are made, answered and lost as a test says.

    `dials` are those under way; with `at_once` they end (True: well) while they begin. `connections` are those that are
    open, and have not been closed by the pool.
    """

    def __init__(self, at_once=None, **pool):
        self.now = 0.0
        self.at_once = at_once
        self.dials = []
        self.connections = []
        self.opened = 0
        self.options = Pool(**pool)
        self.pool = NativeTransport(self.options, self._dial, lambda: self.now, WAIT_S)

    def _dial(self, build, failed):
        self.dials.append((build, failed))
        if self.at_once is not None:
            self.end_dial(-1, self.at_once)

    def end_dial(self, number, well=True):
        build, failed = self.dials.pop(number)
        if not well:
            failed(GatewayError(CONNECT_FAILED))
            return
        connection = build()
        self.connections.append(connection)
        self.opened += 1
        connection.makeConnection(_Transport())

    def lease(self, fresh=False):
        receiver = starting()
        self.pool.lease(receiver, fresh)
        return receiver

    def tell_losses(self):
        """Tell the connections that the pool closed that they are."""
        closed = [one for one in self.connections if one.transport.is_closed]
        self.connections = [one for one in self.connections if one not in closed]
        for connection in closed:
            connection.connectionLost(Failure(ConnectionDone()))

    def lose(self, connection):
        self.connections.remove(connection)
        connection.connectionLost(Failure(ConnectionDone()))

    def used(self, count=1):
        """So many idle connections that have carried an exchange, the one that became idle first in front."""
        receivers = [self.lease() for _ in range(count)]
        while self.dials:
            self.end_dial(0)
        connections = [receiver.attempt for receiver in receivers]
        for connection in connections:
            self.now += 1
            connection.dataReceived(OK)
        return connections

    def sweep(self, seconds):
        self.now += seconds
        self.pool.sweep(self.now)

    def numbers(self, *names):
        statistics = self.pool.statistics()
        return tuple(statistics[name] for name in names)


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


OPERATIONS = (
    "lease", "lease", "lease", "lease fresh", "connect", "connect", "refuse", "answer", "answer", "answer and close",
    "lose", "stop waiting", "give up", "sweep", "at once", "close",
)  # fmt: skip


class Life:
    """A pool to which anything may happen; after each step it must be in order."""

    def __init__(self, case, connections, waiting):
        self.case = case
        self.bench = Bench(connections=connections, waiting=waiting, idle=5.0)
        self.receivers = []
        self.fresh = set()
        self.stopped = {}
        self.is_closed = False
        self.reused = 0

    def waiting(self):
        return [one for one in self.receivers if not (one.attempt or one.error or one in self.stopped)]

    def busy(self):
        return [
            one for one in self.receivers
            if one.attempt and not (one.is_ended or one.error or one in self.stopped)
        ]  # fmt: skip

    def idle(self):
        lent = [one.attempt for one in self.busy()]
        return [one for one in self.bench.connections if one not in lent]

    def lease(self, fresh):
        bench, idle = self.bench, self.idle()
        receiver = RecordingReceiver(lambda attempt: self.leased(receiver, attempt))
        self.receivers.append(receiver)
        if fresh:
            self.fresh.add(receiver)
        bench.pool.lease(receiver, fresh)
        if idle and not fresh:
            self.case.assertIs(receiver.attempt, max(idle, key=lambda one: one.idle_since))

    def leased(self, receiver, attempt):
        self.reused += attempt.reused
        self.case.assertFalse(attempt.reused and receiver in self.fresh)
        self.case.assertNotIn(receiver, self.stopped)
        attempt.start(b"GET", b"/", [], 0)

    def step(self, operation, number):
        def pick(choices):
            return choices[number % len(choices)]

        bench = self.bench
        bench.now += 0.01
        if operation.startswith("lease"):
            self.lease(operation == "lease fresh")
        elif operation in ("connect", "refuse") and bench.dials:
            bench.end_dial(number % len(bench.dials), operation == "connect")
        elif operation.startswith("answer") and self.busy():
            pick(self.busy()).attempt.dataReceived(OK if operation == "answer" else LAST)
        elif operation == "lose" and bench.connections:
            bench.lose(pick(bench.connections))
        elif operation == "stop waiting" and self.waiting():
            receiver = pick(self.waiting())
            self.stopped[receiver] = list(receiver.events)
            bench.pool.cancel(receiver)
        elif operation == "give up" and self.busy():
            receiver = pick(self.busy())
            self.stopped[receiver] = list(receiver.events)
            receiver.attempt.cancel()
        elif operation == "sweep":
            bench.sweep(number)
            self.case.assertFalse([one for one in self.idle() if one.idle_since <= bench.now - 5.0])
        elif operation == "at once":
            bench.at_once = pick((None, True, False))
        elif operation == "close" and number == 0:
            bench.pool.close()
            self.is_closed = True
        bench.tell_losses()
        self.check()

    def check(self):
        case, bench, options = self.case, self.bench, self.bench.options
        waiting, idle, dials = len(self.waiting()), len(self.idle()), len(bench.dials)
        case.assertLessEqual(len(bench.connections) + dials, options.connections)
        case.assertLessEqual(waiting - dials, options.waiting)
        case.assertEqual([one.events for one in self.stopped], list(self.stopped.values()))
        case.assertEqual(
            bench.pool.statistics(),
            {
                "open": len(bench.connections),
                "idle": idle,
                "waiting": waiting,
                "opened": bench.opened,
                "reused": self.reused,
            },
        )
        if waiting > dials and not self.is_closed:
            # Nobody waits in a line while there is something to be had.
            case.assertEqual((len(self.busy()) + dials, idle), (options.connections, 0))
        if self.is_closed:
            case.assertEqual(idle, 0)

    def come_to_rest(self):
        """Make and answer everything that is under way."""
        bench = self.bench
        bench.at_once = None
        while bench.dials or self.busy():
            self.step("connect", 0)
            self.step("answer", 0)


class LifeTests(SynchronousTestCase):
    @settings(deadline=None, max_examples=300)
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
