"""What one exchange needs to be tried again."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from apigateway.upstream.steps.again import Again
from tests.upstream.forward_world import ScriptedAttempt, World


def replayed(again: Again) -> list[Any]:
    attempt = ScriptedAttempt(None, False)
    again.replay(attempt)
    return list(attempt.written)


class BodyTests(SynchronousTestCase):
    def test_what_is_kept_is_sent_as_it_came(self) -> None:
        again = Again(1)
        again.begin_to_keep(10)
        again.keep(b"12")
        again.keep(b"345")
        self.assertEqual(replayed(again), [b"12", b"345"])
        again.keep_end([(b"T", b"1")])
        self.assertEqual(replayed(again), [b"12", b"345", ("end", [(b"T", b"1")])])

    def test_nothing_is_kept_unasked(self) -> None:
        again = Again(1)
        again.keep(b"1")
        self.assertIsNone(again.kept)

    def test_repr_tells_the_state(self) -> None:
        again = Again(2)
        self.assertEqual(repr(again), "<Again made=0 left=2>")
        again.begin_to_keep(10)
        again.keep(b"123")
        self.assertEqual(repr(again), "<Again made=0 left=2 kept=3>")

    @given(st.integers(0, 30), st.lists(st.binary(max_size=12), max_size=8))
    def test_a_body_is_kept_whole_or_not_at_all(self, room: int, pieces: list[bytes]) -> None:
        again, body = Again(1), b"".join(pieces)
        again.begin_to_keep(room)
        for piece in pieces:
            again.keep(piece)
        if len(body) <= room:
            self.assertEqual(b"".join(again.kept or ()), body)
        else:
            self.assertIsNone(again.kept)


class WaitTests(SynchronousTestCase):
    def test_when_the_time_comes_the_target_is_asked(self) -> None:
        clock, again, asked = Clock(), Again(1), []
        target = World().targets[0]
        again.wait(clock.callLater, 0.5, target, lambda: asked.append(again.waited()))
        clock.advance(0.5)
        self.assertEqual(asked, [target])
        self.assertIsNone(again.waits_for)

    def test_who_stops_waiting_gives_the_permit_back(self) -> None:
        clock, again, world = Clock(), Again(1), World()
        permit = world.breaker.allows(0.0)
        again.wait(clock.callLater, 0.5, world.targets[0], lambda: self.fail("nobody is asked"))
        again.stop_waiting(permit, 0.1)
        self.assertEqual((world.breaker.told, clock.getDelayedCalls()), (["cancelled"], []))
        again.stop_waiting(permit, 0.1)

    def test_an_attempt_that_fails_is_used_up(self) -> None:
        again, target = Again(2), World().targets[0]
        again.failed_at(target)
        self.assertEqual((again.left, again.made, again.tried), (1, 1, (target,)))
