"""The client's side of one of two attempts that race: what reaches the client, and when."""

from __future__ import annotations

import gc
import weakref

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from apigateway.interfaces import IDownstream
from apigateway.testing.downstream import RecordingDownstream
from apigateway.testing.exchanges import exchange_for
from apigateway.upstream.steps.racer import Racer


class RacerTests(SynchronousTestCase):
    def setUp(self):
        self.client = RecordingDownstream()
        self.told = []
        self.racer = Racer(self, self.client, exchange_for())
        self.racer.forward = self

    exchange = property(lambda self: self.racer.exchange)

    def answers(self, racer):
        self.told.append(racer)
        racer.hold()

    def test_it_is_the_clients_side(self):
        verifyObject(IDownstream, self.racer)

    def test_nothing_reaches_the_client_before_it_has_won(self):
        self.racer.send_informational(103, [])
        self.racer.send_head(200, b"OK", b"A: 1\r\n", 3)
        self.racer.send_body(b"abc")
        self.racer.finish([])
        self.racer.flush()
        self.client.flush()
        self.assertEqual((self.client.status, self.told), (0, [self.racer]))

    def test_then_all_of_it_does_in_order(self):
        self.test_nothing_reaches_the_client_before_it_has_won()
        self.racer.win()
        self.racer.flush()
        self.assertEqual((self.client.status, self.client.body, self.client.is_finished), (200, b"abc", True))
        self.assertEqual(self.client.interim, [(103, [])])

    def test_what_comes_later_is_passed_on_at_once(self):
        self.racer.send_head(200, b"OK", b"", None)
        self.racer.win()
        self.racer.send_body(b"abc")
        self.racer.flush()
        self.assertEqual(self.client.body, b"abc")

    def test_of_one_that_is_out_nothing_is_ever_seen(self):
        self.racer.send_head(200, b"OK", b"", None)
        self.racer.drop()
        self.racer.send_body(b"abc")
        self.racer.abort()
        self.racer.win()
        self.client.flush()
        self.assertEqual(self.client.status, 0)

    def test_once_that_is_known_its_exchange_does_not_hold_it(self):
        gc.disable()
        self.addCleanup(gc.enable)
        for end in (Racer.win, Racer.drop, Racer.leave):
            own = exchange_for()
            racer = Racer(self, self.client, own)
            own.downstream, racer.forward = racer, self
            end(racer)
            gone = weakref.ref(racer)
            del racer
            self.assertIsNone(gone(), end)

    def test_a_whole_answer_is_told_once(self):
        self.racer.send_whole(204, b"No", b"", b"")
        self.racer.abort()
        self.assertEqual(self.told, [self.racer])

    def test_there_is_no_body_and_no_switch(self):
        for ask in (self.racer.send_continue, self.racer.open_body, self.racer.pause_body, self.racer.resume_body):
            ask()
        self.assertEqual((self.client.is_open, self.client.is_paused), (False, False))
        self.assertFalse(self.racer.offer_switch())
        self.assertRaises(RuntimeError, self.racer.switch, b"", b"", None, None)

    def test_how_far_the_client_is_the_client_knows(self):
        self.client.untaken = 7
        self.assertEqual(self.racer.progress(), (True, 7))

    def test_an_answer_below_500_of_the_service_itself_is_good(self):
        own = self.racer.exchange
        for status, fallback, good in ((0, False, False), (200, False, True), (499, False, True),
                                       (500, False, False), (200, True, False)):  # fmt: skip
            own.status, own.fallback = status, fallback
            self.assertEqual(self.racer.is_good, good)

    def test_repr_tells_how_it_stands(self):
        self.racer.exchange.target = "http://t"
        self.assertEqual(repr(self.racer), "<Racer http://t running>")
        self.racer.send_head(500, b"", b"", 0)
        self.assertEqual(repr(self.racer), "<Racer http://t held>")
        self.racer.win()
        self.assertEqual(repr(self.racer), "<Racer http://t won>")
