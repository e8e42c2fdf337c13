"""Bytes of strangers as text for logs."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.telemetry.visible import MOST_TEXT, quoted, visible


class VisibleTests(SynchronousTestCase):
    """What becomes of bytes that a log must not hold."""

    @settings(deadline=None)
    @given(st.binary())
    def test_whatever_the_bytes_the_text_is_printable_ascii(self, raw: bytes) -> None:
        for text in (visible(raw), quoted(raw)):
            self.assertTrue(text.isascii() and text.isprintable(), text)

    @settings(deadline=None)
    @given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
    def test_printable_ascii_stays_as_it_is(self, text: str) -> None:
        self.assertEqual(visible(text.encode()), text)

    @settings(deadline=None)
    @given(st.binary())
    def test_quoted_text_cannot_end_the_quotes_around_it(self, raw: bytes) -> None:
        rest = quoted(raw).replace("\\\\", "").replace('\\"', "")
        self.assertNotIn('"', rest)
        self.assertFalse(rest.endswith("\\"))

    def test_control_bytes_and_foreign_letters_are_written_as_their_numbers(self) -> None:
        self.assertEqual(visible(b"a\r\n\x1b[2J\x7f\xc3\xa4"), r"a\x0d\x0a\x1b[2J\x7f\xc3\xa4")

    def test_quotes_and_backslashes_are_escaped_where_quotes_matter(self) -> None:
        self.assertEqual(quoted(b'a"b\\'), r"a\"b\\")

    def test_what_is_too_long_is_cut_and_says_so(self) -> None:
        for text in (visible, quoted):
            self.assertEqual([text(raw, 3) for raw in (b"", b"abc", b"abcd")], ["", "abc", "abc..."])
            self.assertEqual(len(text(b"a" * 9000)), MOST_TEXT + 3)
