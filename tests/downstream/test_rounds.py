"""What goes on in the next turn of the loop."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from apigateway.downstream.rounds import Rounds


class RoundsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.rounds = Rounds(self.clock)
        self.gone_on: list[str] = []

    def put_off(self, name: str) -> None:
        self.rounds.next(lambda: self.gone_on.append(name))

    def test_all_go_on_in_the_next_turn_in_order(self) -> None:
        for name in "abc":
            self.put_off(name)
        self.assertEqual((self.gone_on, repr(self.rounds)), ([], "<Rounds waiting=3>"))
        self.clock.advance(0)
        self.assertEqual((self.gone_on, repr(self.rounds)), (["a", "b", "c"], "<Rounds waiting=0>"))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_is_put_off_again_waits_for_all_others(self) -> None:
        self.rounds.next(lambda: self.put_off("again"))
        self.put_off("other")
        self.clock.advance(0)
        self.assertEqual(self.gone_on, ["other", "again"])

    def test_a_failure_keeps_nobody_else_waiting(self) -> None:
        self.rounds.next(lambda: 1 // 0)
        self.put_off("other")
        self.clock.advance(0)
        self.assertEqual(self.gone_on, ["other"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
