"""docs/failures.md says what the catalogue says."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.failures.cases import ANSWER, CASES, FAILURE, Case, does
from tests.failures.page import tables, with_tables
from tests.starting import ROOT

PAGE = ROOT / "docs" / "failures.md"


class PageTests(SynchronousTestCase):
    maxDiff = None

    def test_the_page_has_the_current_tables(self) -> None:
        page = PAGE.read_text(encoding="utf-8")
        self.assertEqual(page, with_tables(page, CASES), "run: python -m tests.failures docs/failures.md")

    def test_a_row_says_what_happens_to_whom(self) -> None:
        case = Case("the end", "stalls", does(), 200, cut="idle-timeout", health="no answer", spared=("GET",))
        row = "| stalls | any | 200, cut | failure | bad: no answer | 200 `idle-timeout` | answers GET |"
        self.assertEqual(tables((case,)).splitlines()[-1], row)
        self.assertEqual(tables((case,)).splitlines()[0], "### The end")

    def test_no_case_stands_twice(self) -> None:
        names = [(case.part, case.what) for case in CASES]
        self.assertEqual(len(names), len(set(names)))

    def test_every_case_counts_something_that_the_page_explains(self) -> None:
        self.assertEqual({case.breaker for case in CASES} - {FAILURE, ANSWER}, set())
