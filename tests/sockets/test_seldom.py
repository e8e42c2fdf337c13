"""What happens often is told of once a second."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from apigateway.sockets.seldom import Seldom


class SeldomTests(SynchronousTestCase):
    def test_the_first_is_told_at_once_and_the_others_of_a_second_together(self) -> None:
        clock, told = Clock(), list[int]()
        seldom = Seldom(clock.seconds, told.append)
        for _ in range(1000):
            seldom.happened()
        self.assertEqual(told, [1])
        self.assertEqual(repr(seldom), "<Seldom 999 untold>")
        clock.advance(1)
        seldom.happened()
        self.assertEqual(told, [1, 1000])

    def test_what_happens_rarely_is_told_each_time(self) -> None:
        clock, told = Clock(), list[int]()
        seldom = Seldom(clock.seconds, told.append)
        for _ in range(3):
            seldom.happened()
            clock.advance(1)
        self.assertEqual(told, [1, 1, 1])
