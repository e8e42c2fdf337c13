from twisted.trial.unittest import SynchronousTestCase

from apigateway.config import model
from apigateway.policies.policy import request_side, response_side
from apigateway.testing.exchanges import exchange_for
from tests.policies.passing import answered, compiled, options

EVERYTHING = options(
    cors=model.Cors(("https://shop.example.com",)),
    max_body=10,
    content_types=("text/plain",),
    required_headers=("X-Tenant",),
    headers=model.Headers(security=True, set_request=(("A", "b"),)),
    rate_limit=(model.RateLimit(2),),
)


class CatalogueTests(SynchronousTestCase):
    def test_by_default_a_route_has_a_rate_limit_and_hides_what_its_service_runs_on(self) -> None:
        policies = compiled(model.Policies())
        self.assertEqual([policy.name for policy in policies], ["rate-limit", "response-headers"])
        self.assertEqual((len(request_side(policies)), len(response_side(policies))), (1, 1))

    def test_what_is_switched_off_is_not_there(self) -> None:
        self.assertEqual(compiled(options()), ())

    def test_policies_stand_in_one_order_whatever_the_route_has(self) -> None:
        names = [policy.name for policy in compiled(EVERYTHING)]
        self.assertEqual(
            names,
            [
                "security-headers",
                "cors",
                "size-limit",
                "rate-limit",
                "content-types",
                "required-headers",
                "request-headers",
                "response-headers",
            ],
        )

    def test_preflights_are_answered_before_anything_is_asked_of_them_or_counted(self) -> None:
        policies = compiled(EVERYTHING)
        fields = [(b"Origin", b"https://shop.example.com"), (b"Access-Control-Request-Method", b"PUT")]
        answers = [answered(policies, exchange_for("OPTIONS", fields=fields)).status for _ in range(5)]
        self.assertEqual(answers, [204] * 5)

    def test_a_request_that_is_too_large_does_not_count_against_the_rate_limit(self) -> None:
        policies = compiled(EVERYTHING)
        for _ in range(5):
            self.assertEqual(answered(policies, exchange_for("POST", body=b"x" * 11)).status, 413)
        answer = answered(policies, exchange_for("GET", fields=[(b"X-Tenant", b"a")]))
        self.assertEqual((answer.status, answer.get(b"RateLimit")), (200, b'"60s";r=1;t=60'))

    def test_pages_can_read_every_refusal_and_browsers_are_careful_with_it(self) -> None:
        policies = compiled(EVERYTHING)
        origin = (b"Origin", b"https://shop.example.com")
        refusals = [
            exchange_for("POST", fields=[origin], body=b"x" * 11),
            exchange_for("POST", fields=[origin], body=b"x"),
            exchange_for("GET", fields=[origin]),
            exchange_for("GET", fields=[origin]),
        ]
        answers = [answered(policies, exchange) for exchange in refusals]
        self.assertEqual([answer.status for answer in answers], [413, 415, 400, 429])
        for answer in answers:
            self.assertEqual(answer.get(b"Access-Control-Allow-Origin"), b"https://shop.example.com")
            self.assertEqual(answer.get(b"X-Content-Type-Options"), b"nosniff")
