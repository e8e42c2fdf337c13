"""The last line of a run of .ci/run: what trial said, summed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from tests.starting import ROOT

SCRIPT = ROOT / ".ci" / "totals.py"

OUTPUT = """\
py311: commands[1]> coverage run -m twisted.trial --jobs=2 tests
    test_that_a_word_like_PASSED_in_a_name_counts_for_nothing ...  [OK]
Ran 1000 tests in 60.123s

PASSED (skips=2, expectedFailures=1, successes=997)
Name    Stmts   Miss  Cover
py312: skipped because could not find python interpreter
Ran 30 tests in 4.000s

FAILED (skips=1, failures=3, errors=4, unexpectedSuccesses=5, successes=17)
Ran 0 tests in 0.000s

PASSED
  congratulations :)
"""


def run(output: str) -> tuple[int, str]:
    """Exit status and printed lines of the script."""
    done = subprocess.run([sys.executable, str(SCRIPT)], input=output, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


class TotalsTests(SynchronousTestCase):
    def test_the_summaries_of_all_runs_are_summed_and_errors_count_as_failed(self) -> None:
        self.assertEqual(run(OUTPUT), (1, "1015 passed, 12 failed, 3 skipped\n"))

    def test_a_run_without_a_failure_succeeds(self) -> None:
        self.assertEqual(run("PASSED (successes=7)\n"), (0, "7 passed, 0 failed, 0 skipped\n"))

    def test_a_run_in_which_no_test_ran_fails(self) -> None:
        for output in ("", "PASSED\n", "PASSED (skips=3)\n"):
            self.assertEqual(run(output)[0], 1, output)

    def test_a_count_that_trial_has_but_the_script_does_not_know_is_an_error(self) -> None:
        self.assertNotEqual(run("PASSED (surprises=1, successes=7)\n")[0], 0)

    def test_every_count_that_trial_prints_is_known(self) -> None:
        spec = importlib.util.spec_from_file_location("totals", SCRIPT)
        assert spec is not None
        assert spec.loader is not None
        script = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(script)
        printed = {"skips", "expectedFailures", "failures", "errors", "unexpectedSuccesses", "successes"}
        self.assertEqual(set(script.KINDS), printed)


class RunTests(SynchronousTestCase):
    def test_what_is_run_is_the_test_line_of_the_readme(self) -> None:
        script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
        self.assertIn(r"sed -n 's/^\$ \(.*bin\/tox\)$/\1/p' README.md", script)
        lines = [line for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
                 if line.startswith("$ ") and line.endswith("bin/tox")]  # fmt: skip
        self.assertEqual(len(lines), 1, lines)
        subprocess.run(["bash", "-n", str(ROOT / ".ci" / "run")], check=True)
