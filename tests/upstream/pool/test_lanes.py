"""Who waits in which lane for a connection, who is next, and who has no place."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.model import Pool
from apigateway.testing.exchanges import exchange_for
from apigateway.testing.receiver import RecordingReceiver
from apigateway.upstream.pool.crowding import PATIENCE_S
from apigateway.upstream.pool.lanes import NO_LINE, Lanes
from apigateway.upstream.steps.time_limits import NEVER
from tests.upstream.pool.test_crowding import Attempt

WAIT_S = 5.0


def whole():
    """Somebody who is not doubted."""
    return RecordingReceiver()


def arriving():
    """Somebody whose request is not all here."""
    return Attempt(is_whole=False).receiver


class Siege:
    """Lanes before a pool of four, all of which one client holds with uploads, or as a reader, that are slow."""

    def __init__(self, waiting=4, held=4, reads=False):
        self.lanes = Lanes(Pool(connections=4, waiting=waiting), WAIT_S)
        self.now = 50.0
        self.attempts = [Attempt(client="203.0.113.66", is_whole=reads) for _ in range(held)]

    def begin(self):
        self.sweep()
        self.now += PATIENCE_S
        self.sweep()
        return self

    def sweep(self):
        self.lanes.sweep(self.attempts, 4, self.now)

    def joins(self, *receivers, fresh=False):
        for receiver in receivers:
            self.now += 0.01
            self.lanes.join(receiver, fresh, 0, self.now)
        return receivers

    def order(self):
        """Everybody as they are served, as far as they are."""
        found = []
        while (next_one := self.lanes.take(True, self.now)) is not None:
            found.append(next_one[0])
        return found


class PeaceTests(SynchronousTestCase):
    def test_all_stand_in_one_lane_in_the_order_of_arrival(self):
        siege = Siege()
        everybody = siege.joins(arriving(), whole(), arriving(), whole())
        self.assertEqual(siege.order(), list(everybody))

    def test_who_wants_a_fresh_connection_is_passed_over_by_a_used_one(self):
        siege = Siege()
        (fresh,) = siege.joins(whole(), fresh=True)
        (other,) = siege.joins(whole())
        self.assertEqual(siege.lanes.take(False, siege.now), (other, False))
        self.assertIsNone(siege.lanes.take(False, siege.now))
        self.assertEqual(siege.lanes.take(True, siege.now), (fresh, True))

    def test_nobody_yields(self):
        siege = Siege()
        siege.joins(arriving())
        self.assertFalse(siege.lanes.yield_to(whole(), siege.now))

    def test_who_waits_too_long_is_told(self):
        siege = Siege()
        one, other = siege.joins(whole(), whole())
        siege.lanes.leave(other)
        siege.now += WAIT_S
        siege.sweep()
        self.assertEqual((one.cause, other.events), ("pool-exhausted", []))


class SiegeTests(SynchronousTestCase):
    def test_who_is_doubted_stands_behind(self):
        siege = Siege().begin()
        (late, first, second) = siege.joins(arriving(), whole(), whole())
        self.assertEqual((siege.order(), list(siege.lanes.behind)), ([first, second], [late]))

    def test_so_does_who_came_before_it_was_known(self):
        siege = Siege()
        late, first = siege.joins(arriving(), whole())
        siege.begin()
        self.assertEqual((list(siege.lanes.first), list(siege.lanes.behind)), ([first], [late]))

    def test_and_who_comes_to_be_doubted_while_waiting(self):
        siege = Siege(reads=True).begin()
        same = RecordingReceiver(exchange=exchange_for(client="203.0.113.66"))
        other = whole()
        siege.joins(same, other)
        siege.lanes.make_room(siege.now)
        self.assertEqual(siege.lanes.take(True, siege.now), (other, False))
        self.assertEqual(list(siege.lanes.behind), [same])

    def test_whose_request_is_all_here_now_stands_with_the_first_where_it_came(self):
        siege = Siege().begin()
        upload, get = siege.joins(arriving(), whole())
        upload.exchange.downstream.is_whole = True
        siege.sweep()
        self.assertEqual(list(siege.lanes.first), [upload, get])

    def test_those_behind_are_served_while_connections_are_left_for_the_others(self):
        siege = Siege().begin()
        siege.joins(arriving(), arriving())
        self.assertEqual((siege.lanes.wanted, siege.order()), (0, []))
        siege.lanes.make_room(siege.now)
        self.assertEqual(siege.lanes.wanted, 0, "this one is kept for others")
        siege.lanes.make_room(siege.now)
        self.assertEqual((siege.lanes.wanted, len(siege.order())), (1, 1))

    def test_room_is_made_by_a_slow_one_who_is_told_so(self):
        siege = Siege(held=1)
        slow = siege.attempts[0].receiver
        siege.attempts += [Attempt(is_awaited=False) for _ in range(3)]
        siege.begin()
        self.assertTrue(siege.lanes.make_room(siege.now))
        self.assertEqual(slow.stopped.cause.code, "client-too-slow")
        self.assertFalse(siege.lanes.make_room(siege.now))

    def test_where_there_is_no_place_the_last_behind_leaves_its_own(self):
        siege = Siege(waiting=2).begin()
        uploads = siege.joins(arriving(), arriving(), arriving())
        self.assertEqual([one.cause for one in uploads], [None, None, "pool-exhausted"])
        gets = siege.joins(whole(), whole(), whole())
        self.assertEqual([one.cause for one in uploads], ["pool-exhausted"] * 3)
        self.assertEqual([one.cause for one in gets], [None, None, "pool-exhausted"])

    def test_another_yields_its_place_to_who_is_not_doubted(self):
        siege = Siege().begin()
        (upload,) = siege.joins(arriving())
        self.assertFalse(siege.lanes.yield_to(arriving(), siege.now))
        self.assertTrue(siege.lanes.yield_to(whole(), siege.now))
        self.assertEqual(upload.cause, "pool-exhausted")
        self.assertTrue(all(siege.lanes.yield_to(whole(), siege.now) for _ in range(4)), "the slow do")
        self.assertFalse(siege.lanes.yield_to(whole(), siege.now))

    def test_when_it_is_over_all_stand_in_one_lane_again(self):
        siege = Siege().begin()
        for attempt in siege.attempts:
            attempt.receiver.deadline = 60.0
        upload, get = siege.joins(arriving(), whole())
        siege.sweep()
        self.assertEqual((siege.lanes.crowd.is_besieged, list(siege.lanes.first)), (False, [upload, get]))

    def test_whose_connection_is_being_made_is_never_set_back(self):
        siege = Siege()
        upload = arriving()
        siege.lanes.first[upload] = (NO_LINE, False)
        siege.begin()
        self.assertEqual((siege.order(), NO_LINE), ([upload], NEVER))

    def test_repr_tells_the_state(self):
        siege = Siege().begin()
        siege.joins(arriving(), whole())
        self.assertEqual(repr(siege.lanes), "<Lanes first=1 behind=1 <Crowd besieged=True slow=4 suspects=0>>")
