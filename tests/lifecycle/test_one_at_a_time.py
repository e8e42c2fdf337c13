"""One at a time: who asks meanwhile shares the next turn."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from apigateway.lifecycle.one_at_a_time import OneAtATime


class OneAtATimeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.words: list[str] = []
        self.ends: list[Deferred[None]] = []
        self.turns: OneAtATime[int] = OneAtATime(self.turn)

    async def turn(self, word: str) -> int:
        self.words.append(word)
        end: Deferred[None] = Deferred()
        self.ends.append(end)
        await end
        return len(self.words)

    def test_a_turn_begins_at_once_where_none_is_running(self) -> None:
        result = self.turns.ask("a")
        self.assertEqual(self.words, ["a"])
        self.ends[0].callback(None)
        self.assertEqual(self.successResultOf(result), 1)

    def test_who_asks_meanwhile_shares_the_next_turn_and_not_the_one_that_is_running(self) -> None:
        results = [self.turns.ask(word) for word in "abc"]
        self.assertEqual(self.words, ["a"])
        self.ends[0].callback(None)
        self.successResultOf(results[0])
        self.assertNoResult(results[1])
        self.assertEqual(self.words, ["a", "b"])
        self.ends[1].callback(None)
        self.assertEqual([self.successResultOf(one) for one in results[1:]], [2, 2])
        self.assertEqual(self.words, ["a", "b"])

    def test_who_asks_when_a_turn_is_told_to_be_over_gets_another(self) -> None:
        again: list[Deferred[int]] = []
        self.turns.ask("a").addCallback(lambda _: again.append(self.turns.ask("b")))
        self.ends[0].callback(None)
        self.assertEqual(self.words, ["a", "b"])
        self.ends[1].callback(None)
        self.assertEqual(self.successResultOf(again[0]), 2)

    def test_a_turn_that_fails_is_told_to_those_who_shared_it_and_others_go_on(self) -> None:
        results = [self.turns.ask(word) for word in "ab"]
        self.ends[0].errback(ZeroDivisionError())
        self.failureResultOf(results[0], ZeroDivisionError)
        self.ends[1].callback(None)
        self.assertEqual(self.successResultOf(results[1]), 2)

    def test_repr_tells_the_state(self) -> None:
        self.assertEqual(repr(self.turns), "<OneAtATime at rest waiting=0>")
        for word in "abc":
            self.turns.ask(word)
        self.assertEqual(repr(self.turns), "<OneAtATime running waiting=2>")
