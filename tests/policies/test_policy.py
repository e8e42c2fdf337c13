from twisted.trial.unittest import SynchronousTestCase

from apigateway.exchange import Exchange
from apigateway.http.heads import ResponseHead
from apigateway.policies.policy import Policy, marking_side, request_side, response_side


def ask(exchange: Exchange) -> None:
    raise AssertionError("only told apart here")


def ask_too(exchange: Exchange) -> None:
    raise AssertionError("only told apart here")


def tell(exchange: Exchange, head: ResponseHead) -> None:
    raise AssertionError("only told apart here")


def tell_too(exchange: Exchange, head: ResponseHead) -> None:
    raise AssertionError("only told apart here")


class SideTests(SynchronousTestCase):
    policies = (Policy("both", ask, tell), Policy("answers only", on_response=tell_too), Policy("neither"))

    def test_a_policy_without_a_request_side_is_not_among_what_requests_go_through(self) -> None:
        self.assertEqual(request_side(self.policies), (ask,))

    def test_only_those_that_say_so_are_asked_for_refusals(self) -> None:
        policies = (
            *self.policies,
            Policy("marks", ask_too, marks=True),
            Policy("answers only", None, tell, marks=True),
        )
        self.assertEqual(marking_side(policies), (ask_too,))

    def test_answers_go_through_the_policies_backwards(self) -> None:
        self.assertEqual(response_side(self.policies), (tell_too, tell))
