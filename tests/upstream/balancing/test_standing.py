"""How one target stands among the others."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.upstream.balancing.standing import Standing


class StandingTests(SynchronousTestCase):
    def test_the_word_for_it_follows_what_happens(self) -> None:
        standing = Standing()
        words = [standing.word]
        standing.come_back(0.0, 0.0)
        words.append(standing.word)
        standing.leave()
        words.append(standing.word)
        standing.come_back(1.0, 10.0)
        words.append(standing.word)
        standing.settle(5.0)
        words.append(standing.word)
        standing.settle(11.0)
        words.append(standing.word)
        standing.is_ejected = True
        words.append(standing.word)
        self.assertEqual(words, ["new", "in", "out", "returning", "returning", "in", "ejected"])
        self.assertEqual(repr(standing), "<Standing ejected>")

    def test_who_is_out_does_not_settle(self) -> None:
        standing = Standing()
        standing.leave()
        standing.settle(99.0)
        self.assertEqual((standing.word, standing.is_steady), ("out", False))

    def test_it_is_described(self) -> None:
        standing = Standing()
        standing.come_back(0.0, 10.0)
        self.assertEqual(
            standing.describe(5.0), {"state": "returning", "share": 0.55, "ejections": 0, "returns_in_s": None}
        )
        standing.is_ejected, standing.ejected_until, standing.ejections = True, 30.0, 2
        standing.leave()
        self.assertEqual(
            standing.describe(5.0), {"state": "ejected", "share": 0.0, "ejections": 2, "returns_in_s": 25.0}
        )

    def test_turns_are_taken_as_often_as_the_share_says_and_evenly(self) -> None:
        standing = Standing()
        standing.come_back(0.0, 90.0)
        taken = "".join("x" if standing.takes_turn(40.0) else "-" for _ in range(8))
        self.assertEqual(taken, "-x-x-x-x", "half of its share")

    @settings(deadline=None)
    @given(st.floats(0.001, 1e6), st.lists(st.floats(0, 2e6)))
    def test_a_share_never_shrinks_and_stays_between_its_least_and_the_whole(
        self, over_s: float, times: list[float]
    ) -> None:
        standing = Standing()
        standing.come_back(0.0, over_s)
        told = [standing.share(now) for now in sorted(times)]
        self.assertEqual(told, sorted(told))
        self.assertTrue(all(0.1 <= share <= 1.0 for share in told))
