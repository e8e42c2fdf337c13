"""Every kept input keeps every promise, and some new ones too; a broken promise would be found, saved and shown."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from itertools import islice
from pathlib import Path
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from apigateway.downstream import proxy_protocol
from apigateway.downstream.http1_answer import AnswerWriter
from apigateway.exchange import Exchange
from apigateway.http.request_reader import RequestReader
from apigateway.http.response_reader import ResponseReader
from apigateway.routing import snapshot
from apigateway.telemetry import lines, prometheus
from apigateway.upstream.steps.plan import ForwardPlan
from tests.fuzz import plain
from tests.fuzz.catalogue import NAMES, corpus, load
from tests.fuzz.findings import TooLongError, in_time
from tests.fuzz.target import Target, nothing_logged_as_failed, split
from tests.fuzz.targets import configuration, limits
from tests.starting import ROOT, environment

SEED = 4


class CorpusTests(SynchronousTestCase):
    def test_every_kept_input_keeps_every_promise(self) -> None:
        for name in NAMES:
            target = load(name)
            for what, data in corpus(name).items():
                try:
                    target.check(data)
                except Exception as error:
                    raise AssertionError(f"{name}: {what}: {error!r}") from error

    def test_there_is_a_corpus_for_each_target_and_none_besides(self) -> None:
        folder = Path(__file__).parent
        modules = {file.stem for file in (folder / "targets").glob("*.py")} - {"__init__", "words"}
        self.assertEqual(modules, set(NAMES))
        self.assertEqual({one.name for one in (folder / "corpus").iterdir()}, set(NAMES))
        self.assertTrue(all(corpus(name) for name in NAMES))

    def test_kept_inputs_are_small(self) -> None:
        for name in NAMES:
            most = load(name).most
            self.assertEqual([what for what, data in corpus(name).items() if len(data) > most], [], name)


class MutationTests(SynchronousTestCase):
    """The same new inputs each time: `python -m tests.fuzz` tries others."""

    def try_some(self, name: str) -> None:
        target = load(name)
        for data in islice(plain.inputs(target, corpus(name).values(), Random(SEED)), target.short_runs):
            try:
                target.check(data)
            except Exception as error:
                raise AssertionError(f"{name}: {error!r} for {data!r}") from error


def _add_tests() -> None:
    for name in NAMES:

        def test(self: MutationTests, name: str = name) -> None:
            self.try_some(name)

        setattr(MutationTests, f"test_inputs_near_those_of_{name}", test)


_add_tests()


class PlantedTests(SynchronousTestCase):
    """Each target notices when the part that it is about goes wrong."""

    def notices(self, name: str, what: str) -> None:
        check, data = load(name).check, corpus(name)[what]
        check(data)
        place, attribute, wrong = PLANTED[name]
        self.patch(place, attribute, wrong)
        self.assertRaises(PLANTED_ERRORS, check, data)

    def test_each_notices(self) -> None:
        self.assertEqual(set(PLANTED), set(NAMES))

    def test_answers_without_framing(self) -> None:
        self.notices("channel", "pieces-and-known-length")

    def test_a_byte_of_a_request_that_is_lost(self) -> None:
        self.notices("requests", "length-then-next")

    def test_an_answer_whose_end_is_missed(self) -> None:
        self.notices("answers", "ordinary")

    def test_a_field_of_one_hop_that_is_passed_on(self) -> None:
        self.notices("fields", "plain")

    def test_a_path_that_could_be_read_in_two_ways(self) -> None:
        self.notices("routes", "dots")

    def test_another_error_than_a_configuration_s(self) -> None:
        self.notices("configuration", "shortest")

    def test_a_limit_for_each_address_of_a_network(self) -> None:
        self.notices("limits", "one-network")

    def test_a_second_line(self) -> None:
        self.notices("log_lines", "second-line")

    def test_another_client_than_the_header_names(self) -> None:
        self.notices("proxy_header", "binary")

    def test_a_label_that_ends_early(self) -> None:
        self.notices("exposition", "quotes")


def _raises(*given: object) -> None:
    raise KeyError(given)


def _with_keep_alive(plan: ForwardPlan, exchange: Exchange, host: bytes) -> bytes:
    return b"Host: h\r\nKeep-Alive: x\r\n"


PLANTED_ERRORS = (AssertionError, KeyError, ValueError)
PLANTED: dict[str, tuple[object, str, object]] = {
    "channel": (AnswerWriter, "_framing", lambda writer, *given: b""),
    "requests": (RequestReader, "_take_body", lambda reader, data: data),
    "answers": (ResponseReader, "_take_body", lambda reader, data: None),
    "fields": (ForwardPlan, "request_lines", _with_keep_alive),
    "routes": (snapshot, "read_path", lambda path: (path, frozenset())),
    "configuration": (configuration, "parse_text", _raises),
    "limits": (limits, "limit_key", lambda address: address),
    "log_lines": (lines, "visible", lambda raw, most=0: raw.decode("latin-1")),
    "exposition": (prometheus, "_ESCAPES", {}),
    "proxy_header": (proxy_protocol, "_spelled", lambda address: "192.0.2.8"),
}
"""For each target, something that is put in place of what is right."""


def _refuses_nul(data: bytes) -> None:
    assert b"\0" not in data, "a NUL"


class FindingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.findings = Path(self.mktemp())
        self.patch(plain, "corpus", lambda name: {"one": b"abc"})

    def run_on(self, target: Target, seconds: float) -> str:
        self.patch(plain, "load", lambda name: target)
        said = StringIO()
        with redirect_stdout(said):
            try:
                plain.run("planted", seconds, SEED, self.findings)
            except AssertionError:
                said.write("raised")
        return said.getvalue()

    def test_a_broken_promise_is_found_saved_and_can_be_replayed(self) -> None:
        said = self.run_on(Target(_refuses_nul, (b"\0",)), 30.0)
        (file,) = self.findings.iterdir()
        self.assertIn(f"python -m tests.fuzz planted --replay {file}", said)
        self.assertTrue(said.endswith("raised"))
        self.assertRaises(AssertionError, _refuses_nul, file.read_bytes())

    def test_where_nothing_is_broken_it_says_how_much_was_tried(self) -> None:
        said = self.run_on(Target(lambda data: None, (b"x",)), 0.05)
        self.assertRegex(said, r"planted: [1-9][0-9]* inputs of seed 4, nothing broken")
        self.assertFalse(self.findings.exists())

    def test_what_takes_for_ever_is_stopped(self) -> None:
        def for_ever() -> None:
            with in_time(0.01):
                while True:
                    pass

        self.assertRaises(TooLongError, for_ever)

    def test_what_was_only_logged_is_noticed(self) -> None:
        from twisted.logger import Logger  # noqa: PLC0415  # only here something is logged

        def log_a_failure() -> None:
            with nothing_logged_as_failed():
                try:
                    raise ValueError("planted")
                except ValueError:
                    Logger().failure("it failed")

        self.assertRaises(AssertionError, log_a_failure)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_pieces_are_the_whole_and_always_the_same(self) -> None:
        for data in (b"", b"a", bytes(range(256)) * 9):
            self.assertEqual((b"".join(split(data)), split(data)), (data, split(data)))


class CommandTests(SynchronousTestCase):
    def run_command(self, *arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "tests.fuzz", *arguments]
        environ = {**environment(), "PYTHONPATH": os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))}
        ended = subprocess.run(command, capture_output=True, text=True, check=False, env=environ, cwd=ROOT)
        return ended.returncode, ended.stdout + ended.stderr

    def test_it_tries_a_target_for_so_long(self) -> None:
        status, said = self.run_command("limits", "--plain", "--seconds=0.1", f"--findings={self.mktemp()}")
        self.assertEqual(status, 0, said)
        self.assertRegex(said, r"limits: [1-9][0-9]* inputs")

    def test_it_replays_one_input(self) -> None:
        file = ROOT / "tests" / "fuzz" / "corpus" / "limits" / "long"
        self.assertEqual(self.run_command("limits", "--replay", str(file)), (0, f"limits: nothing broken by {file}\n"))
