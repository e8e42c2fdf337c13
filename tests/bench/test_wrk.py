"""The load of wrk: the script that it is given, and what is read of what it says."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from bench.load.answers import BROWSER_FIELDS, Answers, request_head
from bench.load.wrk import SCRIPTS, read, script_text

TOLD = """\
Running 5s test @ http://127.0.0.1:8100/
  60080 requests in 5.00s, 25.30MB read
told 60080 7 4 5000000 26528972 4410 10050 12000
"""


class ReadingTests(SynchronousTestCase):
    def test_what_is_told_at_the_end_is_read_with_all_failures_together(self) -> None:
        self.assertEqual(read(TOLD), Answers(60080, 11, 5.0, 26528972, 4410.0, 10050.0, 12000.0))

    def test_bytes_are_those_of_the_bodies_where_their_size_is_known(self) -> None:
        self.assertEqual(read(TOLD, 1024).bytes, 60080 * 1024)

    def test_output_without_it_is_an_error_that_shows_the_output(self) -> None:
        error = self.assertRaises(RuntimeError, read, "unable to connect")
        self.assertIn("unable to connect", str(error))


class ScriptTests(SynchronousTestCase):
    def test_a_script_has_its_values_before_and_the_telling_behind(self) -> None:
        text = script_text("upload", {"size": 1024})
        self.assertTrue(text.startswith("size = 1024\n"), text)
        self.assertTrue(text.endswith((SCRIPTS / "told.lua").read_text(encoding="utf-8")), text)

    def test_requests_have_twelve_fields_as_a_browser_sends(self) -> None:
        head = request_head("GET", "/x", 80)
        self.assertEqual(len(BROWSER_FIELDS), 11)
        self.assertEqual(head.count(b"\r\n"), 1 + 12 + 1)
        self.assertIn(b"\r\nHost: 127.0.0.1:80\r\n", head)
