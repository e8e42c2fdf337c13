"""The table of what a combination cannot do is complete, and every line of it is shown by tests."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from twisted.trial.unittest import SynchronousTestCase

import tests.behaviour
from tests.behaviour.combinations import (
    CANNOT,
    COMBINATIONS,
    LACKED,
    NEEDED,
    Combination,
    lacks,
    needs,
    only,
    over_all_combinations,
)


class TableTests(SynchronousTestCase):
    def test_each_limit_is_shown_where_it_is_and_where_it_is_not(self) -> None:
        for module in pkgutil.iter_modules(tests.behaviour.__path__):
            import_module(f"tests.behaviour.{module.name}")
        self.assertEqual((NEEDED, LACKED), (set(CANNOT), set(CANNOT)))

    def test_our_own_two_ends_together_can_do_everything(self) -> None:
        self.assertEqual([what for what in CANNOT if not Combination("channel", "native").can(what)], [])

    def test_a_test_is_run_over_every_combination_that_it_applies_to(self) -> None:
        @over_all_combinations
        class Case:
            async def test_all(self, via: Combination) -> None:
                """Everywhere."""

            @needs("trailers")
            async def test_able(self, via: Combination) -> None:
                """Where it can."""

            @lacks("trailers")
            async def test_unable(self, via: Combination) -> None:
                """Where it can't."""

            @only("treq")
            async def test_one_end(self, via: Combination) -> None:
                """At one end."""

        names = sorted(name for name in vars(Case) if name.startswith("test_"))
        self.assertEqual(
            names,
            [
                "test_able__channel_native",
                *(f"test_all__{via}" for via in COMBINATIONS),
                "test_one_end__channel_treq",
                "test_one_end__stock_treq",
                "test_unable__channel_treq",
                "test_unable__stock_native",
                "test_unable__stock_treq",
            ],
        )
