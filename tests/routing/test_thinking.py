"""An exchange about which a policy thinks."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from apigateway.interfaces import IUpstream
from apigateway.routing.thinking import Thinking
from apigateway.testing.exchanges import exchange_for
from apigateway.upstream.bulkhead import Bulkhead
from apigateway.upstream.steps.time_limits import NEVER


class ThinkingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.bulkhead = Bulkhead("shop", set(), lambda: 0.5)
        self.exchange = exchange_for("POST", body=b"x")
        self.cancelled: list[object] = []
        self.verdict: Deferred[Any] = Deferred(self.cancelled.append)
        self.decided: list[Any] = []

    def begin(self) -> Thinking:
        one = Thinking(self.exchange, self.verdict, self.bulkhead, 7.0, self.decided.append)
        one.begin()
        return one

    def assert_nothing_is_left(self, one: Thinking) -> None:
        self.assertEqual((self.bulkhead.active, self.bulkhead.everyone), (set(), set()))
        self.assertIsNone(self.exchange.upstream)
        self.assertEqual(one.deadline, NEVER)

    def test_it_stands_for_the_upstream_side_until_there_is_a_verdict(self) -> None:
        one = self.begin()
        self.assertTrue(verifyObject(IUpstream, one))
        self.assertIs(self.exchange.upstream, one)
        self.assertEqual((self.bulkhead.active, self.decided), ({one}, []))
        self.verdict.callback("yes")
        self.assertEqual(self.decided, ["yes"])
        self.assert_nothing_is_left(one)

    def test_a_verdict_that_is_there_already_is_heeded_at_once(self) -> None:
        self.verdict = succeed(None)
        one = self.begin()
        self.assertEqual(self.decided, [None])
        self.assert_nothing_is_left(one)

    def test_a_failure_is_a_verdict(self) -> None:
        one = self.begin()
        self.verdict.errback(Failure(ZeroDivisionError()))
        self.assertIsInstance(self.decided[0].value, ZeroDivisionError)
        self.assert_nothing_is_left(one)

    def test_a_client_that_goes_ends_it_without_a_verdict(self) -> None:
        one = self.begin()
        one.client_gone()
        self.assertEqual((self.decided, len(self.cancelled)), ([], 1))
        self.assert_nothing_is_left(one)

    def test_time_ends_it_with_one_verdict_whatever_comes_later(self) -> None:
        for verdict in (self.verdict, Deferred[Any]()):
            self.verdict = verdict
            self.decided.clear()
            one = self.begin()
            one.expired()
            self.assertIsInstance(self.decided[0].value, TimeoutError)
            self.assert_nothing_is_left(one)
        self.verdict.callback("too late")
        self.assertEqual((len(self.decided), len(self.cancelled)), (1, 1))

    def test_the_body_is_not_touched_meanwhile(self) -> None:
        one = self.begin()
        one.pause()
        one.resume()
        one.body(b"x")
        one.body_end([])
        self.assertEqual((self.decided, self.exchange.bytes_in), ([], 0))
