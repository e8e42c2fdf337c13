"""What of an exchange decides to which target it belongs."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.testing.exchanges import exchange_for
from apigateway.upstream.balancing.keys import key_of


class KeyTests(SynchronousTestCase):
    def key(self, words: str, *fields: tuple[bytes, bytes], target: str = "/a/b?c") -> bytes | None:
        return key_of(words, str.upper)(exchange_for("GET", target, fields, client="2001:db8::1"))

    def test_the_client_is_what_its_address_counts_as(self) -> None:
        self.assertEqual(self.key("client"), b"2001:DB8::1")

    def test_the_path_is_without_the_query(self) -> None:
        self.assertEqual(self.key("path"), b"/a/b")

    def test_a_field_is_found_in_any_case(self) -> None:
        self.assertEqual(self.key("header:X-Tenant", (b"x-tenant", b"t1")), b"t1")
        self.assertEqual(self.key("header:host", (b"Host", b"shop.example")), b"shop.example")

    def test_a_cookie_is_found_among_others(self) -> None:
        self.assertEqual(self.key("cookie:sid", (b"Cookie", b"a=1; sid=xyz; SID=no")), b"xyz")

    def test_what_is_missing_or_empty_is_no_key(self) -> None:
        self.assertIsNone(self.key("header:X-Tenant"))
        self.assertIsNone(self.key("header:X-Tenant", (b"X-Tenant", b"")))
        self.assertIsNone(self.key("cookie:sid", (b"Cookie", b"sid=")))
