"""Which targets may be tried at all."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.upstream.balancing.fitness import fit
from tests.upstream.balancing.world import make_target, targets_of, trip

EVENTS = st.lists(st.tuples(st.integers(0, 5), st.sampled_from(("ill", "well", "trip"))))


class FitTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.a, self.b, self.c = self.targets = [make_target(name) for name in "abc"]

    def test_unhealthy_ones_are_passed_over(self) -> None:
        self.b.health.healthy = False
        self.assertEqual(fit(self.targets, 0.0), [self.a, self.c])

    def test_all_are_fit_when_none_is_healthy(self) -> None:
        for target in self.targets:
            target.health.healthy = False
        self.assertEqual(fit(self.targets, 0.0), self.targets)

    def test_those_that_rest_are_passed_over_until_their_rest_is_over(self) -> None:
        trip(self.b)
        self.assertEqual(fit(self.targets, 0.0), [self.a, self.c])
        self.assertEqual(fit(self.targets, 30.0), self.targets)

    def test_none_is_left_when_the_only_healthy_one_rests(self) -> None:
        trip(self.b)
        self.a.health.healthy = self.c.health.healthy = False
        self.assertEqual(fit(self.targets, 0.0), [])

    def test_a_target_without_a_breaker_never_rests(self) -> None:
        self.b.breaker = None
        self.assertEqual(fit(self.targets, 0.0), self.targets)

    def test_those_that_were_tried_are_passed_over(self) -> None:
        self.assertEqual(fit(self.targets, 0.0, (self.a, self.c)), [self.b])

    @settings(deadline=None)
    @given(st.integers(1, 6), EVENTS)
    def test_none_is_fit_that_health_or_breaker_forbids_while_another_is_left(
        self, count: int, events: list[tuple[int, str]]
    ) -> None:
        targets = targets_of([1] * count)
        for which, event in events:
            target = targets[which % count]
            if event != "trip":
                target.health.healthy = event == "well"
            elif target.breaker is not None and target.breaker.state == "closed":
                trip(target)
        found = fit(targets, 0.0)
        self.assertFalse([one for one in found if one.breaker is not None and one.breaker.retry_after(0.0) > 0])
        if any(one.health.healthy for one in targets):
            self.assertTrue(all(one.health.healthy for one in found))
