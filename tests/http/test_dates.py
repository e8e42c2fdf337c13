"""The `Date` field of answers."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

from twisted.trial.unittest import SynchronousTestCase

from apigateway.http import dates


class DateTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(dates, "_second", -1)
        self.patch(dates, "_date", b"")
        self.written = 0

    def formatted(self, usegmt: bool) -> str:
        self.written += 1
        return f"date {self.written}"

    def test_it_is_written_as_http_wants_it(self) -> None:
        date = dates.current_date(0.0).decode()
        self.assertRegex(date, r"^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$")
        self.assertIsNotNone(parsedate_to_datetime(date).tzinfo)

    def test_it_is_written_once_a_second(self) -> None:
        self.patch(dates, "formatdate", self.formatted)
        written = [dates.current_date(now) for now in (7.0, 7.5, 7.999, 8.0, 8.1, 9.0)]
        self.assertEqual(written, [b"date 1"] * 3 + [b"date 2"] * 2 + [b"date 3"])

    def test_an_answer_without_a_date_gets_one_at_its_end(self) -> None:
        for lines in (b"", b"A: b\r\n", b"Update: x\r\nX-Date: y\r\nDate-X: z\r\nA: Date: x\r\n"):
            dated = dates.with_date(lines, 0.0)
            self.assertEqual(dated, lines + b"Date: " + dates.current_date(0.0) + b"\r\n")

    def test_an_answer_with_a_date_keeps_its_own(self) -> None:
        for name in (b"Date", b"dAtE"):
            for lines in (b"%b: yesterday\r\n", b"A: b\r\n%b: yesterday\r\nC: d\r\n", b"%b:yesterday\r\n"):
                self.assertEqual(dates.with_date(lines % name, 0.0), lines % name)
