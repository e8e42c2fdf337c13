"""Handshakes take turns: so much in one turn of the loop, the rest later and in order."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from apigateway.sockets.tls_turns import MOST_S, Turns


class Loop(Clock):
    """A clock that, as a reactor does, leaves what is called for now to the next turn."""

    def advance(self, amount: float) -> None:
        due, self.calls = self.calls, []
        for call in due:
            call.func(*call.args, **call.kw)


class TurnsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Loop()
        self.time = 0.0
        self.done: list[int] = []
        self.turns = Turns(self.clock, lambda: self.time)

    def step(self, number: int, takes_s: float) -> Callable[[], None]:
        def do() -> None:
            self.done.append(number)
            self.time += takes_s

        return do

    def test_what_takes_little_is_done_at_once(self) -> None:
        for number in range(3):
            self.turns.ask(self.step(number, MOST_S / 10))
        self.assertEqual((self.done, len(self.turns)), ([0, 1, 2], 0))

    def test_when_the_time_of_a_turn_is_used_up_the_others_wait_for_the_next_in_order(self) -> None:
        for number in range(5):
            self.turns.ask(self.step(number, MOST_S / 2))
        self.assertEqual((self.done, repr(self.turns)), ([0, 1], "<Turns waiting=3>"))
        self.clock.advance(0)
        self.assertEqual(self.done, [0, 1, 2, 3])
        self.clock.advance(0)
        self.assertEqual(self.done, [0, 1, 2, 3, 4])

    def test_each_turn_does_one_at_least_however_long_it_takes(self) -> None:
        for number in range(3):
            self.turns.ask(self.step(number, MOST_S * 50))
        for _ in range(2):
            self.clock.advance(0)
        self.assertEqual(self.done, [0, 1, 2])

    def test_the_next_turn_has_all_its_time_again(self) -> None:
        self.turns.ask(self.step(0, MOST_S))
        self.clock.advance(0)
        self.turns.ask(self.step(1, MOST_S))
        self.assertEqual(self.done, [0, 1])

    def test_time_that_is_left_lasts_and_nobody_is_called_for_it(self) -> None:
        for number in range(3):
            self.turns.ask(self.step(number, MOST_S / 2.5))
            self.assertEqual(len(self.clock.getDelayedCalls()), number // 2)
        self.turns.ask(self.step(3, 0))
        self.assertEqual(self.done, [0, 1, 2])
        self.clock.advance(0)
        self.assertEqual(self.done, [0, 1, 2, 3])

    def test_a_step_that_fails_and_uses_the_time_up_keeps_no_other_waiting(self) -> None:
        def fail() -> None:
            self.time += MOST_S
            raise RuntimeError("a bug")

        self.assertRaises(RuntimeError, self.turns.ask, fail)
        self.turns.ask(self.step(0, 0))
        self.clock.advance(0)
        self.assertEqual(self.done, [0])

    def test_nothing_is_left_to_be_called_when_nobody_waits(self) -> None:
        self.turns.ask(self.step(0, 0))
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_who_asks_in_a_step_is_done_behind_those_who_wait(self) -> None:
        def first() -> None:
            self.done.append(0)
            self.time += MOST_S
            self.turns.ask(self.step(2, 0))

        self.turns.ask(self.step(-1, MOST_S))
        self.turns.ask(first)
        self.turns.ask(self.step(1, 0))
        for _ in range(3):
            self.clock.advance(0)
        self.assertEqual(self.done, [-1, 0, 1, 2])

    def test_one_that_fails_keeps_no_other_waiting(self) -> None:
        def fail() -> None:
            raise RuntimeError("a bug")

        self.turns.ask(self.step(0, MOST_S))
        self.turns.ask(fail)
        self.turns.ask(self.step(1, 0))
        self.clock.advance(0)
        self.assertEqual(self.done, [0, 1])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
