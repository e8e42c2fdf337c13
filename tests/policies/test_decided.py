"""The fields that a route's own rules are about, which trailers must not say again."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.model import Headers, Policies, RateLimit
from apigateway.policies.decided import dashed_names, decisive_names, named_field, ruled_names


class DecidedTests(SynchronousTestCase):
    def test_a_route_without_rules_decides_by_no_field(self) -> None:
        self.assertEqual(list(decisive_names(Policies())), [])
        self.assertEqual(list(ruled_names(Headers(hide_server=False))), [])

    def test_each_rule_about_requests_names_its_fields(self) -> None:
        rules = {
            Policies(headers=Headers(set_request=(("X-User", "anon"),))): ["X-User"],
            Policies(headers=Headers(remove_request=("X-Internal",))): ["X-Internal"],
            Policies(required_headers=("X-Sender",)): ["X-Sender"],
            Policies(rate_limit=(RateLimit(), RateLimit(key="header:X-Key"))): ["X-Key"],
            Policies(content_types=("text/plain",)): ["Content-Type"],
        }
        for policies, names in rules.items():
            self.assertEqual(list(decisive_names(policies)), names)

    def test_each_rule_about_answers_names_its_fields(self) -> None:
        headers = Headers(set_response=(("X-Set", "1"),), remove_response=("X-Debug",))
        self.assertEqual(dashed_names(ruled_names(headers)), {b"x-set", b"x-debug", b"server", b"x-powered-by"})

    def test_keys_may_name_a_field(self) -> None:
        self.assertEqual([named_field(key) for key in ("header:X-A", "cookie:a", "client")], [("X-A",), (), ()])

    def test_underscores_are_dashes(self) -> None:
        self.assertEqual(dashed_names(["X_User", "x-USER"]), {b"x-user"})
