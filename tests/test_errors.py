"""The table of causes: stable codes, and a status, a side and a retry rule for each."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from apigateway import errors
from apigateway.errors import CAUSES, Cause, GatewayError, Retry, Side


class CauseTests(SynchronousTestCase):
    def test_codes_are_words_joined_by_dashes(self) -> None:
        for code in CAUSES:
            self.assertTrue(re.fullmatch("[a-z]+(-[a-z]+)*", code), code)

    def test_the_table_holds_every_cause_of_the_module_under_its_code(self) -> None:
        made = {value.code: value for value in vars(errors).values() if isinstance(value, Cause)}
        self.assertEqual(made, CAUSES)

    def test_the_status_fits_whose_fault_it_is(self) -> None:
        for cause in CAUSES.values():
            self.assertEqual(cause.status < 500, cause.side is Side.CLIENT, cause.code)

    def test_only_failures_to_connect_may_always_be_repeated(self) -> None:
        always = {code for code, cause in CAUSES.items() if cause.retry is Retry.ALWAYS}
        self.assertEqual(
            always, {"connect-failed", "name-not-resolved", "connect-timeout", "tls-untrusted", "tls-failed"}
        )

    def test_only_the_loss_of_a_connection_depends_on_its_having_been_used(self) -> None:
        reused = {code for code, cause in CAUSES.items() if cause.retry is Retry.IF_REUSED}
        self.assertEqual(reused, {"connection-lost"})


class GatewayErrorTests(SynchronousTestCase):
    def test_an_error_tells_its_cause_and_this_very_case(self) -> None:
        error = GatewayError(errors.RATE_LIMITED, "At most 3.", retry_after_s=7, fields=((b"A", b"b"),))
        self.assertEqual(str(error), "('rate-limited', 'At most 3.')")
        self.assertEqual((error.cause.status, error.retry_after_s, error.fields), (429, 7, ((b"A", b"b"),)))
