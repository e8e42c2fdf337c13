"""Which target is asked next, and when."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from apigateway.upstream.steps.again import Again
from apigateway.upstream.steps.choice import Choice, Failed, give_back, next_choice, pick
from apigateway.upstream.steps.time_limits import NEVER
from tests.upstream.forward_world import World


class PickTests(SynchronousTestCase):
    def test_it_is_the_balancers_choice_with_a_permit(self) -> None:
        world = World()
        self.assertEqual(pick(world.service.balancer, world.exchange(), 0.0), (world.targets[0], 1))

    def test_whom_a_breaker_forbids_is_passed_over(self) -> None:
        world = World(targets=3)
        world.breakers[0].is_open = world.breakers[1].is_open = True
        self.assertEqual(pick(world.service.balancer, world.exchange(), 0.0), (world.targets[2], 1))

    def test_where_all_are_there_is_none(self) -> None:
        world = World(targets=2)
        for breaker in world.breakers:
            breaker.is_open = True
        self.assertIsNone(pick(world.service.balancer, world.exchange(), 0.0))

    def test_a_target_may_have_no_breaker(self) -> None:
        world = World()
        world.targets[0].breaker = None
        self.assertEqual(pick(world.service.balancer, world.exchange(), 0.0), (world.targets[0], 1))
        give_back(world.targets[0], 1, 0.0)


class NextTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = World(targets=2, waits=True, random=lambda: 1.0)
        self.again = Again(5)

    def next(self, at: int = 0, same_too: bool = True, **failed: Any) -> tuple[str, float] | None:
        world = self.world
        found = next_choice(
            world.service, world.service.terms, world.exchange(), self.again,
            Failed(world.targets[at], failed.pop("permit", 7), failed.pop("latest", NEVER), same_too, **failed),
            world.clock.seconds(),
        )  # fmt: skip
        self.last: Choice | None = found
        return None if found is None else (found.target.url, found.wait_s)

    def test_the_first_is_another_target_at_once(self) -> None:
        self.assertEqual(self.next(), ("http://t1", 0.0))

    def test_a_later_one_is_waited_for(self) -> None:
        self.world = World(targets=3, waits=True, random=lambda: 1.0)
        self.again.failed_at(self.world.targets[0])
        self.assertEqual(self.next(1), ("http://t2", 0.05))

    def test_when_all_were_asked_it_is_one_of_the_others_again(self) -> None:
        self.again.failed_at(self.world.targets[0])
        self.assertEqual(self.next(1), ("http://t0", 0.05))

    def test_where_there_is_only_one_that_one_keeps_its_permit(self) -> None:
        self.world = World(waits=True, random=lambda: 1.0)
        self.assertEqual(self.next(permit=7), ("http://t0", 0.025))
        assert self.last is not None
        self.assertEqual(self.last.permit, 7)

    def test_unless_it_must_be_another_one(self) -> None:
        self.world = World(waits=True)
        self.assertIsNone(self.next(same_too=False))

    def test_who_cannot_wait_does_not_ask_again_there(self) -> None:
        self.world = World()
        self.assertIsNone(self.next())

    def test_a_pause_that_the_service_wants_is_made(self) -> None:
        self.assertEqual(self.next(asked_s=3.0), ("http://t1", 3.0))

    def test_but_none_that_goes_beyond_the_end(self) -> None:
        self.assertEqual(self.next(asked_s=3.0, latest=3.5), ("http://t1", 3.0))
        self.assertIsNone(self.next(asked_s=3.0, latest=3.0))

    def test_nor_without_an_end_one_longer_than_an_answer_may_take(self) -> None:
        self.assertEqual(self.next(asked_s=29.0), ("http://t1", 29.0))
        self.assertIsNone(self.next(asked_s=30.0))

    def test_what_is_not_asked_gives_its_permit_back(self) -> None:
        self.next(asked_s=30.0)
        self.assertEqual(self.world.breakers[1].told, ["cancelled"])

    def test_the_budget_has_the_last_word(self) -> None:
        while self.world.budget.withdraw(0.0):
            pass
        self.assertIsNone(self.next())
        self.assertEqual((self.world.service.counts.refused, self.world.breakers[1].told), (1, ["cancelled"]))

    def test_without_an_attempt_left_nothing_is_asked_or_paid(self) -> None:
        self.again.left = 0
        self.assertIsNone(self.next())
        self.assertEqual((self.world.service.counts.refused, self.world.breakers[1].told), (0, []))
