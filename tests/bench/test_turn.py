"""A turn: a load on something that runs, and what that cost it."""

from __future__ import annotations

import os
from contextlib import nullcontext, redirect_stderr
from io import StringIO
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bench import rounds
from bench.load.answers import Answers, Asked
from bench.peers import CATALOGUE
from bench.run import Run
from bench.running import LOAD_CORE, PEER_CORE, Running
from bench.turn import take
from bench.workloads import CATALOGUE as WORKLOADS
from bench.workloads import of
from tests.bench.reports import report, turn


class TurnTests(SynchronousTestCase):
    def test_a_turn_has_the_answers_and_what_the_kernel_counted_meanwhile(self) -> None:
        if not {PEER_CORE, LOAD_CORE} <= set(range(os.cpu_count() or 1)):
            self.skipTest("there are no two cores")
        us = Running(CATALOGUE["nginx"], os.getpid(), 1, Path())
        answers = Answers(1000, 0, 2.0, 0, 1.0, 2.0, 3.0)

        def load(asked: Asked) -> Answers:
            sum(range(1_000_000))
            return answers

        one = take("us", us, load, Asked(1, 2.0, Path()))
        self.assertEqual((one.entrant, one.answers, one.per_second), ("us", answers, 500.0))
        self.assertGreater(one.user_s + one.system_s, 0)
        self.assertGreater(one.memory, 0)


class DisturbanceTests(SynchronousTestCase):
    def test_turns_in_which_others_had_the_core_are_counted(self) -> None:
        made = Run([], Path(), 0, 1)
        made.report = report(turn("envoy"), turn("envoy", others_busy=0.5))
        self.assertEqual(made.disturbed, 1)

    def test_such_a_turn_is_repeated_and_the_best_one_counts(self) -> None:
        self.assertEqual(self.kept([0.5, 0.01], repeats=2), ([0.01], 2))
        self.assertEqual(self.kept([0.5, 0.3, 0.4], repeats=2), ([0.3], 3))
        self.assertEqual(self.kept([0.5], repeats=0), ([0.5], 1))

    def kept(self, shares: list[float], repeats: int) -> tuple[list[float], int]:
        """What counts of the tries in which others had these shares of the core, and how many there were."""
        tries = [turn("envoy", others_busy=share) for share in shares]
        left = list(tries)
        self.patch(rounds, "started", lambda *_: nullcontext(None))
        self.patch(rounds, "_turn", lambda *_: left.pop(0))
        with redirect_stderr(StringIO()):
            turns = rounds.run(WORKLOADS["json-64"], of("envoy"), 1, 1.0, 0.0, Path(), 0, repeats)
        return [one.others_busy for one in turns], len(tries) - len(left)
