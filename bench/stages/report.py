"""What was measured of stages as plain values, and as a table for the terminal, beside an earlier run where asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench import report as run
from bench.stages.catalogue import GROUPS, WHOLE
from bench.stages.clock import Times
from bench.stages.stage import Stage
from bench.tables import terminal

Report = dict[str, Any]

SUM = "the stages of an ordinary exchange (*), added up"
NOTES = (
    "µs, for one exchange: the best of {rounds} rounds and their median; the best is what to compare.",
    "Stages marked * are those of an ordinary exchange in the default configuration.",
    "The whole costs more than their sum: the steps between them, and every stage finds the caches full of the others;"
    " so does a policy, see its line `in the whole`, which is what an exchange costs more with it.",
    "The whole has no kernel in it: python -m bench.profile shows that.",
)


def report(
    stages: Mapping[str, Stage], times: Mapping[str, Times], instructions: Mapping[str, float], arguments: list[str]
) -> Report:
    """What is kept of a run."""
    return {
        "date": run.started_at(),
        "command": " ".join(["python -m bench.stages", *arguments]),
        "machine": run.machine(),
        "stages": {
            name: {
                "group": stage.group,
                "counts": stage.counts,
                "best_us": times[name].best,
                "median_us": times[name].median,
                "instructions": instructions.get(name),
            }
            for name, stage in stages.items()
        },
    }


def rows(made: Report, before: Report | None = None) -> list[list[str]]:
    """The titles, a row for each stage, and the sum of the ordinary ones above the whole, where all were measured."""
    stages = dict(made["stages"])
    old = before["stages"] if before else {}
    if WHOLE in stages:
        stages = _with_sum(stages)
        old = _with_sum(old) if WHOLE in old else old
    counted = any(stage["instructions"] is not None for stage in stages.values())
    titles = ["", "best", "median", *(["instructions"] if counted else [])]
    titles += ["best before", "ratio", *(["instructions before", "ratio"] if counted else [])] if before else []
    return [titles, *_grouped(stages, old, counted, before is not None)]


def _with_sum(stages: dict[str, Any]) -> dict[str, Any]:
    """The same with the sum before the whole; only where that is everything that counts."""
    parts = [stage for stage in stages.values() if stage["counts"]]
    added = {"group": "whole", "counts": False}
    for metric in ("best_us", "median_us", "instructions"):
        values = [part[metric] for part in parts]
        added[metric] = None if None in values else sum(values)
    others = {name: stage for name, stage in stages.items() if stage["group"] != "whole"}
    if len({stage["group"] for stage in others.values()}) < len(GROUPS) - 1:
        return stages
    wholes = {name: stage for name, stage in stages.items() if stage["group"] == "whole"}
    return {**others, SUM: added, **wholes}


def _grouped(stages: Mapping[str, Any], old: Mapping[str, Any], counted: bool, compared: bool) -> list[list[str]]:
    lines: list[list[str]] = []
    group = ""
    for name, stage in stages.items():
        if stage["group"] != group:
            group = stage["group"]
            lines.append([group])
        lines.append(_row(name, stage, old.get(name), counted, compared))
    width = max(len(line) for line in lines)
    return [line + [""] * (width - len(line)) for line in lines]


def _row(name: str, stage: Any, old: Any, counted: bool, compared: bool) -> list[str]:
    shown = [f"  {name}{' *' if stage['counts'] else ''}", f"{stage['best_us']:.2f}", f"{stage['median_us']:.2f}"]
    shown += [_whole(stage["instructions"])] if counted else []
    if compared:
        shown += _beside(stage, old, "best_us", "{:.2f}")
        shown += _beside(stage, old, "instructions", "{:,.0f}") if counted else []
    return shown


def _whole(count: float | None) -> str:
    return "-" if count is None else f"{count:,.0f}"


def _beside(stage: Any, old: Any, metric: str, form: str) -> list[str]:
    value, before = stage[metric], old[metric] if old else None
    if value is None or before is None:
        return ["-", "-"]
    return [form.format(before), f"{value / before:.2f}" if before > 0 else "-"]


def shown(made: Report, rounds: int, before: Report | None = None) -> str:
    """All of it for the terminal."""
    notes = [note.format(rounds=rounds) for note in NOTES]
    return "\n".join([terminal(rows(made, before)), "", *notes])
