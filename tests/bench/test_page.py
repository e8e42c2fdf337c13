"""The page and its charts: written from a report, between markers, legible in light and dark."""

from __future__ import annotations

import json
import re
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

from twisted.trial.unittest import SynchronousTestCase

from bench import page, plot
from bench.svg import Bar, Reach, bars, reaches
from bench.workloads import CATALOGUE
from tests.bench.reports import report, turn

_SVG = "{http://www.w3.org/2000/svg}"


class PageTests(SynchronousTestCase):
    def test_parts_replace_what_stood_between_their_markers(self) -> None:
        text = "a\n<!-- run -->\nold\n<!-- end of run -->\nb\n"
        once = page.filled(text, {"run": "new"})
        self.assertEqual(once, "a\n<!-- run -->\n\nnew\n\n<!-- end of run -->\nb\n")
        self.assertEqual(page.filled(once, {"run": "new"}), once)

    def test_a_page_without_markers_is_an_error(self) -> None:
        self.assertRaises(ValueError, page.filled, "a", {"run": "new"})

    def test_the_page_of_the_docs_has_the_markers_of_all_parts(self) -> None:
        parts = page.parts(report(turn("apigateway"), turn("envoy")), "benchmarks")
        text = page.filled(page.PAGE.read_text(encoding="utf-8"), parts)
        for part in parts.values():
            self.assertIn(part, text)

    def test_it_names_machine_versions_date_and_command(self) -> None:
        text = page.where(report(turn("apigateway"), turn("envoy")))
        for said in ("2026-01-02", "2 cores of an Example CPU", "Python 3.11.0", "python -m bench", "1.40.0", "abc"):
            self.assertIn(said, text)

    def test_it_says_where_the_gateway_is_behind(self) -> None:
        text = page.losses(report(turn("apigateway", 100), turn("envoy", 50), turn("nginx", 400)))
        self.assertEqual(text, "* Small JSON answers, 64 connections: 0.25 of nginx.")

    def test_and_where_it_is_behind_nobody(self) -> None:
        text = page.losses(report(turn("apigateway", 100), turn("envoy", 50)))
        self.assertEqual(text, "* Small JSON answers, 64 connections: behind none of them.")

    def test_the_command_writes_the_page_and_the_charts_beside_it(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "numbers.md").write_text(page.PAGE.read_text(encoding="utf-8"), encoding="utf-8")
        (folder / "run.json").write_text(json.dumps(report(turn("apigateway"))), encoding="utf-8")
        self.patch(sys, "argv", ["bench.page", str(folder / "run.json"), str(folder / "numbers.md")])
        with redirect_stdout(StringIO()) as told:
            page.main()
        self.assertEqual(told.getvalue(), f"{folder / 'numbers.md'}\n")
        text = (folder / "numbers.md").read_text(encoding="utf-8")
        links = re.findall(r"!\[\]\((.*?)\)", text)
        self.assertEqual(links, ["numbers/json-64.svg"])
        self.assertTrue((folder / links[0]).exists())


class ChartTests(SynchronousTestCase):
    def test_every_kind_of_workload_has_a_chart_with_a_row_for_each_entrant(self) -> None:
        for workload in CATALOGUE.values():
            turns = [turn(entrant.label, each=1.0) for entrant in workload.entrants]
            text = plot.chart(report(*turns, workload=workload.name)["workloads"][workload.name])
            labels = [element.text for element in ElementTree.fromstring(text).iter(f"{_SVG}text")]
            for entrant in workload.entrants:
                self.assertIn(plot.plain(entrant.label), labels, workload.name)

    def test_bars_are_as_long_as_their_values_and_ours_stand_out(self) -> None:
        text = bars("t", "u", [Bar("a", 10.0, 9.0, 10.0, "10", True), Bar("b", 5.0, 5.0, 5.0, "5", False)])
        found = [
            (one.get("class"), float(one.get("width", ""))) for one in ElementTree.fromstring(text).iter(f"{_SVG}rect")
        ]
        self.assertEqual([kind for kind, _ in found], ["ours", "bar"])
        self.assertAlmostEqual(found[0][1], found[1][1] * 2)

    def test_each_decade_of_latencies_is_as_wide_as_the_other(self) -> None:
        text = reaches("t", [Reach("a", (0.1, 1.0, 10.0), True)])
        tree = ElementTree.fromstring(text)
        circle, square = next(tree.iter(f"{_SVG}circle")), next(tree.iter(f"{_SVG}rect"))
        marks = [
            float(element.get("x", "")) for element in tree.iter(f"{_SVG}text") if (element.text or "").endswith("ms")
        ]
        self.assertEqual(marks[0], float(circle.get("cx", "")))
        self.assertEqual(marks[1], float(square.get("x", "")) + 5)

    def test_colours_follow_the_readers_scheme(self) -> None:
        self.assertIn("@media (prefers-color-scheme: dark)", bars("t", "u", []))

    def test_labels_are_text_whatever_they_hold(self) -> None:
        text = bars("a < b & c", "u", [Bar("<x>", 0.0, 0.0, 0.0, "0", False)])
        self.assertEqual(ElementTree.fromstring(text)[0].text, "a < b & c")
