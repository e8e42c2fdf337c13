"""How long a connection that is ready waits for its turn."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet import reactor as global_reactor
from twisted.trial.unittest import SynchronousTestCase

from apigateway.sockets.outbox import Outbox
from apigateway.sockets.poller import MOST_EVENTS, Poller
from apigateway.sockets.wait import Wait


class Ready:
    """Is always ready, and takes a second of the clock each time."""

    def __init__(self, test: WaitTests) -> None:
        self._test = test
        self._fd = os.eventfd(1)
        test.addCleanup(os.close, self._fd)

    def fileno(self) -> int:
        return self._fd

    def doRead(self) -> None:
        self._test.now += 1.0


class WaitTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = 100.0
        reactor: Any = global_reactor
        self.poller = Poller(reactor, Outbox())
        self.addCleanup(self.poller.removeAll)
        self.wait = Wait(self.poller, lambda: self.now)
        self.wait.open()
        self.addCleanup(self.wait.close)

    def test_alone_it_does_not_wait(self) -> None:
        for _ in range(3):
            self.assertEqual(self.wait.seconds(), 0.0)
            self.poller.doRead()
            self.now += 5.0

    def test_it_waits_for_those_who_were_ready_before(self) -> None:
        for _ in range(10):
            self.poller.addReader(Ready(self))
        self.wait.seconds()
        self.poller.doRead()
        self.assertEqual(self.wait.seconds(), 10.0)

    def test_it_waits_for_more_than_one_turn_where_more_are_ready_than_are_served_in_one(self) -> None:
        for _ in range(MOST_EVENTS + 10):
            self.poller.addReader(Ready(self))
        self.wait.seconds()
        self.poller.doRead()
        self.assertEqual(self.wait.seconds(), MOST_EVENTS, "and still waits")
        self.poller.doRead()
        self.assertEqual(self.wait.seconds(), MOST_EVENTS + 10)

    def test_while_it_waits_it_is_told_how_long_already(self) -> None:
        self.wait.seconds()
        self.now += 7.0
        self.assertEqual(self.wait.seconds(), 7.0)

    def test_closed_it_keeps_no_poller_open(self) -> None:
        self.wait.close()
        self.wait.close()
        self.assertEqual((self.poller.fileno(), self.wait.seconds()), (-1, 0.0))
        self.wait.open()
        self.assertNotEqual(self.poller.fileno(), -1)

    def test_repr_tells_the_state(self) -> None:
        self.assertEqual(repr(self.wait), "<Wait 0.000 s>")
        self.wait.seconds()
        self.assertEqual(repr(self.wait), "<Wait 0.000 s, waiting>")
