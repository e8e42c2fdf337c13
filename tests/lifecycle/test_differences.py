"""What has changed between two configurations, in words."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.read import parse_text
from apigateway.lifecycle.differences import differences

BEFORE = """
listen: [tcp:8000, tcp:8001, tcp:8002]
admin: {token: a-secret-that-nobody-may-read}
services:
  shop: {prefix: /shop, targets: ["http://a"]}
  old: {prefix: /old, targets: ["http://b"]}
"""
AFTER = """
listen: [tcp:8000, tcp:9000, {endpoint: tcp:8002, redirect: https}]
admin: {token: another-secret}
limits: {head: 16KiB}
services:
  new: {prefix: /new, targets: ["http://b"]}
  shop: {prefix: /shop, targets: ["http://a", "http://c"], timeouts: {idle: 1s}}
"""


def between(before: str, after: str) -> tuple[str, ...]:
    """The differences of two texts."""
    return differences(parse_text(before, "a.yaml", {}), parse_text(after, "b.yaml", {}))


class DifferencesTests(SynchronousTestCase):
    def test_each_is_named_and_no_value_is_shown_but_addresses(self) -> None:
        self.assertEqual(
            between(BEFORE, AFTER),
            ("service new: added", "service old: removed", "service shop: targets, timeouts",
             "listen: tcp:9000 opened", "listen: tcp:8002 changed", "listen: tcp:8001 closed", "admin", "limits"),
        )  # fmt: skip

    def test_routes_differ_where_they_say_so_themselves(self) -> None:
        text = "services: {shop: {targets: [http://a], %s routes: [{path: /a%s}]}}"
        before, own = text % ("", ""), text % ("", ", timeouts: {idle: 1s}")
        both = text % ("timeouts: {idle: 2s},", ", max_body: 1")
        self.assertEqual(between(before, own), ("service shop: routes",))
        self.assertEqual(between(before, text % ("retries: false,", "")), ("service shop: retries",))
        self.assertEqual(between(before, both), ("service shop: routes, timeouts",))

    def test_between_the_same_there_is_none(self) -> None:
        self.assertEqual(between(BEFORE, "# a word\n" + BEFORE), ())
