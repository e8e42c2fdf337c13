"""What is done about targets whether exchanges come or not."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.model import Outliers as Options
from apigateway.upstream.balancing.group import Group
from apigateway.upstream.balancing.outliers import Outliers
from apigateway.upstream.balancing.oversight import Oversight
from apigateway.upstream.balancing.panic import Panic
from tests.upstream.balancing.world import eject, targets_of


class OversightTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.targets = targets_of([1, 1, 1])
        self.group = Group(self.targets, 10.0)
        self.panic = Panic("shop")
        self.oversight = Oversight(self.group, self.panic)

    def words(self, oversight: Oversight, now: float) -> list[str]:
        oversight.tick(now)
        return [target.standing.word for target in self.targets]

    def test_it_sees_who_leaves_and_comes_back(self) -> None:
        self.assertEqual(self.words(self.oversight, 0.0), ["in"] * 3)
        self.targets[0].health.healthy = False
        self.assertEqual(self.words(self.oversight, 1.0), ["out", "in", "in"])
        self.targets[0].health.healthy = True
        self.assertEqual(self.words(self.oversight, 2.0), ["returning", "in", "in"])
        self.assertIn("returning", repr(self.oversight))

    def test_it_sees_when_nobody_is_well(self) -> None:
        for target in self.targets:
            target.health.healthy = False
        self.oversight.tick(0.0)
        self.assertTrue(self.oversight.panic.lasts)
        self.targets[2].health.healthy = True
        self.oversight.tick(1.0)
        self.assertFalse(self.oversight.panic.lasts)

    def test_it_ejects_who_fails_more_than_the_others(self) -> None:
        oversight = Oversight(self.group, self.panic, Outliers("shop", self.group, Options(), 0.0))
        self.words(oversight, 0.0)
        for target in self.targets:
            target.attempts = 100
        self.targets[1].failures = 80
        self.assertEqual(self.words(oversight, 10.0), ["in", "ejected", "in"])
        self.assertEqual(self.words(oversight, 40.0), ["in", "returning", "in"])

    def test_where_ejection_was_switched_off_nobody_stays_ejected(self) -> None:
        self.oversight.tick(0.0)
        eject(self.targets[0])
        self.assertEqual(self.words(self.oversight, 1.0), ["returning", "in", "in"])
