"""The client's side of an exchange whose client is gone."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from apigateway.errors import RESPONSE_TIMEOUT, GatewayError
from apigateway.interfaces import IDownstream
from apigateway.testing.exchanges import exchange_for
from apigateway.upstream.steps.nobody import NOBODY


class NobodyTests(SynchronousTestCase):
    def test_it_is_a_clients_side(self):
        verifyObject(IDownstream, NOBODY)

    def test_an_answer_and_a_failure_may_be_sent_to_it(self):
        NOBODY.send_continue()
        NOBODY.send_informational(103, [])
        NOBODY.open_body()
        NOBODY.pause_body()
        NOBODY.resume_body()
        self.assertEqual(NOBODY.progress(), (True, 0))
        for _ in range(2):
            exchange = exchange_for()
            exchange.downstream = NOBODY
            exchange.fail(GatewayError(RESPONSE_TIMEOUT))
            exchange.fail(GatewayError(RESPONSE_TIMEOUT))
            self.assertEqual((exchange.status, exchange.cause), (504, RESPONSE_TIMEOUT))
