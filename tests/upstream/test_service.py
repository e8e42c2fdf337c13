"""A group of targets: whom to try, why none may be tried, and what has run out of time."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.errors import BREAKER_OPEN, NO_TARGETS, SERVICE_OVERLOADED
from apigateway.http.answers import Answer
from apigateway.upstream.service import Service
from apigateway.upstream.steps.retry import RetryBudget
from apigateway.upstream.steps.terms import Terms
from tests.upstream.forward_world import LIMITS, World


class ServiceTests(SynchronousTestCase):
    def test_exchanges_are_spread_over_the_targets(self):
        world = World(targets=3)
        for _ in range(6):
            world.forward()
        self.assertEqual([len(one.attempts) for one in world.transports], [2, 2, 2])

    def test_what_is_under_way_is_counted(self):
        world = World(targets=2)
        world.forward(), world.forward()
        self.assertEqual(world.service.in_flight, 2)
        world.attempt.answers()
        self.assertEqual(world.service.in_flight, 1)

    def test_repr_tells_the_state(self):
        world = World()
        world.forward()
        target = "<Target http://t0 closed unchecked in_flight=1>"
        self.assertEqual(repr(world.service), f"<Service shop in_flight=1 [{target}]>")


class RefusalTests(SynchronousTestCase):
    def refusal(self, *waits):
        world = World(targets=len(waits))
        for breaker, wait_s in zip(world.breakers, waits, strict=True):
            breaker.wait_s = wait_s
        return world.service.refusal(0.0)

    def test_it_tells_when_the_first_target_may_be_tried_again(self):
        error = self.refusal(20.0, 12.0, 30.0)
        self.assertEqual((error.cause, error.retry_after_s), (BREAKER_OPEN, 12))

    def test_the_time_is_rounded_up_as_less_would_be_too_early(self):
        self.assertEqual(self.refusal(4.01).retry_after_s, 5)

    def test_nobody_is_asked_to_come_again_at_once(self):
        self.assertEqual(self.refusal(0.0).retry_after_s, 1)

    def test_a_service_without_targets_says_so(self):
        error = Service("empty", (), Terms(LIMITS), RetryBudget(), lambda: 0.0).refusal(0.0)
        self.assertEqual((error.cause, error.retry_after_s), (NO_TARGETS, 1))
        self.assertEqual(error.detail, "No target of the service 'empty' has been found.")


class BulkheadTests(SynchronousTestCase):
    def test_one_more_than_may_be_in_progress_is_refused_until_another_ends(self):
        world = World(max_in_flight=2)
        clients = [world.forward() for _ in range(3)]
        self.assertEqual([client.status for client in clients], [0, 0, 503])
        self.assertEqual(world.ended[-1].cause, SERVICE_OVERLOADED)
        self.assertTrue(world.service.is_full)
        world.attempt.answers()
        self.assertEqual((world.forward().status, world.service.in_flight), (0, 2))

    def test_who_is_refused_never_reaches_a_target_and_is_asked_to_come_again(self):
        world = World(max_in_flight=1)
        world.forward()
        refused = world.forward()
        self.assertEqual(len(world.transport.attempts), 1)
        self.assertGreaterEqual(int(refused.get(b"Retry-After")), 1)
        self.assertEqual(world.breaker.told, [None])

    def test_the_time_to_come_again_follows_from_how_fast_exchanges_ended(self):
        world = World(max_in_flight=8)
        for _ in range(4):
            for _ in range(4):
                world.forward()
                world.attempt.answers()
            world.advance(1)
        clients = [world.forward() for _ in range(9)]
        self.assertEqual(clients[8].get(b"Retry-After"), b"2", "8 are in progress, and 4 a second end")

    def test_a_client_that_is_too_slow_leaves_its_place(self):
        world = World(max_in_flight=1)
        slow = world.forward("PUT", chunked=True)
        world.transport.makes_room.append(world.attempt.receiver)
        self.assertEqual((world.forward().status, slow.status, world.service.in_flight), (0, 408, 1))
        self.assertEqual(world.forward().status, 503)

    def test_a_fallback_answers_in_place(self):
        world = World(max_in_flight=1)
        world.service.fallback = Answer(200, [], b"later")
        clients = [world.forward(), world.forward()]
        self.assertEqual((clients[1].status, clients[1].body), (200, b"later"))
        self.assertEqual((world.ended[-1].cause, world.ended[-1].fallback), (SERVICE_OVERLOADED, True))

    def test_a_service_that_stands_in_has_a_bound_of_its_own(self):
        world, other = World(max_in_flight=1), World(max_in_flight=1)
        world.service.fallback = other.service
        clients = [world.forward() for _ in range(3)]
        self.assertEqual([client.status for client in clients], [0, 0, 503])
        self.assertEqual((world.service.in_flight, other.service.in_flight), (1, 1))

    def test_those_that_began_with_an_earlier_snapshot_count_and_their_time_is_looked_at(self):
        old = World(max_in_flight=2)
        new = World(max_in_flight=2, bulkhead=old.service.bulkhead)
        clients = [old.forward(), new.forward(), new.forward()]
        self.assertEqual([client.status for client in clients], [0, 0, 503])
        new.advance(30)
        self.assertEqual([client.status for client in clients], [504, 504, 503])
        self.assertEqual((new.service.in_flight, new.service.everyone), (0, set()))


class BudgetTests(SynchronousTestCase):
    def test_first_attempts_earn_further_ones(self):
        world = World(retries=0)
        for _ in range(500):
            world.forward()
            world.attempt.answers(200)
        self.assertEqual(sum(world.service.pays(0.0) for _ in range(1000)), 130)
        self.assertEqual(world.service.counts.refused, 870)

    def test_each_is_counted_once_however_often_it_is_looked_at(self):
        world = World()
        world.forward()
        for _ in range(3):
            world.advance(0.25)
        self.assertEqual(repr(world.budget), "<RetryBudget 0 retries for 1 exchanges>")


class SweepTests(SynchronousTestCase):
    def test_only_what_has_run_out_of_time_is_ended(self):
        world = World()
        early = world.forward()
        world.advance(10)
        late = world.forward()
        world.advance(20)
        self.assertEqual((early.status, late.status), (504, 0))
        self.assertEqual(world.service.in_flight, 1)

    def test_the_targets_transports_are_swept_too(self):
        world = World(targets=2)
        world.advance(3)
        self.assertEqual([one.swept for one in world.transports], [[3.0], [3.0]])

    def test_one_that_fails_when_its_time_is_up_is_forgotten_and_the_others_still_end(self):
        world = World()
        clients = [world.forward() for _ in range(3)]
        clients[1].send_whole = None
        world.advance(30)
        self.assertEqual([client.status for client in clients], [504, 0, 504])
        self.assertEqual(world.service.in_flight, 0)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    def test_an_exchange_that_the_end_of_another_has_ended_is_not_ended_again(self):
        world = World()
        clients = [world.forward(), world.forward()]
        for client, other in (clients, clients[::-1]):
            # Whichever comes first takes the other with it.
            client.finish = lambda trailers, other=other: other.exchange and other.leave()
        world.advance(30)
        self.assertEqual(world.service.in_flight, 0)
        self.assertEqual([client.is_gone for client in clients].count(True), 1)
