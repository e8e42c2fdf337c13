"""The recording observer."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from apigateway.errors import NO_ROUTE, GatewayError
from apigateway.http.answers import Answer
from apigateway.interfaces import IExchangeObserver
from apigateway.testing.exchanges import exchange_for
from apigateway.testing.observer import RecordingObserver


class RecordingObserverTests(SynchronousTestCase):
    def test_it_is_what_its_interface_says(self):
        verifyObject(IExchangeObserver, RecordingObserver())

    def test_it_keeps_what_ended_in_order(self):
        observer = RecordingObserver()
        self.assertEqual(repr(observer), "<RecordingObserver nothing ended>")
        exchange_for("GET", "/a?b", observe=observer.exchange_ended).answer(Answer(204, []))
        failing = exchange_for("PUT", "/c", observe=observer.exchange_ended)
        failing.service = "shop"
        failing.attempts = 2
        failing.fail(GatewayError(NO_ROUTE))
        self.assertEqual(
            observer.summary(), [("GET", "/a?b", 204, None, "", 0), ("PUT", "/c", 404, "no-route", "shop", 2)]
        )
        self.assertEqual(observer.exchanges[1], failing)
        self.assertEqual(repr(observer), "<RecordingObserver GET /a?b -> 204; PUT /c -> 404 no-route>")
