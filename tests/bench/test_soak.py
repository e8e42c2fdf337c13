"""The soak finds what is wrong: outcomes are judged by what was done, and a run with a secret fault is not well."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from select import select
from signal import SIGKILL
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from bench.soak.deeds import FAULTS, UNREAD
from bench.soak.faults import CATALOGUE, MENDED
from bench.soak.history import AFTERMATH_S, BREAKER_FAILURES, LEAVES_S, History
from bench.soak.ledger import Ledger
from bench.soak.outcomes import Outcome, explain, is_fine
from bench.soak.patterns import Check, digest, pattern
from bench.soak.report import Report, compare, read_log
from bench.soak.services import GUARDED, LIMITED, SERVICES
from bench.soak.watch import Samples
from tests.starting import PATIENCE, ROOT, environment

SEEN = Outcome("steady", "once", "GET", "", 100.0, 100.1, "whole", 200, request_id="a")
MIB = 1 << 20


def history() -> History:
    return History(limited=LIMITED, guarded=GUARDED)


class PatternTests(SynchronousTestCase):
    def test_a_part_of_a_pattern_is_that_part_wherever_it_begins(self) -> None:
        whole = pattern("n", 0, 50_000)
        for start, size in ((0, 1), (31, 2), (8191, 2), (8192, 8192), (20_000, 30_000), (5, 0)):
            self.assertEqual(pattern("n", start, size), whole[start : start + size])
        self.assertNotEqual(pattern("m", 0, 32), whole[:32])

    def test_a_body_is_checked_in_pieces(self) -> None:
        check = Check("n")
        for start in range(0, 900, 300):
            check.add(pattern("n", start, 300))
        self.assertEqual((check.is_right, check.size), (True, 900))
        check.add(pattern("n", 901, 1))
        self.assertFalse(check.is_right)

    def test_a_digest_is_of_the_size(self) -> None:
        self.assertEqual(len({digest("n", size) for size in (0, 1, 200_000, 200_001)}), 4)


class FaultTests(SynchronousTestCase):
    def test_each_fault_is_known_to_the_service_and_to_the_judge(self) -> None:
        self.assertEqual({*FAULTS, *UNREAD}, set(CATALOGUE))

    def test_what_a_retry_mends_must_not_be_seen(self) -> None:
        self.assertEqual({CATALOGUE[name].seen for name in MENDED}, {(200,)})


class OutcomeTests(SynchronousTestCase):
    def explained(self, past: History | None = None, **changes: Any) -> str:
        outcome = replace(SEEN, **changes)
        self.assertFalse(is_fine(outcome), outcome)
        return explain(outcome, past or history())

    def test_a_right_answer_is_fine(self) -> None:
        self.assertTrue(is_fine(SEEN))
        self.assertTrue(is_fine(replace(SEEN, fault="slow")))
        self.assertTrue(is_fine(replace(SEEN, ending="left", status=0)))

    def test_nothing_explains_an_answer_that_is_another_s(self) -> None:
        self.assertEqual(self.explained(is_right=False), "")
        self.assertEqual(self.explained(is_right=False, fault="status-500", status=500), "")

    def test_an_error_without_a_fault_is_unexplained(self) -> None:
        self.assertEqual(self.explained(status=500), "")
        self.assertEqual(self.explained(status=502, cause="connection-lost"), "")
        self.assertEqual(self.explained(ending="cut"), "")
        for ending in ("late", "broken", "nothing"):
            self.assertEqual(self.explained(ending=ending, status=0, fault="reset-midway"), "")

    def test_a_fault_explains_what_is_seen_of_it_and_nothing_else(self) -> None:
        self.assertEqual(self.explained(fault="status-500", status=500), "fault status-500")
        self.assertEqual(self.explained(fault="garbage", status=502, cause="bad-response"), "fault garbage")
        self.assertEqual(self.explained(fault="garbage", status=504, cause="response-timeout"), "")

    def test_a_fault_that_did_not_show_is_unexplained(self) -> None:
        self.assertEqual(self.explained(fault="status-500"), "")

    def test_a_service_that_is_down_explains_its_own_failures(self) -> None:
        past = history()
        past.down["shaky"].append((99.0, 101.0))
        lost: dict[str, Any] = {"status": 502, "cause": "connect-failed"}
        self.assertEqual(self.explained(past, service="shaky", **lost), "service was down")
        self.assertEqual(self.explained(past, service="steady", **lost), "")
        self.assertEqual(self.explained(past, service="shaky", began=110.0, ended=110.1, **lost), "")

    def test_the_target_that_answered_must_have_been_down_itself(self) -> None:
        past = history()
        past.down["shaky"].append((99.0, 101.0))
        past.down["shaky-0"].append((99.0, 101.0))
        self.assertEqual(self.explained(past, service="shaky", by="shaky-0", ending="cut"), "service was down")
        self.assertEqual(self.explained(past, service="shaky", by="shaky-1", ending="cut"), "")

    def test_a_websocket_ends_when_its_client_wants_it_or_its_target_goes_down(self) -> None:
        past = history()
        past.down["shaky-0"].append((50.0, 52.0))
        socket: dict[str, Any] = {"service": "shaky", "by": "shaky-0", "began": 40.0, "status": 101, "good": 101}
        self.assertTrue(is_fine(replace(SEEN, **socket)))
        self.assertEqual(self.explained(past, **socket, ending="cut", heard=49.9, ended=50.1), "service was down")
        self.assertEqual(self.explained(past, **socket, ending="cut", heard=99.9, ended=100.1), "")
        self.assertEqual(self.explained(past, **socket, ending="closed", heard=49.9, ended=50.1), "")
        self.assertEqual(self.explained(good=101), "", "nobody switched")

    def test_a_stranger_s_certificate_explains_its_own_error(self) -> None:
        past = history()
        past.untrusted["secure"].append((99.0, 101.0))
        refused: dict[str, Any] = {"status": 502, "cause": "tls-untrusted"}
        self.assertIn("stranger", self.explained(past, service="secure", **refused))
        self.assertEqual(self.explained(past, service="treq", **refused), "")
        self.assertEqual(self.explained(past, service="secure", status=502, cause="tls-failed"), "")

    def test_an_open_breaker_needs_failures_before_it(self) -> None:
        past = history()
        shed: dict[str, Any] = {"service": "shaky", "status": 503, "cause": "breaker-open"}
        for _ in range(BREAKER_FAILURES - 1):
            past.sent("shaky", "status-503", 99.0)
        self.assertEqual(self.explained(past, **shed), "")
        past.sent("shaky", "status-503", 99.5)
        self.assertEqual(self.explained(past, **shed), "breaker open after failures")
        late = 99.5 + AFTERMATH_S + 1
        self.assertEqual(self.explained(past, **shed, began=late, ended=late), "")

    def test_a_limit_explains_refusals_where_there_is_one(self) -> None:
        refused: dict[str, Any] = {"status": 429, "cause": "rate-limited"}
        self.assertEqual(self.explained(service="limited", **refused), "rate limit")
        self.assertEqual(self.explained(**refused), "")

    def test_a_fallback_needs_a_failure(self) -> None:
        past = history()
        self.assertEqual(self.explained(service="fallen", fallback=True), "")
        self.assertIn("garbage", self.explained(service="fallen", fallback=True, fault="garbage"))
        past.down["fallen"].append((99.0, 101.0))
        self.assertIn("failing", self.explained(past, service="fallen", fallback=True))

    def test_only_what_may_not_be_repeated_loses_a_race(self) -> None:
        past = history()
        past.sent("shaky", "close-after", 99.9)
        lost: dict[str, Any] = {"service": "shaky", "status": 502, "cause": "connection-lost"}
        self.assertIn("just when", self.explained(past, method="POST", **lost))
        self.assertEqual(self.explained(past, **lost), "")


class ListTests(SynchronousTestCase):
    def was_listed(self, target: str, began: float) -> bool:
        past = history()
        past.listed["found"] = [(0.0, frozenset(("found-0", "found-1"))), (50.0, frozenset(("found-1", "found-2")))]
        return past.was_listed(target, began, began + 0.1)

    def test_a_target_is_asked_while_it_is_listed_and_a_moment_longer(self) -> None:
        asked = {at: self.was_listed("found-0", at) for at in (1.0, 50.0 + LEAVES_S - 0.1, 50.0 + LEAVES_S + 0.1)}
        self.assertEqual([*asked.values()], [True, True, False])

    def test_a_target_is_not_asked_before_it_is_listed(self) -> None:
        self.assertEqual([self.was_listed("found-2", at) for at in (49.0, 49.95)], [False, True])

    def test_targets_of_other_services_need_no_list(self) -> None:
        self.assertTrue(self.was_listed("steady-0", 1.0))
        self.assertTrue(self.was_listed("", 1.0))

    def test_an_answer_of_a_target_that_has_left_is_unexplained(self) -> None:
        ledger = Ledger(history())
        ledger.history.listed["found"] = [(0.0, frozenset(("found-0",)))]
        ledger.add(replace(SEEN, service="found", by="found-0"))
        ledger.add(replace(SEEN, service="found", by="found-1", request_id="b"))
        ledger.close({})
        self.assertEqual(len(ledger.unexplained), 1)


class LedgerTests(SynchronousTestCase):
    def test_it_counts_and_keeps_what_is_unexplained(self) -> None:
        ledger = Ledger(history())
        ledger.add(SEEN)
        ledger.add(replace(SEEN, request_id="b", status=500))
        ledger.add(replace(SEEN, request_id="c", status=500, fault="status-500"))
        ledger.close({})
        self.assertEqual((ledger.count, len(ledger.unexplained)), (3, 1))
        self.assertEqual(dict(ledger.explained), {"500: fault status-500": 1})

    def test_the_access_log_tells_the_cause_where_an_answer_has_no_body(self) -> None:
        ledger = Ledger(history())
        ledger.add(replace(SEEN, service="limited", method="HEAD", status=429))
        ledger.close({"a": (429, "rate-limited")})
        self.assertEqual(ledger.unexplained, [])

    def test_one_request_id_is_for_one_answer(self) -> None:
        ledger = Ledger(history())
        ledger.add(SEEN)
        ledger.add(SEEN)
        self.assertEqual(len(ledger.unexplained), 1)


class AccessLogTests(SynchronousTestCase):
    def test_clients_and_the_log_must_tell_the_same(self) -> None:
        file = Path(self.mktemp())
        lines = [{"request_id": name, "status": 200, "cause": None} for name in ("a", "b", "b")]
        file.write_text("".join(json.dumps(line) + "\n" for line in lines) + "{\n", encoding="ascii")
        logged, wrong = read_log(file)
        self.assertEqual(logged, {"a": (200, ""), "b": (200, "")})
        self.assertEqual(len(wrong), 2)
        self.assertEqual(len(list(compare({"a": 200, "b": 500, "c": 200}, logged))), 2)


class SampleTests(SynchronousTestCase):
    def samples(self, grows: float) -> Samples:
        samples = Samples()
        for second in range(600):
            samples.add(float(second), int(60 * MIB + grows * second), 20)
        return samples

    def test_memory_that_stays_is_flat(self) -> None:
        samples = self.samples(0)
        self.assertTrue(samples.is_flat())
        self.assertEqual(samples.slope(), 0)

    def test_memory_that_grows_is_not(self) -> None:
        samples = self.samples(40_000)
        self.assertFalse(samples.is_flat())
        self.assertAlmostEqual(samples.slope(), 40_000 * 3600, delta=1000)

    def test_a_report_has_a_few_of_them(self) -> None:
        thinned = self.samples(0).thinned(100)
        self.assertEqual((thinned[0], thinned[-1]), ([0.0, 60.0, 20], [595.0, 60.0, 20]))
        self.assertLessEqual(len(thinned), 100)


class RunTests(SynchronousTestCase):
    """A few seconds of the real thing."""

    def soak(self, *arguments: str) -> tuple[int, Report, str]:
        file = Path(self.mktemp()).absolute()
        times = ["--minutes=0.05", "--rate=100", f"--report={file}"]
        command = [sys.executable, "-m", "bench.soak", *times, *arguments]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, env=environment(), cwd=ROOT)
        said = ended.stdout + ended.stderr
        self.assertTrue(file.exists(), said)
        return ended.returncode, Report(**json.loads(file.read_text(encoding="utf-8"))), said

    def test_a_gateway_is_well_though_its_services_are_not(self) -> None:
        status, report, said = self.soak()
        self.assertEqual((status, report.problems, report.unexplained), (0, [], []), said)
        self.assertGreater(report.exchanges, 100)
        self.assertEqual(({*report.left_over.values()}, report.tracebacks), ({0}, 0))
        self.assertGreater(report.messages, 20)
        self.assertGreater(report.encrypted, 20)
        self.assertGreater(report.told["handshakes with services"], 0)
        self.assertTrue(report.explained, said)
        self.assertTrue(said.rstrip().endswith("well"), said)

    def test_a_fault_that_nobody_declared_is_found(self) -> None:
        status, report, said = self.soak("--undeclared=0.1", "--no-reloads")
        self.assertEqual(status, 1, said)
        self.assertTrue(any("status=500" in one for one in report.unexplained), said)
        self.assertIn("NOT WELL", said)

    def test_nothing_outlives_it_even_when_it_is_killed(self) -> None:
        folder = Path(self.mktemp()).absolute()
        command = [sys.executable, "-m", "bench.soak", "--minutes=1", "--rate=10", f"--keep={folder}"]
        soak = subprocess.Popen(command, env=environment(), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        gateway = folder / "gateway.out"
        while soak.poll() is None and not (gateway.exists() and b"listening" in gateway.read_bytes()):
            with contextlib.suppress(subprocess.TimeoutExpired):
                soak.wait(0.05)
        children = Path(f"/proc/{soak.pid}/task/{soak.pid}/children").read_text(encoding="ascii").split()
        self.assertGreater(len(children), len(SERVICES))
        ends = [os.pidfd_open(int(pid)) for pid in children]
        os.kill(soak.pid, SIGKILL)
        soak.communicate()
        for end in ends:
            self.assertTrue(select([end], [], [], PATIENCE)[0], "a process outlived the soak")
            os.close(end)
