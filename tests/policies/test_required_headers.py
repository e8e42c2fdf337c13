import json

from twisted.trial.unittest import SynchronousTestCase

from apigateway.testing.exchanges import exchange_for
from tests.policies.passing import answered, compiled, options


class RequiredHeaderTests(SynchronousTestCase):
    policies = compiled(options(required_headers=("X-Tenant", "X-Api-Version")))

    def test_a_request_that_has_them_all_is_let_through_whatever_their_spelling(self) -> None:
        exchange = exchange_for(fields=[(b"x-tenant", b"a"), (b"X-API-VERSION", b"1")])
        self.assertEqual(answered(self.policies, exchange).status, 200)

    def test_a_request_without_some_is_refused_with_their_names(self) -> None:
        for fields, names in (
            ([], "X-Tenant, X-Api-Version"),
            ([(b"X-Api-Version", b"1")], "X-Tenant"),
        ):
            answer = answered(self.policies, exchange_for(fields=fields))
            problem = json.loads(answer.body)
            self.assertEqual(
                (answer.status, problem["cause"], problem["detail"]), (400, "missing-header", f"Missing: {names}.")
            )

    def test_an_empty_field_is_as_good_as_none(self) -> None:
        exchange = exchange_for(fields=[(b"X-Tenant", b" "), (b"X-Api-Version", b"1")])
        self.assertEqual(answered(self.policies, exchange).status, 400)
