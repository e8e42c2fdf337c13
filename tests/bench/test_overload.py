"""Clients without patience, and what is made of their fate."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from apigateway.assembly.extensions import PolicyPlugins
from apigateway.config.read import parse_text
from bench.load.impatient import Impatient, Outcome
from bench.overload import CASES, TITLES, row
from bench.overloaded.apigateway.plugins.working import Working, working
from tests.bench.services import Serve, answering, closing, listening, silent


class ImpatientTests(SynchronousTestCase):
    def outcome(self, serve: Serve, patience: float = 5.0) -> Outcome:
        return Impatient(listening(self, serve), 100.0, "/", patience).go(0.2)

    def fates(self, outcome: Outcome) -> list[float]:
        """The shares of good, refused, given up and failed."""
        many = (outcome.good, outcome.refused, outcome.gave_up, outcome.failed)
        self.assertAlmostEqual(sum(many), outcome.offered)
        return [round(count / outcome.offered, 3) for count in many]

    def test_answers_are_good(self) -> None:
        whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
        self.assertEqual(self.fates(self.outcome(answering(whole))), [1, 0, 0, 0])

    def test_answers_in_chunks_and_in_pieces_too(self) -> None:
        def serve(connection: socket.socket) -> None:
            while connection.recv(65536):
                for piece in (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", b"\r\n2\r\nhi\r\n", b"0\r\n\r\n"):
                    connection.sendall(piece)

        self.assertEqual(self.fates(self.outcome(serve)), [1, 0, 0, 0])

    def test_503_is_a_refusal_and_all_else_a_failure(self) -> None:
        for status, fates in ((503, [0, 1, 0, 0]), (500, [0, 0, 0, 1])):
            answer = b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % status
            self.assertEqual(self.fates(self.outcome(answering(answer))), fates)

    def test_who_gets_nothing_in_time_gives_up(self) -> None:
        self.assertEqual(self.fates(self.outcome(silent, 0.05)), [0, 0, 1, 0])

    def test_kept_connections_stay_and_who_finds_none_free_has_failed(self) -> None:
        made = Impatient(listening(self, silent), 100.0, "/", 0.05, kept=3)
        outcome = made.go(0.2)
        self.assertEqual((len(made._open), outcome.good, outcome.refused), (3, 0, 0))
        self.assertGreater(outcome.failed, 0)

    def test_on_a_kept_connection_a_late_answer_is_nobodys(self) -> None:
        def serve(connection: socket.socket) -> None:
            while connection.recv(65536):
                time.sleep(0.03)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        for _ in range(20):
            outcome = Impatient(listening(self, serve), 100.0, "/", 0.01, kept=20).go(0.3)
            if not outcome.failed:  # else the machine was too busy to answer before all connections were in use
                break
        self.assertEqual(self.fates(outcome), [0, 0, 1, 0])

    def test_who_loses_the_connection_has_failed(self) -> None:
        self.assertEqual(self.fates(self.outcome(closing)), [0, 0, 0, 1])


class CaseTests(SynchronousTestCase):
    def test_the_configurations_can_be_used(self) -> None:
        for case in CASES.values():
            for settings in (case.bounds, case.none):
                values = case.gateway.values(self.path(), 1, 2, settings)
                case.gateway.prepare(values)
                text = Path(values["file"]).read_text(encoding="utf-8")
                PolicyPlugins([working]).check(parse_text(text, "test.yaml", {}))

    def path(self) -> Path:
        path = Path(self.mktemp())
        path.mkdir()
        return path

    def test_a_row_has_something_under_each_title(self) -> None:
        self.assertEqual(len(row(2, "yes", Outcome(1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0))), len(TITLES))

    def test_the_policy_keeps_busy_for_as_long_as_it_is_told(self) -> None:
        policy = working.make(Working.options.make(seconds=0.01), None)  # type: ignore[arg-type]  # it needs no tools
        assert policy.on_request is not None
        before = time.thread_time()
        policy.on_request(None)  # type: ignore[arg-type]  # it looks at none
        self.assertGreaterEqual(time.thread_time() - before, 0.01)
