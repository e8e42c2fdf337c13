"""The breaker's table: which events each state takes, and the diagram drawn from it."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from apigateway.upstream.breaker_table import (
    CLOSED,
    FAILED,
    HALF_OPEN,
    OPEN,
    PROBE_ANSWERED,
    TABLE,
    IllegalEventError,
    diagram,
    step,
)

PAGE = Path(__file__).parents[2] / "docs" / "circuit-breaker.md"


class TableTests(SynchronousTestCase):
    def test_an_event_without_an_entry_is_an_error(self) -> None:
        for state, event in ((OPEN, FAILED), (CLOSED, PROBE_ANSWERED), (HALF_OPEN, FAILED)):
            with self.assertRaises(IllegalEventError):
                step(state, event)

    def test_every_state_can_be_reached_and_left(self) -> None:
        moves = {(before, after) for (before, _), (after, _) in TABLE.items() if before != after}
        self.assertEqual(moves, {(CLOSED, OPEN), (OPEN, HALF_OPEN), (HALF_OPEN, OPEN), (HALF_OPEN, CLOSED)})

    def test_the_documented_diagram_is_the_one_drawn_from_the_table(self) -> None:
        self.assertIn(f"```mermaid\n{diagram()}```\n", PAGE.read_text("utf-8"))
