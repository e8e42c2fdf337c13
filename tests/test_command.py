"""The console script `apigateway`: twistd's plugin without twistd's own options."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from apigateway import __version__
from apigateway.command import main
from apigateway.testing.ports import free_port
from tests.starting import Started, environment, fetch, port_of

GOOD = "services: {orders: {prefix: /orders, targets: [http://localhost:8003]}}\n"


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the console script to its end in an empty folder."""
    return subprocess.run(
        [sys.executable, "-m", "apigateway", *arguments], env=environment(), capture_output=True, text=True, check=False
    )


def printed(*arguments: str) -> str:
    """What the console script prints for a word that starts nothing."""
    with contextlib.redirect_stdout(io.StringIO()) as output:
        main(arguments)
    return output.getvalue()


class WordTests(SynchronousTestCase):
    def test_it_tells_its_version(self) -> None:
        self.assertEqual(printed("--version"), f"apigateway {__version__}\n")

    def test_it_tells_what_it_can_do(self) -> None:
        for word in ("check", "schema", "run", "--demo"):
            self.assertIn(word, printed("--help"))
        self.assertEqual(printed("-h"), printed("--help"))

    def test_it_prints_the_schema_of_the_file(self) -> None:
        self.assertIn("services", json.loads(printed("schema"))["properties"])

    def test_a_word_it_does_not_know_is_refused(self) -> None:
        refused = self.assertRaises(SystemExit, main, ["chekc"])
        self.assertIn("unknown command 'chekc'", str(refused.code))


class CheckTests(SynchronousTestCase):
    def file(self, text: str) -> str:
        path = Path(self.mktemp()).resolve()
        path.write_text(text, encoding="utf-8")
        return str(path)

    def test_a_good_file_is_ok_and_its_routes_are_shown(self) -> None:
        done = command("check", self.file(GOOD))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout.splitlines()[0], "ok")
        self.assertIn("/orders", done.stdout)
        self.assertTrue(done.stdout.endswith("\n"), "a prompt comes after it")

    def test_a_bad_file_fails_with_each_problem_and_its_place_and_no_traceback(self) -> None:
        path = self.file("services:\n  orders: {prefix: orders, target: []}\n")
        done = command("check", path)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertGreater(len(done.stderr.splitlines()), 1)
        for line in done.stderr.splitlines():
            self.assertTrue(line.startswith(f"{path}:2: services.orders"), line)

    def test_without_a_file_the_environment_is_checked(self) -> None:
        self.assertIn("/auth", command("check").stdout)

    def test_options_are_checked_along(self) -> None:
        done = command("check", self.file(GOOD), "--listen", "nothing:1")
        self.assertEqual((done.returncode, "nothing:1" in done.stderr), (1, True), done.stderr)

    def test_a_file_is_checked_while_its_port_is_taken(self) -> None:
        with Started([sys.executable, "-m", "apigateway", "-l", "tcp:0:interface=127.0.0.1"], "listening") as first:
            done = command("check", "-l", f"tcp:{port_of(first)}:interface=127.0.0.1")
        self.assertEqual((done.returncode, done.stderr), (0, ""))


class RunTests(SynchronousTestCase):
    def test_it_serves_with_run_or_without_and_leaves_no_file_behind(self) -> None:
        for words in (["run"], []):
            folder = Path(self.mktemp())
            folder.mkdir()
            listen = ["--listen", "tcp:0:interface=127.0.0.1"]
            with Started([sys.executable, "-m", "apigateway", *words, *listen], "listening", folder=str(folder)) as it:
                live = fetch(f"http://127.0.0.1:{port_of(it)}/health/live")
            self.assertIn(b"status", live)
            self.assertEqual(list(folder.iterdir()), [])

    def test_its_options_are_those_of_the_plugin(self) -> None:
        shown = command("run", "--help").stdout
        for option in ("--config=", "--listen=", "--demo", "--check"):
            self.assertIn(option, shown)

    def test_a_bad_file_keeps_it_from_starting_with_no_traceback(self) -> None:
        done = command("run", "-c", "/nowhere/gateway.yaml")
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (1, 1), done.stderr)

    def test_a_port_that_is_taken_keeps_it_from_starting_and_is_told_in_the_last_line(self) -> None:
        listen = ["-l", f"tcp:{free_port()}:interface=127.0.0.1"]
        with Started([sys.executable, "-m", "apigateway", *listen], "listening"):
            done = command(*listen)
        self.assertEqual((done.returncode, "Traceback" in done.stderr), (1, False), done.stderr)
        self.assertIn("cannot listen", done.stderr.splitlines()[-1])
