"""What becomes of counts when a target takes the place of another."""

from __future__ import annotations

from tests.assembly.world import AssemblyTestCase, one


class SuccessionTests(AssemblyTestCase):
    text = one()

    def test_the_counts_of_a_target_go_on_in_the_one_that_takes_its_place(self) -> None:
        target = self.snapshot.services["shop"].targets[0]
        target.attempts, target.failures, target.in_flight = 5, 2, 1
        new = self.use(one(WEIGHT="2")).services["shop"].targets[0]
        self.assertEqual((new.attempts, new.failures), (5, 2))
        new.attempts += 1
        target.failures += 1
        self.sweep()
        self.assertEqual((new.attempts, new.failures), (6, 3), "the last attempt at the old one has failed")
