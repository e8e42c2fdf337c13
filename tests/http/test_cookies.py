"""The cookies of a request."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.http.cookies import cookie, without_cookie
from apigateway.testing.exchanges import request_head

NAMES = st.text("abC-_", min_size=1, max_size=3).map(str.encode)
VALUES = st.text("xyz=.", max_size=4).map(str.encode)


class CookieTests(SynchronousTestCase):
    def value(self, *fields: bytes) -> bytes | None:
        return cookie(request_head("GET", "/", [(b"Cookie", field) for field in fields]), b"id")

    def test_is_found_among_others(self) -> None:
        for field in (b"id=7", b"a=b; id=7", b"id=7; a=b", b"a=b;id=7;c", b" id = 7 ", b"a=id; id=7", b"id; id=7"):
            self.assertEqual(self.value(field), b"7", field)

    def test_or_is_not_there(self) -> None:
        for field in (b"", b"id", b"ID=7", b"xid=7", b"a=id=7", b"i d=7"):
            self.assertIsNone(self.value(field), field)
        self.assertIsNone(self.value())

    def test_the_first_one_counts_in_whatever_field(self) -> None:
        self.assertEqual(self.value(b"id=1; id=2", b"id=3"), b"1")
        self.assertEqual(self.value(b"a=b", b"id=3"), b"3")

    def test_its_value_is_as_it_came(self) -> None:
        self.assertEqual([self.value(field) for field in (b'id="7"', b"id=", b"id=a=b")], [b'"7"', b"", b"a=b"])

    @settings(deadline=None)
    @given(st.lists(st.tuples(NAMES, VALUES), max_size=5), NAMES)
    def test_without_one_the_others_stay(self, pairs: list[tuple[bytes, bytes]], name: bytes) -> None:
        text = b"; ".join(map(b"=".join, pairs))
        fields = [(b"Accept", b"*/*"), (b"cookie", text)]
        left = without_cookie(fields, name)
        head = request_head("GET", "/", left)
        self.assertIsNone(cookie(head, name))
        others = [pair for pair in pairs if pair[0] != name]
        expected = [(b"cookie", b"; ".join(map(b"=".join, others)))] if others else []
        self.assertEqual(left, [(b"Accept", b"*/*"), *expected])
