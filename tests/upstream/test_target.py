"""What is remembered of one address of a service."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.upstream.health import TargetHealth
from apigateway.upstream.target import Target
from tests.upstream.forward_world import CountingBreaker, ScriptedTransport


def target(breaker=None):
    return Target("http://shop:81", b"shop:81", 1, ScriptedTransport(), breaker, TargetHealth())


class TargetTests(SynchronousTestCase):
    def test_a_failure_is_counted_and_told_to_the_breaker(self):
        breaker = CountingBreaker()
        one = target(breaker)
        one.failed(breaker.allows(0.0), 0.0, "connect-failed")
        self.assertEqual((one.failures, breaker.told), (1, ["failure: connect-failed"]))

    def test_a_failure_whose_verdict_is_given_is_only_counted(self):
        breaker = CountingBreaker()
        one = target(breaker)
        one.failed(0, 0.0, "connection-lost")
        self.assertEqual((one.failures, breaker.told), (1, []))

    def test_an_answer_that_is_a_failure_is_one_at_once(self):
        breaker = CountingBreaker()
        one = target(breaker)
        self.assertEqual(one.answered(breaker.allows(0.0), 503, 0.0), 0)
        self.assertEqual((one.failures, breaker.told), (1, ["failure: status 503"]))

    def test_a_recovering_target_has_its_verdict_with_the_head(self):
        breaker = CountingBreaker("half-open")
        one = target(breaker)
        self.assertEqual(one.answered(breaker.allows(0.0), 404, 0.0), 0)
        self.assertEqual((one.failures, breaker.told), (0, ["success"]))

    def test_others_have_it_when_all_is_over(self):
        breaker = CountingBreaker()
        permit = breaker.allows(0.0)
        self.assertEqual(target(breaker).answered(permit, 200, 0.0), permit)
        self.assertEqual(breaker.told, [None])
        self.assertEqual(target().answered(1, 200, 0.0), 1)

    def test_a_target_may_have_no_breaker(self):
        one = target()
        one.failed(1, 0.0, "connect-failed")
        self.assertEqual(one.failures, 1)

    def test_repr_tells_the_state(self):
        one = target(CountingBreaker("half-open"))
        one.in_flight = 3
        self.assertEqual(repr(one), "<Target http://shop:81 half-open unchecked in_flight=3>")
        self.assertEqual(repr(target()), "<Target http://shop:81 no breaker unchecked in_flight=0>")
