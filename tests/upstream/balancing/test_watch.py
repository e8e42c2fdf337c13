"""What is done about targets whether exchanges come or not."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.model import Outliers as Options
from apigateway.upstream.balancing.group import Group
from apigateway.upstream.balancing.outliers import Outliers
from apigateway.upstream.balancing.panic import Panic
from apigateway.upstream.balancing.watch import Watch
from tests.upstream.balancing.world import eject, targets_of


class WatchTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.targets = targets_of([1, 1, 1])
        self.group = Group(self.targets, 10.0)
        self.panic = Panic("shop")
        self.watch = Watch(self.group, self.panic)

    def words(self, watch: Watch, now: float) -> list[str]:
        watch.tick(now)
        return [target.standing.word for target in self.targets]

    def test_it_sees_who_leaves_and_comes_back(self) -> None:
        self.assertEqual(self.words(self.watch, 0.0), ["in"] * 3)
        self.targets[0].health.healthy = False
        self.assertEqual(self.words(self.watch, 1.0), ["out", "in", "in"])
        self.targets[0].health.healthy = True
        self.assertEqual(self.words(self.watch, 2.0), ["returning", "in", "in"])
        self.assertIn("returning", repr(self.watch))

    def test_it_sees_when_nobody_is_well(self) -> None:
        for target in self.targets:
            target.health.healthy = False
        self.watch.tick(0.0)
        self.assertTrue(self.watch.panic.lasts)
        self.targets[2].health.healthy = True
        self.watch.tick(1.0)
        self.assertFalse(self.watch.panic.lasts)

    def test_it_ejects_who_fails_more_than_the_others(self) -> None:
        watch = Watch(self.group, self.panic, Outliers("shop", self.group, Options(), 0.0))
        self.words(watch, 0.0)
        for target in self.targets:
            target.attempts = 100
        self.targets[1].failures = 80
        self.assertEqual(self.words(watch, 10.0), ["in", "ejected", "in"])
        self.assertEqual(self.words(watch, 40.0), ["in", "returning", "in"])

    def test_where_ejection_was_switched_off_nobody_stays_ejected(self) -> None:
        self.watch.tick(0.0)
        eject(self.targets[0])
        self.assertEqual(self.words(self.watch, 1.0), ["returning", "in", "in"])
