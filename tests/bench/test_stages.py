"""The micro-benchmarks of the stages: each does what its name says, no policy is forgotten, and the command runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from time import monotonic

from twisted.trial.unittest import SynchronousTestCase

from apigateway.http.ordinary import match_request, match_response
from apigateway.policies.catalogue import CATALOGUE, compile_policies
from bench.stages import instructions, messages
from bench.stages.catalogue import GROUPS, WHOLE, catalogue, chosen
from bench.stages.clock import timed
from bench.stages.instructions import counted
from bench.stages.memory import DEFAULT
from bench.stages.memory import Path as Way
from bench.stages.policies import CASES, NONE, tools
from bench.stages.report import SUM, report, rows
from tests.starting import ROOT, environment


def stages(*options: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    command = [sys.executable, "-m", "bench.stages", *options]
    return subprocess.run(
        command, cwd=ROOT, env=environment(), check=False, capture_output=True, text=True, timeout=300
    )


class PolicyTests(SynchronousTestCase):
    def test_every_policy_of_the_catalogue_is_measured(self) -> None:
        self.assertEqual({policy.__name__ for policy in CATALOGUE}, set(CASES), "a policy needs a case")
        for name, case in CASES.items():
            (policy,) = compile_policies(case.options, tools(monotonic))
            sides = [stage for stage in catalogue() if stage.startswith(f"{policy.name}: ")]
            self.assertTrue(sides, name)

    def test_what_they_are_compared_with_has_none(self) -> None:
        self.assertEqual(compile_policies(NONE, tools(monotonic)), ())

    def test_those_of_the_default_configuration_are_a_part_of_the_sum(self) -> None:
        counted = [stage.name for stage in catalogue().values() if stage.group == "policies" and stage.counts]
        self.assertEqual(counted, ["rate-limit: request", "response-headers: answer"])


class StageTests(SynchronousTestCase):
    def test_every_stage_can_be_passed_again_and_again(self) -> None:
        for name, stage in catalogue().items():
            self.assertIn(stage.group, GROUPS)
            work = stage.make(monotonic)
            for _ in range(3):
                work.call(work.item())
            self.assertGreaterEqual(work.of, 1, name)

    def test_heads_are_read_as_the_names_of_the_stages_say(self) -> None:
        for ordinary in (messages.REQUEST, *messages.OTHERS):
            self.assertIsNotNone(match_request(ordinary))
        self.assertIsNone(match_request(messages.UNUSUAL))
        self.assertIsNotNone(match_response(messages.ANSWER))
        for unusual in (messages.UNUSUAL_ANSWER, messages.CHUNKED_ANSWER):
            self.assertIsNone(match_response(unusual))

    def test_the_whole_answers_each_client_and_records_it(self) -> None:
        way = Way(DEFAULT, 3, monotonic)
        work = way.work()
        work.item()
        work.call(None)
        self.assertEqual(work.of, 3)
        self.assertEqual(len(set(map(id, way.answered))), 3)
        way.gateway.telemetry.flush()
        (tally,) = way.gateway.telemetry.statistics.since_start().values()
        self.assertEqual((tally.requests, tally.statuses[2]), (6, 6))

    def test_they_are_chosen_by_group_or_by_a_word(self) -> None:
        self.assertEqual({stage.group for stage in chosen(["route"]).values()}, {"route"})
        self.assertEqual(list(chosen(["json", "combined"])), ["access log line: json", "access log line: combined"])
        self.assertIn("an exchange without policies", chosen(["cors"]))
        self.assertEqual(chosen([]), catalogue())
        self.assertRaises(LookupError, chosen, ["nobody"])


class ReportTests(SynchronousTestCase):
    def test_the_sum_is_that_of_the_ordinary_stages_and_stands_above_the_whole(self) -> None:
        made = report(catalogue(), timed(catalogue(), 1), {}, [])
        table = {line[0].strip(): line[1] for line in rows(made)}
        names = list(table)
        self.assertLess(names.index(SUM), names.index(WHOLE))
        parts = [one["best_us"] for one in made["stages"].values() if one["counts"]]
        self.assertEqual(table[SUM], f"{sum(parts):.2f}")

    def test_without_all_of_them_there_is_no_sum(self) -> None:
        made = report(chosen(["whole"]), timed(chosen(["whole"]), 1), {}, [])
        self.assertNotIn(SUM, [line[0] for line in rows(made)])

    def test_an_earlier_run_stands_beside_it(self) -> None:
        one = chosen(["make the exchange"])
        made = report(one, timed(one, 1), {"make the exchange": 300.0}, [])
        before = json.loads(json.dumps(made))
        before["stages"]["make the exchange"].update(best_us=2 * made["stages"]["make the exchange"]["best_us"])
        before["stages"]["make the exchange"].update(instructions=200.0)
        titles, _, line = rows(made, before)
        self.assertEqual(titles[4:], ["best before", "ratio", "instructions before", "ratio"])
        self.assertEqual([line[5], *line[6:]], ["0.50", "200", "1.50"])

    def test_a_stage_that_is_new_has_nothing_beside_it(self) -> None:
        one = chosen(["make the exchange"])
        made = report(one, timed(one, 1), {}, [])
        _, _, line = rows(made, {"stages": {}})
        self.assertEqual(line[3:], ["-", "-"])


class InstructionTests(SynchronousTestCase):
    def test_they_are_counted_where_valgrind_is_and_those_of_more_work_are_more(self) -> None:
        if instructions.valgrind() is None:
            self.skipTest(instructions.MISSING)
        again, new, llhttp = (f"read a request head: {how}" for how in ("as the one before", "ordinary", "by llhttp"))
        counts = counted({name: catalogue()[name] for name in (again, new, llhttp)})
        self.assertGreater(counts[again], 1000)
        self.assertLess(counts[again], counts[new])
        self.assertLess(counts[new], counts[llhttp])


class CommandTests(SynchronousTestCase):
    def test_the_smallest_run_shows_every_stage_and_an_earlier_run_beside(self) -> None:
        file = str(Path(self.mktemp()).absolute())
        done = stages("--rounds=1", f"--json={file}")
        self.assertEqual(done.returncode, 0, done.stderr)
        for name in (*catalogue(), SUM):
            self.assertIn(f"  {name} ", done.stdout)
        done = stages("--rounds=1", "--only=policies", f"--compare={file}")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("best before", done.stdout)

    def test_a_stage_that_is_none_is_refused(self) -> None:
        done = stages("--only=nobody")
        self.assertEqual(done.returncode, 1)
        self.assertIn("no such stage or group: nobody", done.stderr)
