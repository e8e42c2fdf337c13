"""Heads as values."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.http.heads import RequestHead, ResponseHead


def head(target: bytes = b"/", *fields: tuple[bytes, bytes], minor: int = 1) -> RequestHead:
    return RequestHead(b"GET", target, minor, list(fields), list(fields), {})


class RequestHeadTests(SynchronousTestCase):
    def test_path_and_query_are_the_raw_parts_of_the_target(self) -> None:
        for target, path, query in (
            (b"/a%20b", b"/a%20b", None),
            (b"/a?", b"/a", b""),
            (b"/a?b?c", b"/a", b"b?c"),
            (b"*", b"*", None),
        ):
            self.assertEqual((head(target).path, head(target).query), (path, query))

    @settings(deadline=None)
    @given(st.binary(max_size=30))
    def test_they_make_up_the_target(self, target: bytes) -> None:
        one = head(target)
        self.assertEqual(one.path + (b"?" + one.query if one.query is not None else b""), target)

    def test_a_field_is_found_by_its_name_in_lower_case_whatever_its_spelling(self) -> None:
        one = head(b"/", (b"X-Other", b"0"), (b"x-ONE", b" 1 \t"), (b"X-One", b"2"))
        self.assertEqual((one.get(b"x-one"), one.get(b"x-two")), (b"1", None))

    def test_there_is_no_body_and_the_version_decides_about_the_connection_until_told_otherwise(self) -> None:
        self.assertEqual([(head(minor=minor).length, head(minor=minor).keep_alive) for minor in (0, 1)],
                         [(0, False), (0, True)])  # fmt: skip

    def test_lines_and_pairs_are_two_forms_of_one_head(self) -> None:
        pairs, lines = [(b"X-A", b"1"), (b"b", b""), (b"x-a", b"2")], b"X-A: 1\r\nb: \r\nx-a: 2\r\n"
        host = {b"host": b"h"}
        for one in (
            RequestHead(b"GET", b"/", 1, [(b"Host", b"h"), *pairs], pairs, host),
            RequestHead(b"GET", b"/", 1, None, None, host, lines),
        ):
            self.assertEqual((one.lines, one.plain, one.fields), (lines, pairs, [(b"Host", b"h"), *pairs]))
            self.assertEqual([one.get(name) for name in (b"x-a", b"b", b"host", b"a")], [b"1", b"", b"h", None])

    def test_what_is_passed_on_may_be_replaced_and_what_came_stays(self) -> None:
        for one in (
            head(b"/", (b"A", b"1")), RequestHead(b"GET", b"/", 1, None, None, {}, b"A: 1\r\n"),
        ):  # fmt: skip
            one.plain = [*one.plain, (b"B", b"2")]
            self.assertEqual((one.lines, one.plain), (b"A: 1\r\nB: 2\r\n", [(b"A", b"1"), (b"B", b"2")]))
            self.assertEqual((one.fields, one.get(b"b")), ([(b"A", b"1")], None))
            one.plain = []
            self.assertEqual((one.lines, one.plain, one.get(b"a")), (b"", [], b"1"))


class ResponseHeadTests(SynchronousTestCase):
    def test_fields_may_be_changed_in_place_or_replaced_in_either_form(self) -> None:
        one = ResponseHead(200, b"OK", b"A: 1\r\n", None)
        self.assertEqual((one.fields, one.lines), ([(b"A", b"1")], b"A: 1\r\n"))
        one.fields.append((b"B", b"2"))
        self.assertEqual(one.lines, b"A: 1\r\nB: 2\r\n")
        one.lines = b"C: 3\r\n"
        self.assertEqual((one.fields, one.lines), ([(b"C", b"3")], b"C: 3\r\n"))
        one.fields = []
        self.assertEqual((one.fields, one.lines), ([], b""))

    def test_policies_may_change_all_of_it(self) -> None:
        one = ResponseHead(200, b"OK", b"", None)
        one.status, one.reason, one.fields, one.length = 404, b"No", [(b"A", b"b")], 3
        self.assertEqual((one.status, one.reason, one.fields, one.length), (404, b"No", [(b"A", b"b")], 3))
