"""What a run comes to: medians and spreads, tables, goals."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from bench import goals, tables
from bench.goals import GOALS
from bench.peers import CATALOGUE as PEERS
from bench.report import METRICS, cell, command, peers_in, version_of
from bench.tables import COLUMNS, heading, markdown, number, rows, terminal
from bench.workloads import CATALOGUE as WORKLOADS
from tests.bench.reports import report, turn


class CellTests(SynchronousTestCase):
    def test_a_cell_has_the_median_and_the_spread_of_its_rounds(self) -> None:
        one = cell([turn("a", whole) for whole in (100, 200, 1000)])
        self.assertEqual([one["per_second"][which] for which in ("median", "least", "most")], [100.0, 50.0, 500.0])
        self.assertEqual(one["rounds"], 3)

    def test_failures_of_all_rounds_are_added_up(self) -> None:
        self.assertEqual(cell([turn("a", bad=2), turn("a", bad=3)])["bad"], 5)

    def test_processor_time_is_for_each_answer_and_each_byte(self) -> None:
        one = cell([turn("a", whole=1000, cost_s=0.05)])
        self.assertAlmostEqual(one["cost_us"]["median"], 50.0)
        self.assertAlmostEqual(one["user_us"]["median"], 37.5)
        self.assertAlmostEqual(one["system_us"]["median"], 12.5)
        self.assertAlmostEqual(one["cost_ns_a_byte"]["median"], 50.0)

    def test_a_report_is_json_with_the_cells_in_the_order_of_the_entrants(self) -> None:
        made = report(turn("envoy"), turn("apigateway"))
        self.assertEqual(json.loads(json.dumps(made)), made)
        self.assertEqual(list(made["workloads"]["json-64"]["cells"]), ["apigateway", "envoy"])
        self.assertEqual([peer.name for peer in peers_in(made)], ["apigateway", "envoy"])

    def test_the_command_is_told_without_where_it_wrote_to(self) -> None:
        for words in (["--json", "/there/x.json", "--quick"], ["--quick", "--json=/there/x.json"]):
            self.assertEqual(command(words), "python -m bench --quick")

    def test_the_gateways_version_is_its_commit(self) -> None:
        self.assertNotEqual(version_of(PEERS["apigateway"]), "")


class TableTests(SynchronousTestCase):
    def test_numbers_have_about_three_digits(self) -> None:
        shown = [number(value) for value in (0.456, 4.56, 45.6, 456.0, 4560.0, 45600.0)]
        self.assertEqual(shown, ["0.46", "4.56", "45.6", "456", "4560", "45 600"])

    def test_each_row_is_compared_with_envoy_and_nginx_of_the_same_run(self) -> None:
        made = report(turn("apigateway", 300), turn("envoy", 200), turn("nginx", 600))
        lines = rows(made["workloads"]["json-64"])
        self.assertEqual(lines[1][0], "apigateway")
        self.assertEqual(lines[1][-2:], ["1.50", "0.50"])

    def test_without_them_there_is_nothing_to_compare_with(self) -> None:
        lines = rows(report(turn("apigateway"))["workloads"]["json-64"])
        self.assertEqual(lines[1][-2:], [tables.MISSING, tables.MISSING])

    def test_variants_are_compared_with_the_first_of_the_same_peer(self) -> None:
        labels = ("apigateway, 1 route", "apigateway, one of 10 000 routes", "nginx, 1 route")
        costs = (0.01, 0.02, 0.005)
        turns = [turn(label, cost_s=cost) for label, cost in zip(labels, costs, strict=True)]
        lines = rows(report(*turns, workload="routes")["workloads"]["routes"])
        self.assertEqual([line[-1] for line in lines[1:]], ["1.00", "2.00", "1.00"])

    def test_every_kind_of_workload_has_a_table_that_can_show_it(self) -> None:
        for workload in WORKLOADS.values():
            turns = [turn(entrant.label, each=1.0, before=1.0) for entrant in workload.entrants]
            made = report(*turns, workload=workload.name)["workloads"][workload.name]
            lines = rows(made)
            self.assertEqual(len(lines), 1 + len(workload.entrants), workload.name)
            self.assertEqual({len(line) for line in lines}, {1 + len(COLUMNS[workload.kind])}, workload.name)

    def test_tables_are_written_for_terminals_and_for_pages(self) -> None:
        lines = [["", "n"], ["a", "10"], ["long", "5"]]
        self.assertEqual(terminal(lines), "       n\na     10\nlong   5")
        self.assertEqual(markdown(lines), "|  | n |\n| --- | --: |\n| a | 10 |\n| long | 5 |")

    def test_a_heading_says_how_long_and_how_often(self) -> None:
        made = report(turn("envoy"), turn("envoy"))["workloads"]["json-64"]
        self.assertEqual(heading(made), "Small JSON answers, 64 connections; 2 rounds of 2 s")
        self.assertIn("(10 000 a second)", heading({**made, "rate": 10000.0}))


class GoalTests(SynchronousTestCase):
    def verdicts(self, *turns: Any, workload: str = "json-64") -> dict[str, str]:
        return {line[1]: line[-1] for line in goals.rows(report(*turns, workload=workload))[1:]}

    def test_a_goal_is_met_from_its_bound_on(self) -> None:
        said = self.verdicts(turn("apigateway", 120), turn("envoy", 100), turn("nginx", 241))
        self.assertEqual(said["answers a second, x Envoy"], "met")
        self.assertEqual(said["answers a second, x nginx"], "not met")

    def test_less_processor_time_is_better(self) -> None:
        said = self.verdicts(turn("apigateway", cost_s=0.01), turn("envoy", cost_s=0.012))
        self.assertEqual(said["processor time per exchange, Envoy's x ours"], "met")

    def test_what_should_be_small_is_met_below_its_bound(self) -> None:
        for p99_us, verdict in ((900.0, "met"), (1100.0, "not met")):
            turns = (turn("apigateway", p99_us=p99_us), turn("envoy", p99_us=1000.0))
            self.assertEqual(self.verdicts(*turns, workload="json-512")["p99, x Envoy"], verdict)

    def test_without_the_other_peer_a_goal_is_not_measured(self) -> None:
        self.assertEqual(set(self.verdicts(turn("apigateway")).values()), {"not measured"})

    def test_a_verdict_says_where_others_had_a_part_of_the_core(self) -> None:
        said = self.verdicts(turn("apigateway", 120), turn("envoy", 100, others_busy=0.5))
        self.assertEqual(said["answers a second, x Envoy"], "met (disturbed)")

    def test_every_goal_can_be_judged_where_all_entrants_are_there(self) -> None:
        for goal in GOALS:
            entrants = WORKLOADS[goal.workload].entrants
            turns = [turn(entrant.label, each=1.0) for entrant in entrants]
            cells = report(*turns, workload=goal.workload)["workloads"][goal.workload]["cells"]
            self.assertIsNotNone(goal.actual(cells), goal)

    def test_metrics_are_numbers_of_each_turn(self) -> None:
        for name, metric in METRICS.items():
            self.assertGreaterEqual(metric(turn("a")), 0, name)
