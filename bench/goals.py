"""The goals that the gateway has set itself, and whether a report meets them. Reads reports only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.report import Report
from bench.tables import MISSING, number
from bench.turn import DISTURBANCE

OURS = "apigateway"


@dataclass(frozen=True)
class Goal:
    """One number of one workload that should be at least, or at most, something.

    `actual` gives that number of the workload's cells; None where an entrant is missing.
    """

    workload: str
    what: str
    bound: float
    actual: Callable[[dict[str, Any]], float | None]
    at_least: bool = True

    def is_met(self, value: float) -> bool:
        """Whether a number is good enough."""
        return value >= self.bound if self.at_least else value <= self.bound


def ratio(metric: str, other: str, ours: str = OURS) -> Callable[[dict[str, Any]], float | None]:
    """How often our median holds another entrant's."""

    def actual(cells: dict[str, Any]) -> float | None:
        if ours not in cells or other not in cells or not cells[other][metric]["median"]:
            return None
        return float(cells[ours][metric]["median"] / cells[other][metric]["median"])

    return actual


def inverse(metric: str, other: str) -> Callable[[dict[str, Any]], float | None]:
    """How often another entrant's median holds ours: for what should be small."""
    return ratio(metric, OURS, other)


def median_of(metric: str, scale: float) -> Callable[[dict[str, Any]], float | None]:
    """Our median itself."""
    return lambda cells: cells[OURS][metric]["median"] * scale if OURS in cells else None


def _bodies(workload: str) -> tuple[Goal, Goal]:
    return (
        Goal(workload, "bytes a second, x Envoy", 1.0, ratio("bytes_per_second", "envoy")),
        Goal(workload, "processor time per byte, Envoy's x ours", 1.0, inverse("cost_ns_a_byte", "envoy")),
    )


def _among(workload: str, alone: str, among: str) -> Goal:
    measured = ratio("cost_us", f"apigateway, {alone}", f"apigateway, {among}")
    return Goal(workload, f"cost of {among}, x the only one", 1.1, measured, at_least=False)


GOALS = (
    Goal("json-64", "answers a second, x Envoy", 1.2, ratio("per_second", "envoy")),
    Goal("json-64", "processor time per exchange, Envoy's x ours", 1.2, inverse("cost_us", "envoy")),
    Goal("json-64", "answers a second, x nginx", 0.5, ratio("per_second", "nginx")),
    Goal("json-512", "answers a second, x Envoy", 1.0, ratio("per_second", "envoy")),
    Goal("json-512", "p99, x Envoy", 1.0, ratio("p99_us", "envoy"), at_least=False),
    Goal("json-1", "answers a second, x Envoy", 1.0, ratio("per_second", "envoy")),
    Goal("paced", "p99, x Envoy", 1.5, ratio("p99_us", "envoy"), at_least=False),
    *_bodies("get-1m"),
    *_bodies("get-100m"),
    *_bodies("post-100k"),
    Goal("close", "answers a second, x Envoy", 0.8, ratio("per_second", "envoy")),
    Goal("three-targets", "answers a second, x Envoy", 1.0, ratio("per_second", "envoy")),
    Goal("tls", "answers a second, x Envoy", 1.0, ratio("per_second", "envoy")),
    Goal("handshakes", "processor time per exchange, Envoy's x ours", 1.0, inverse("cost_us", "envoy")),
    Goal("websocket", "processor time per message and echo, Envoy's x ours", 1.0, inverse("cost_us", "envoy")),
    Goal("idle-sockets", "KiB for each socket, x Envoy", 1.0, ratio("each", "envoy"), at_least=False),
    Goal("idle", "KiB for each connection", 12.0, median_of("each", 2**-10), at_least=False),
    _among("routes", "1 route", "one of 10 000 routes"),
    _among("routes", "1 route", "10 000 routes in turn"),
    _among("clients", "1 client", "one of 1 000 000 clients"),
    _among("clients", "1 client", "1 000 000 clients in turn"),
    Goal("json-64", "answers a second, x aiohttp", 3.0, ratio("per_second", "aiohttp")),
    Goal("json-64", "answers a second, x FastAPI + httpx", 20.0, ratio("per_second", "fastapi")),
)


def rows(report: Report) -> list[list[str]]:
    """The titles, and a row for each goal whose workload was run."""
    lines = [["work", "what", "goal", "measured", ""]]
    for goal in GOALS:
        workload = report["workloads"].get(goal.workload)
        if workload is None:
            continue
        value = goal.actual(workload["cells"])
        sign = "≥" if goal.at_least else "≤"
        measured = MISSING if value is None else number(value)
        verdict = "not measured" if value is None else "met" if goal.is_met(value) else "not met"
        if any(cell["others"]["median"] > DISTURBANCE for cell in workload["cells"].values()):
            verdict = f"{verdict} (disturbed)"
        lines.append([workload["title"], goal.what, f"{sign} {goal.bound:g}", measured, verdict])
    return lines
