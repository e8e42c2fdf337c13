"""Reports for tests: turns with plain numbers, and what a run makes of them."""

from __future__ import annotations

from bench.load.answers import Answers
from bench.report import Report, of_workload
from bench.turn import Turn
from bench.workloads import CATALOGUE


def turn(entrant: str, whole: int = 100, cost_s: float = 0.01, p99_us: float = 2000.0, **more: float) -> Turn:
    """One turn of two seconds."""
    others_busy = more.pop("others_busy", 0.0)
    answers = Answers(whole, int(more.pop("bad", 0)), 2.0, whole * 1000, 1000.0, p99_us, 3000.0)
    return Turn(entrant, answers, cost_s * 0.75, cost_s * 0.25, 2**20, 1.0, 0.5, others_busy, more)


def report(*turns: Turn, workload: str = "json-64") -> Report:
    """A report with one workload."""
    return {
        "date": "2026-01-02 03:04 UTC",
        "command": "python -m bench",
        "machine": {"processor": "Example CPU", "cores": 2, "kernel": "6.0", "python": "3.11.0"},
        "versions": {"apigateway": "abc", "envoy": "1.40.0"},
        "workloads": {workload: of_workload(CATALOGUE[workload], list(turns), 2.0, 0.0)},
    }
