"""Answers that the gateway itself gives."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.errors import CAUSES
from apigateway.http.answers import Answer, reason


class AnswerTests(SynchronousTestCase):
    def test_an_answer_has_the_registered_reason_of_its_status(self) -> None:
        self.assertEqual(Answer(404, []).reason, b"Not Found")

    def test_a_status_that_is_not_registered_has_none(self) -> None:
        self.assertEqual((reason(299), reason(777)), (b"", b""))

    def test_every_status_of_a_cause_has_a_reason(self) -> None:
        self.assertEqual([cause.code for cause in CAUSES.values() if not reason(cause.status)], [])

    def test_an_answer_has_no_body_unless_one_is_given(self) -> None:
        self.assertEqual((Answer(204, []).body, Answer(200, [], b"x").body), (b"", b"x"))
