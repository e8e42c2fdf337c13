from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.model import Headers
from apigateway.testing.exchanges import exchange_for
from tests.policies.passing import answered, compiled, fields_of, options

PLAIN = [
    (b"X-Content-Type-Options", b"nosniff"),
    (b"X-Frame-Options", b"DENY"),
    (b"Referrer-Policy", b"strict-origin-when-cross-origin"),
]
HSTS = (b"Strict-Transport-Security", b"max-age=31536000")


class SecurityHeaderTests(SynchronousTestCase):
    policies = compiled(options(headers=Headers(hide_server=False, security=True), max_body=0))

    def test_every_answer_of_a_service_carries_them(self) -> None:
        self.assertEqual(answered(self.policies, exchange_for()).fields, PLAIN)

    def test_browsers_are_bound_to_tls_only_where_they_use_it(self) -> None:
        self.assertEqual(answered(self.policies, exchange_for(secure=True)).fields, [*PLAIN, HSTS])

    def test_refusals_carry_them_too(self) -> None:
        answer = answered(self.policies, exchange_for("POST", body=b"x"))
        self.assertEqual((answer.status, fields_of(answer)[-3:]), (413, PLAIN))

    def test_a_service_that_sets_one_itself_knows_better(self) -> None:
        own = [(b"x-frame-options", b"SAMEORIGIN"), (b"Strict-Transport-Security", b"max-age=0")]
        answer = answered(self.policies, exchange_for(secure=True), own)
        self.assertEqual(answer.fields, [*own, PLAIN[0], PLAIN[2]])

    def test_other_extra_fields_stay_where_the_service_knows_better(self) -> None:
        exchange = exchange_for()
        exchange.extra.append((b"RateLimit", b"1"))
        answer = answered(self.policies, exchange, [(b"X-Frame-Options", b"SAMEORIGIN")])
        self.assertEqual(answer.get(b"RateLimit"), b"1")

    def test_they_are_off_unless_asked_for(self) -> None:
        self.assertEqual(answered(compiled(options()), exchange_for()).fields, [])
