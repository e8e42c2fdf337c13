"""What is said where a step takes too long."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.errors import CAUSES, CONNECT_TIMEOUT, IDLE_TIMEOUT, RESPONSE_TIMEOUT
from apigateway.upstream.time_limits import too_late


class TooLateTests(SynchronousTestCase):
    def test_each_step_has_its_own_words(self) -> None:
        errors = [too_late(cause) for cause in (CONNECT_TIMEOUT, RESPONSE_TIMEOUT, IDLE_TIMEOUT)]
        self.assertEqual([error.cause.status for error in errors], [504] * 3)
        self.assertEqual(len({error.detail for error in errors}), 3)

    def test_every_cause_that_is_a_time_limit_of_a_target_is_one_of_them(self) -> None:
        timeouts = [cause for cause in CAUSES.values() if cause.status == 504]
        self.assertEqual(len([too_late(cause) for cause in timeouts]), 3)
