"""What is said where a step takes too long."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.errors import CAUSES, CONNECT_TIMEOUT, IDLE_TIMEOUT, RESPONSE_TIMEOUT, TOTAL_TIMEOUT
from apigateway.testing.exchanges import exchange_for
from apigateway.upstream.steps.deadline_field import DeadlineField
from apigateway.upstream.steps.terms import Terms
from apigateway.upstream.steps.time_limits import NEVER, TimeLimits, latest_of, too_late


class TooLateTests(SynchronousTestCase):
    def test_each_step_has_its_own_words(self) -> None:
        errors = [too_late(cause) for cause in (CONNECT_TIMEOUT, RESPONSE_TIMEOUT, TOTAL_TIMEOUT, IDLE_TIMEOUT)]
        self.assertEqual([error.cause.status for error in errors], [504] * 4)
        self.assertEqual(len({error.detail for error in errors}), 4)

    def test_every_cause_that_is_a_time_limit_of_a_target_is_one_of_them(self) -> None:
        timeouts = [cause for cause in CAUSES.values() if cause.status == 504]
        self.assertEqual(len([too_late(cause) for cause in timeouts]), 4)


class LatestTests(SynchronousTestCase):
    LIMITS = TimeLimits(connection=1.0, response=2.0, idle=3.0)

    def latest(self, total: float, told: bytes = b"", trusted: bool = True, now: float = 10.0) -> float:
        exchange = exchange_for("GET", "/", [(b"X-Left", told)] if told else [], now=lambda: 10.0)
        exchange.trusted = trusted
        return latest_of(Terms(self.LIMITS, total=total, deadline_field=DeadlineField(b"X-Left")), exchange, now)

    def test_it_is_the_time_for_all_from_the_beginning(self) -> None:
        self.assertEqual((self.latest(5.0), self.latest(NEVER)), (15.0, NEVER))

    def test_or_what_a_trusted_proxy_leaves_if_that_is_less(self) -> None:
        self.assertEqual((self.latest(5.0, b"4000"), self.latest(5.0, b"6000")), (14.0, 15.0))
        self.assertEqual(self.latest(5.0, b"4000", trusted=False), 15.0)

    def test_what_that_leaves_has_passed_before_a_fallback_begins_too(self) -> None:
        self.assertEqual(self.latest(5.0, b"4000", now=13.0), 14.0)
