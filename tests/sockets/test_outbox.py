"""Writes that wait for the end of a round: who waits, until when, and that none is lost."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.sockets.outbox import MOST_WAITING, Outbox


class Waiting:
    """Counts how often it was told to send; may have something else to do then."""

    def __init__(self, outbox: Outbox, others: int = 0) -> None:
        self.sent = 0
        self._outbox = outbox
        self._others = others

    def send_waiting(self) -> None:
        self.sent += 1
        for _ in range(self._others):
            self._outbox.add(Waiting(self._outbox))


class OutboxTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.outbox = Outbox()
        self.outbox.is_open = True

    def add(self, count: int) -> list[Waiting]:
        waiting = [Waiting(self.outbox) for _ in range(count)]
        for one in waiting:
            self.outbox.add(one)
        return waiting

    def test_nobody_sends_while_it_is_open(self) -> None:
        (one,) = self.add(1)
        self.assertEqual(one.sent, 0)

    def test_with_its_end_each_sends_once(self) -> None:
        waiting = self.add(3)
        self.outbox.close()
        self.outbox.close()
        self.assertEqual([one.sent for one in waiting], [1, 1, 1])

    def test_closed_it_says_so(self) -> None:
        self.outbox.close()
        self.assertFalse(self.outbox.is_open)

    def test_no_more_than_so_many_wait(self) -> None:
        waiting = self.add(MOST_WAITING)
        self.assertEqual({one.sent for one in waiting}, {1})

    def test_what_comes_up_while_all_send_waits_for_the_next_end(self) -> None:
        one = Waiting(self.outbox, others=1)
        self.outbox.add(one)
        self.outbox.close()
        self.assertEqual(one.sent, 1)
