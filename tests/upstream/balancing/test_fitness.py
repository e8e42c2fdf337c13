"""What may be asked of one target before it is picked."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.upstream.balancing.fitness import is_able, is_in, is_ready, is_steady
from tests.upstream.balancing.world import eject, make_target, trip


class FitnessTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.target = make_target("a")
        self.target.standing.come_back(0.0, 0.0)

    def is_what(self, now: float = 0.0) -> str:
        target = self.target
        asked = (is_steady(target), is_in(target), is_able(target), is_ready(target, now))
        return "".join(letter if yes else "-" for letter, yes in zip("siar", asked, strict=True))

    def test_a_target_that_is_well_is_all_of_it(self) -> None:
        self.assertEqual(self.is_what(), "siar")
        self.target.breaker = None
        self.assertEqual(self.is_what(), "siar")

    def test_one_whose_share_grows_is_in_but_not_steady(self) -> None:
        self.target.standing.come_back(0.0, 10.0)
        self.assertEqual(self.is_what(), "-iar")

    def test_an_unhealthy_one_is_not_able(self) -> None:
        self.target.health.healthy = False
        self.assertEqual(self.is_what(), "---r")

    def test_nor_is_one_that_is_ejected(self) -> None:
        eject(self.target)
        self.assertEqual(self.is_what(), "---r")

    def test_one_that_rests_is_able_and_ready_for_a_probe_when_its_rest_is_over(self) -> None:
        trip(self.target)
        self.assertEqual(self.is_what(), "--a-")
        self.assertEqual(self.is_what(30.0), "--ar")
