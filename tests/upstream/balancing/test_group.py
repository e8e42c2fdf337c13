"""The targets of a service together: who may be tried, and who starts slowly."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.upstream.balancing.group import Group
from tests.upstream.balancing.world import (
    EVENTS,
    befall,
    eject,
    make_target,
    pick,
    strategies,
    targets_of,
    trip,
)


class FitTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.a, self.b, self.c = self.targets = [make_target(name) for name in "abc"]
        self.group = Group(self.targets)

    def test_unhealthy_ones_are_passed_over(self) -> None:
        self.b.health.healthy = False
        self.assertEqual(self.group.fit(0.0), [self.a, self.c])

    def test_ejected_ones_are_passed_over(self) -> None:
        eject(self.b)
        self.assertEqual(self.group.fit(0.0), [self.a, self.c])

    def test_all_are_fit_when_none_is_healthy(self) -> None:
        for target in self.targets:
            target.health.healthy = False
        self.assertEqual(self.group.fit(0.0), self.targets)

    def test_and_when_those_that_are_healthy_are_ejected(self) -> None:
        self.a.health.healthy = self.b.health.healthy = False
        self.assertFalse(self.group.in_panic())
        eject(self.c)
        self.assertTrue(self.group.in_panic())
        self.assertEqual(self.group.fit(0.0), self.targets)

    def test_a_service_without_targets_is_in_no_panic(self) -> None:
        self.assertFalse(Group([]).in_panic())

    def test_those_that_rest_are_passed_over_until_their_rest_is_over(self) -> None:
        trip(self.b)
        self.assertEqual(self.group.fit(0.0), [self.a, self.c])
        self.assertEqual(self.group.fit(30.0), self.targets)

    def test_none_is_left_when_the_only_healthy_one_rests(self) -> None:
        trip(self.b)
        self.a.health.healthy = self.c.health.healthy = False
        self.assertEqual(self.group.fit(0.0), [])

    def test_a_target_without_a_breaker_never_rests(self) -> None:
        self.b.breaker = None
        self.assertEqual(self.group.fit(0.0), self.targets)

    def test_those_that_were_tried_are_passed_over(self) -> None:
        self.assertEqual(self.group.fit(0.0, (self.a, self.c)), [self.b])

    @settings(deadline=None)
    @given(st.integers(1, 6), EVENTS, st.integers(0, 99))
    def test_no_strategy_picks_one_that_health_ejection_or_breaker_forbids_while_another_is_left(
        self, count: int, events: list[tuple[int, str]], seed: int
    ) -> None:
        targets = targets_of([1 + at % 3 for at in range(count + 1)], 10.0)
        group = Group(targets, 10.0)
        for at, event in enumerate([(0, "well"), *events]):
            befall(targets, [event])
            able = [one for one in targets if one.health.healthy and not one.standing.is_ejected] or targets
            left = [one for one in able if one.breaker is not None and one.breaker.retry_after(0.0) <= 0]
            for name, balancer in strategies(group, seed + at).items():
                picked = pick(balancer, 0.0)
                self.assertIn(picked, left or [None], name)


class SlowStartTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.a, self.b, self.c = self.targets = [make_target(name) for name in "abc"]
        self.group = Group(self.targets, 10.0)
        self.group.review(0.0)

    def words(self) -> list[str]:
        return [target.standing.word for target in self.targets]

    def test_at_the_start_all_have_their_whole_share_at_once(self) -> None:
        self.assertEqual(self.words(), ["in"] * 3)

    def test_one_that_is_healthy_again_gets_its_share_bit_by_bit(self) -> None:
        self.b.health.healthy = False
        self.group.review(1.0)
        self.assertEqual(self.words(), ["in", "out", "in"])
        self.b.health.healthy = True
        self.group.review(5.0)
        self.assertEqual(self.words(), ["in", "returning", "in"])
        told = [self.group.shares(self.targets, now)[1] for now in (5.0, 10.0, 15.0, 99.0)]
        self.assertEqual([round(share, 2) for share in told], [0.1, 0.55, 1.0, 1.0])
        self.group.review(15.0)
        self.assertEqual(self.words(), ["in"] * 3)

    def test_so_does_one_whose_breaker_has_closed(self) -> None:
        breaker = self.b.breaker
        assert breaker is not None
        trip(self.b)
        self.group.review(1.0)
        permit = breaker.allows(31.0)
        self.group.review(31.0)
        self.assertEqual(self.words(), ["in", "out", "in"])
        breaker.success(permit, 31.5)
        self.group.review(31.5)
        self.assertEqual(self.words(), ["in", "returning", "in"])

    def test_so_does_one_that_is_no_longer_ejected(self) -> None:
        eject(self.b)
        self.group.review(1.0)
        self.b.standing.is_ejected = False
        self.group.review(2.0)
        self.assertEqual(self.words(), ["in", "returning", "in"])

    def test_so_does_one_that_is_new_among_others(self) -> None:
        new = make_target("d")
        Group([*self.targets, new], 10.0).review(7.0)
        self.assertEqual((new.standing.word, self.words()), ("returning", ["in"] * 3))

    def test_one_that_comes_back_to_nobody_has_all_to_do(self) -> None:
        for target in self.targets:
            target.health.healthy = False
        self.group.review(1.0)
        self.b.health.healthy = True
        self.group.review(2.0)
        self.assertEqual(self.words(), ["out", "in", "out"])
        self.a.health.healthy = True
        self.group.review(3.0)
        self.assertEqual(self.words(), ["returning", "in", "out"])

    def test_so_do_all_that_come_back_at_once(self) -> None:
        for healthy in (False, True):
            for target in self.targets:
                target.health.healthy = healthy
            self.group.review(1.0)
        self.assertEqual(self.words(), ["in"] * 3)

    def test_without_a_slow_start_each_has_its_share_at_once(self) -> None:
        group = Group(self.targets)
        self.b.health.healthy = False
        group.review(1.0)
        self.b.health.healthy = True
        group.review(2.0)
        self.assertEqual(self.words(), ["in"] * 3)

    def test_repr_tells_how_each_stands(self) -> None:
        eject(self.a)
        self.b.standing.leave()
        self.assertEqual(repr(self.group), "<Group a:ejected b:out c:in>")
