"""How long an answer asks to wait."""

from __future__ import annotations

from email.utils import formatdate

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.http.retry_after import retry_after_s


class RetryAfterTests(SynchronousTestCase):
    def test_seconds_are_seconds(self) -> None:
        for value, seconds in ((b"0", 0.0), (b"7", 7.0), (b" 120 ", 120.0)):
            self.assertEqual(retry_after_s(b"A: 1\r\nretry-AFTER:%b\r\n" % value, 0.0), seconds)

    def test_without_the_field_there_is_nothing_to_wait_for(self) -> None:
        self.assertEqual(retry_after_s(b"A: 1\r\nX-Retry-After: 9\r\n", 0.0), 0.0)

    def test_a_date_counts_from_the_date_of_the_answer(self) -> None:
        dates = (formatdate(1000, usegmt=True).encode(), formatdate(1090, usegmt=True).encode())
        self.assertEqual(retry_after_s(b"Date: %b\r\nRetry-After: %b\r\n" % dates, 0.0), 90.0)

    def test_a_date_that_is_over_is_no_wait(self) -> None:
        for lines in (b"Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n",):
            self.assertEqual(retry_after_s(lines, 0.0), 0.0)

    def test_without_a_date_of_its_own_the_present_one_counts(self) -> None:
        self.assertGreater(retry_after_s(b"Retry-After: Fri, 31 Dec 2999 23:59:59 GMT\r\n", 0.0), 1e9)

    def test_what_cannot_be_read_is_nothing(self) -> None:
        for value in (b"soon", b"-1", b"1.5", b"", b"Fri, 99 Foo 2999 99:99:99 GMT", b"\xff\xfe"):
            self.assertEqual(retry_after_s(b"Retry-After: %b\r\n" % value, 0.0), 0.0, value)

    def test_too_many_digits_stay_a_number(self) -> None:
        self.assertLess(retry_after_s(b"Retry-After: %b\r\n" % (b"9" * 5000), 0.0), 1e9 + 1)

    @given(st.binary(max_size=60))
    def test_whatever_it_says_it_is_never_less_than_nothing(self, value: bytes) -> None:
        line = b"Retry-After: %b\r\n" % value.replace(b"\r", b"").replace(b"\n", b"")
        self.assertGreaterEqual(retry_after_s(line, 0.0), 0.0)
