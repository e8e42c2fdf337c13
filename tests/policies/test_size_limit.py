from twisted.trial.unittest import SynchronousTestCase

from apigateway.testing.exchanges import exchange_for
from tests.policies.passing import answered, compiled, options


class SizeLimitTests(SynchronousTestCase):
    policies = compiled(options(max_body=10))

    def test_a_body_of_the_largest_size_is_let_through(self) -> None:
        self.assertEqual(answered(self.policies, exchange_for("PUT", body=b"x" * 10)).status, 200)
        self.assertEqual(answered(self.policies, exchange_for("GET")).status, 200)

    def test_a_body_that_says_it_is_larger_is_refused_before_it_is_sent(self) -> None:
        downstream = answered(self.policies, exchange_for("PUT", body=b"x" * 11))
        self.assertEqual(downstream.status, 413)
        self.assertIn(b"At most 10 bytes", downstream.body)
        self.assertFalse(downstream.is_open)

    def test_a_body_that_does_not_say_how_large_it_is_is_counted_on_its_way(self) -> None:
        exchange = exchange_for("PUT", chunked=True)
        answered(self.policies, exchange)
        self.assertEqual(exchange.max_body, 10)

    def test_no_body_at_all_can_be_the_limit(self) -> None:
        policies = compiled(options(max_body=0))
        self.assertEqual(answered(policies, exchange_for("PUT", body=b"x")).status, 413)
        self.assertEqual(answered(policies, exchange_for("GET")).status, 200)

    def test_without_a_limit_nothing_is_counted(self) -> None:
        exchange = exchange_for("PUT", chunked=True)
        answered(compiled(options()), exchange)
        self.assertIsNone(exchange.max_body)
