"""An exchange: what it answers itself, how it fails, and its record."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from apigateway.errors import CONNECTION_LOST, RATE_LIMITED, GatewayError
from apigateway.exchange import Exchange
from apigateway.http.answers import Answer
from apigateway.testing.downstream import RecordingDownstream
from apigateway.testing.exchanges import request_head


class ExchangeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.ended: list[Exchange] = []
        self.downstream = RecordingDownstream(lambda: 5.0)

    def exchange(self, method: str = "GET") -> Exchange:
        exchange = Exchange(request_head(method, "/x"), self.downstream, "192.0.2.1", False, 2.0, self.ended.append)
        exchange.request_id = b"abc"
        self.downstream.exchange = exchange
        return exchange

    def test_an_answer_carries_the_request_id_the_date_and_the_extra_fields(self) -> None:
        exchange = self.exchange()
        exchange.extra.append((b"Vary", b"Origin"))
        exchange.answer(Answer(200, [(b"Content-Type", b"text/plain")], b"hello"))
        fields = dict(self.downstream.fields)
        self.assertEqual((fields[b"X-Request-Id"], fields[b"Vary"]), (b"abc", b"Origin"))
        self.assertIn(b"Date", fields)
        self.assertEqual((self.downstream.status, self.downstream.body), (200, b"hello"))
        self.assertEqual((exchange.status, exchange.bytes_out), (200, 5))

    def test_a_field_that_all_answers_get_is_not_in_a_problem_twice(self) -> None:
        exchange = self.exchange()
        exchange.extra += [(b"X-Content-Type-Options", b"nosniff"), (b"X-Frame-Options", b"DENY")]
        exchange.fail(GatewayError(RATE_LIMITED))
        names = [name for name, _ in self.downstream.fields]
        self.assertEqual((names.count(b"X-Content-Type-Options"), names.count(b"X-Frame-Options")), (1, 1))

    def test_an_answer_to_head_has_no_bytes(self) -> None:
        exchange = self.exchange("HEAD")
        exchange.answer(Answer(200, [], b"hello"))
        self.assertEqual(exchange.bytes_out, 0)

    def test_a_failure_before_the_answer_is_a_problem(self) -> None:
        exchange = self.exchange()
        exchange.fail(GatewayError(RATE_LIMITED, "Slow down.", retry_after_s=3))
        problem = json.loads(self.downstream.body)
        self.assertEqual(
            (self.downstream.status, problem["cause"], problem["request_id"]), (429, "rate-limited", "abc")
        )
        self.assertIn((b"Retry-After", b"3"), self.downstream.fields)
        self.assertIs(exchange.cause, RATE_LIMITED)

    def test_a_failure_after_the_head_of_the_answer_cuts_it(self) -> None:
        exchange = self.exchange()
        exchange.status = 200
        self.downstream.send_head(200, b"OK", b"", 10)
        exchange.fail(GatewayError(CONNECTION_LOST))
        self.assertTrue(self.downstream.is_aborted)
        self.assertEqual((exchange.status, exchange.cause), (200, CONNECTION_LOST))

    def test_the_end_is_observed_once_and_lets_go_of_who_answered(self) -> None:
        exchange = self.exchange()
        exchange.answer(Answer(204, []))
        self.assertEqual(self.ended, [exchange])
        self.assertIsNone(exchange.upstream)
        self.assertEqual((exchange.started, exchange.ended), (2.0, 5.0))
