"""Who is known to be slow, who is doubted, and who makes room first."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.testing.exchanges import exchange_for
from apigateway.testing.receiver import RecordingReceiver
from apigateway.upstream.pool.crowding import (
    CROWDED_RATE,
    KEPT_SHARE,
    MOST_SUSPECTS,
    NEVER,
    PATIENCE_S,
    SIEGE_S,
    Crowd,
)

LOOK_S = 0.25


class Attempt:
    """An attempt whose client is the one to hurry, unless the test says otherwise."""

    def __init__(self, client="203.0.113.7", is_awaited=True, is_whole=True):
        self.receiver = RecordingReceiver(exchange=exchange_for("PUT", body=b"x", client=client))
        self.receiver.exchange.downstream.is_whole = is_whole
        self.receiver.deadline = NEVER if is_awaited else 60.0

    def sends(self, size):
        self.receiver.exchange.bytes_in += size

    def takes(self, size, untaken=0):
        """The client was given so much, and has not taken so much of all that it was given."""
        self.receiver.exchange.bytes_out += size
        self.receiver.exchange.downstream.untaken = untaken


class Scene:
    """A pool of so many connections, and time that passes."""

    def __init__(self, connections=8):
        self.crowd = Crowd(connections)
        self.connections = connections
        self.now = 50.0
        self.attempts = []

    def has(self, count=1, **how):
        made = [Attempt(**how) for _ in range(count)]
        self.attempts += made
        return made

    def look(self):
        self.crowd.look(self.attempts, len(self.attempts), self.now)

    def pass_time(self, seconds, a_second=None):
        """Let time pass, and let attempts (a dict) send so many bytes in each second of it."""
        self.look()
        for _ in range(round(seconds / LOOK_S)):
            self.now += LOOK_S
            for attempt, rate in (a_second or {}).items():
                attempt.sends(int(rate * LOOK_S))
            self.look()

    def room(self):
        """Whoever makes room, in their order."""
        found = []
        while (receiver := self.crowd.slowest(self.now)) is not None:
            found.append(next(one for one in self.attempts if one.receiver is receiver))
        return found


class SlowTests(SynchronousTestCase):
    def test_who_moves_less_than_the_rate_makes_room_the_slowest_first(self):
        scene = Scene()
        fast, slow, still, *_ = scene.has(8)
        others = dict.fromkeys(scene.attempts, CROWDED_RATE)
        scene.pass_time(PATIENCE_S, {**others, slow: CROWDED_RATE - 400, still: 0, fast: 10 * CROWDED_RATE})
        self.assertEqual(scene.room(), [still, slow])

    def test_not_before_it_has_been_seen_for_long_enough(self):
        scene = Scene()
        scene.has(8)
        scene.pass_time(PATIENCE_S - LOOK_S)
        self.assertEqual(scene.room(), [])
        scene.pass_time(LOOK_S)
        self.assertEqual(len(scene.room()), 8)

    def test_nobody_is_looked_at_while_there_is_room(self):
        scene = Scene()
        scene.has(6)
        scene.pass_time(5)
        self.assertEqual((scene.room(), scene.crowd.is_besieged), ([], False))

    def test_who_waits_for_the_service_is_never_slow(self):
        scene = Scene()
        scene.has(8, is_awaited=False)
        scene.pass_time(5)
        self.assertEqual(scene.room(), [])

    def test_nor_who_waited_for_it_in_between(self):
        scene = Scene()
        (one, *_) = scene.has(8, is_awaited=False)
        for _ in range(5):
            one.receiver.deadline = NEVER
            scene.pass_time(PATIENCE_S / 2)
            one.receiver.deadline = 60.0
            scene.pass_time(LOOK_S)
        one.receiver.deadline = NEVER
        self.assertEqual(scene.room(), [])

    def test_what_a_reader_has_taken_counts_not_what_waits_for_it(self):
        scene = Scene()
        steady, still = scene.has(2)
        scene.has(6, is_awaited=False)
        steady.takes(100_000, untaken=100_000), still.takes(100_000, untaken=100_000)
        scene.look()
        scene.now += PATIENCE_S
        steady.takes(0, untaken=100_000 - CROWDED_RATE), still.takes(500, untaken=100_500)
        scene.look()
        self.assertEqual(scene.room(), [still])

    def test_who_has_become_faster_is_safe_again(self):
        scene = Scene()
        (one, *_) = scene.has(8)
        scene.pass_time(PATIENCE_S)
        scene.pass_time(PATIENCE_S, {one: 2 * CROWDED_RATE})
        self.assertNotIn(one, scene.room())

    def test_what_is_over_since_makes_no_room(self):
        scene = Scene()
        over, next_one, answered, *_ = scene.has(8)
        scene.pass_time(PATIENCE_S)
        over.receiver, next_one.receiver = None, RecordingReceiver()
        answered.receiver.deadline = 99.0
        self.assertEqual(len(scene.room()), 5)

    def test_the_next_exchange_on_a_connection_is_measured_anew(self):
        scene = Scene()
        (one, *_) = scene.has(8)
        scene.pass_time(PATIENCE_S)
        one.receiver = Attempt().receiver
        scene.pass_time(LOOK_S)
        self.assertNotIn(one, scene.room())


class DoubtTests(SynchronousTestCase):
    def test_a_request_that_is_not_all_here_is_doubted(self):
        crowd = Crowd(8)
        self.assertEqual([crowd.doubts(Attempt(is_whole=whole).receiver) for whole in (True, False)], [False, True])
        self.assertFalse(crowd.doubts(RecordingReceiver()), "a request without a body is all here")

    def test_so_is_a_client_that_had_to_make_room_for_as_long_as_it_is_remembered(self):
        scene = Scene()
        scene.has(8, client="203.0.113.66")
        scene.pass_time(PATIENCE_S)
        scene.crowd.slowest(scene.now)
        scene.attempts.clear()
        again, other = Attempt(client="203.0.113.66").receiver, Attempt().receiver
        self.assertEqual((scene.crowd.doubts(again), scene.crowd.doubts(other)), (True, False))
        scene.pass_time(SIEGE_S - 1)
        self.assertTrue(scene.crowd.is_besieged and scene.crowd.doubts(again))
        scene.pass_time(2)
        self.assertFalse(scene.crowd.is_besieged or scene.crowd.doubts(again))

    def test_but_not_if_it_was_its_request_that_came_too_slowly(self):
        scene = Scene()
        scene.has(8, client="203.0.113.66", is_whole=False)
        scene.pass_time(PATIENCE_S)
        scene.crowd.slowest(scene.now)
        self.assertFalse(scene.crowd.doubts(Attempt(client="203.0.113.66").receiver))

    def test_so_many_are_remembered_and_no_more(self):
        scene = Scene(MOST_SUSPECTS + 2)
        for number in range(MOST_SUSPECTS + 2):
            scene.has(client=f"client {number}")
        scene.look()
        scene.now += PATIENCE_S
        scene.look()
        made_room = scene.room()
        doubted = [scene.crowd.doubts(one.receiver) for one in made_room]
        self.assertEqual((doubted.count(True), doubted[:3]), (MOST_SUSPECTS, [False, False, True]))


class PlaceTests(SynchronousTestCase):
    def test_without_a_siege_all_connections_are_for_everybody(self):
        crowd = Crowd(16)
        self.assertEqual((crowd.kept, crowd.places), (0, 16))

    def test_as_many_are_kept_as_had_to_be_taken_from_the_slow_up_to_a_share(self):
        scene = Scene(16)
        scene.has(16, is_whole=False)
        scene.pass_time(PATIENCE_S)
        seen = []
        for _ in range(5):
            scene.crowd.slowest(scene.now)
            seen.append((scene.crowd.kept, scene.crowd.places))
        self.assertEqual(seen, [(1, 0), (2, 0), (2, 1), (2, 2), (2, 3)])
        scene.crowd.admitted()
        self.assertEqual(scene.crowd.places, 2)

    def test_with_a_client_all_its_exchanges_come_to_be_doubted(self):
        scene = Scene(16)
        scene.has(10, client="203.0.113.66")
        scene.has(6)
        scene.pass_time(PATIENCE_S, dict.fromkeys(scene.attempts[10:], CROWDED_RATE))
        scene.crowd.slowest(scene.now)
        self.assertEqual(scene.crowd.places, 16 - 1 - 9)

    def test_a_pool_of_one_keeps_none(self):
        scene = Scene(1)
        scene.has(1, is_whole=False)
        scene.pass_time(PATIENCE_S)
        scene.crowd.slowest(scene.now)
        self.assertEqual((scene.crowd.kept, scene.crowd.places), (0, 1))

    def test_repr_tells_the_state(self):
        scene = Scene()
        scene.has(8)
        scene.pass_time(PATIENCE_S)
        scene.crowd.slowest(scene.now)
        self.assertEqual(repr(scene.crowd), "<Crowd besieged=True slow=7 suspects=1>")


class AnyCrowdTests(SynchronousTestCase):
    @given(
        st.lists(st.tuples(st.integers(0, 40), st.booleans(), st.booleans()), min_size=1, max_size=40),
        st.integers(0, 40),
    )
    @settings(deadline=None)
    def test_only_the_slow_who_are_awaited_make_room_and_the_counts_are_as_if_counted_anew(self, how, times):
        scene = Scene(len(how))
        rates = {}
        for number, (rate, is_awaited, is_whole) in enumerate(how):
            (one,) = scene.has(client=f"client {number % 5}", is_awaited=is_awaited, is_whole=is_whole)
            rates[one] = rate * 1024
        scene.pass_time(PATIENCE_S, rates)
        slow = sorted(rates[one] for one in rates if one.receiver.deadline == NEVER and rates[one] < CROWDED_RATE)
        gone = []
        for _ in range(min(times, len(slow))):
            receiver = scene.crowd.slowest(scene.now)
            gone.append(next(one for one in scene.attempts if one.receiver is receiver))
            scene.attempts.remove(gone[-1])
        self.assertEqual([rates[one] for one in gone], slow[: len(gone)])
        kept, places = scene.crowd.kept, scene.crowd.places
        self.assertLessEqual(kept, max(1, int(len(how) * KEPT_SHARE)))
        scene.look()
        self.assertEqual((scene.crowd.kept, scene.crowd.places), (kept, places))
