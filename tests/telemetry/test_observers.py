"""Telling several observers."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from apigateway.interfaces import IExchangeObserver
from apigateway.telemetry.observers import telling
from tests.telemetry.ended import ended


@implementer(IExchangeObserver)
class Seeing:
    """Keeps what it is told, or fails."""

    def __init__(self, fails: bool = False) -> None:
        self.seen: list[Any] = []
        self._fails = fails

    def exchange_ended(self, exchange: Any) -> None:
        self.seen.append(exchange)
        if self._fails:
            raise ZeroDivisionError


class TellingTests(SynchronousTestCase):
    def test_one_alone_is_told_without_a_detour(self) -> None:
        only = Seeing()
        self.assertEqual(telling(only, ()), only.exchange_ended)

    def test_all_are_told_in_their_order_though_one_fails(self) -> None:
        first, second, third = Seeing(), Seeing(fails=True), Seeing()
        exchange = ended()
        telling(first, (second, third))(exchange)
        self.assertEqual([one.seen for one in (first, second, third)], [[exchange]] * 3)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
