"""A span of time in which requests are shed."""

from __future__ import annotations

from typing import Any

from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from apigateway.errors import SERVICE_OVERLOADED
from apigateway.upstream.spell import QUIET_S, Spell


class SpellTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.events: list[dict[str, Any]] = []
        observe: Any = self.events.append
        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        self.spell = Spell(SERVICE_OVERLOADED, "shop")

    @property
    def told(self) -> list[str]:
        return [event["event"] for event in self.events]

    def test_nothing_is_told_while_nobody_is_refused(self) -> None:
        for now in range(100):
            self.spell.tick(now)
        self.assertEqual((self.told, self.spell.lasts), ([], False))

    def test_its_begin_is_told_once_however_many_are_refused(self) -> None:
        for now in range(20):
            self.spell.refused += 1000
            self.spell.tick(now)
        self.assertEqual((self.told, self.spell.lasts), (["shedding-began"], True))
        self.assertEqual((self.events[0]["cause"], self.events[0]["service"]), ("service-overloaded", "shop"))

    def test_its_end_is_told_once_nobody_was_refused_for_a_while_with_how_many_were(self) -> None:
        for now in (10.0, 11.0, 12.0):
            self.spell.refused += 5
            self.spell.tick(now)
        self.spell.tick(12.0 + QUIET_S - 0.1)
        self.assertEqual(self.told, ["shedding-began"])
        for now in (12.0 + QUIET_S, 100.0):
            self.spell.tick(now)
        self.assertEqual(self.told, ["shedding-began", "shedding-ended"])
        self.assertEqual((self.events[1]["refused"], self.events[1]["seconds"]), (15, 2.0))

    def test_the_next_one_is_counted_by_itself(self) -> None:
        for now in (0.0, 10.0, 20.0, 30.0):
            self.spell.refused += int(now) % 20 == 0
            self.spell.tick(now)
        self.assertEqual(self.told, ["shedding-began", "shedding-ended"] * 2)
        self.assertEqual([event["refused"] for event in self.events[1::2]], [1, 1])
        self.assertEqual(self.spell.refused, 2)

    def test_repr_tells_the_state(self) -> None:
        self.spell.refused += 1
        self.spell.tick(0.0)
        self.assertEqual(repr(self.spell), "<Spell service-overloaded shop lasts refused=1>")
