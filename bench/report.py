"""A run as plain values, as they are written to JSON: the machine, the versions, each cell's medians and spreads."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from statistics import median
from typing import Any

from bench import kernel
from bench.peers import CATALOGUE, ROOT, Peer, found
from bench.turn import Turn
from bench.workloads import Workload

Report = dict[str, Any]
Cell = dict[str, Any]

METRICS: dict[str, Callable[[Turn], float]] = {
    "per_second": lambda turn: turn.per_second,
    "cost_us": lambda turn: turn.cost_us,
    "user_us": lambda turn: turn.user_s / max(1, turn.answers.whole) * 1e6,
    "system_us": lambda turn: turn.system_s / max(1, turn.answers.whole) * 1e6,
    "bytes_per_second": lambda turn: turn.bytes_per_second,
    "cost_ns_a_byte": lambda turn: turn.cost_ns_a_byte,
    "p50_us": lambda turn: turn.answers.p50_us,
    "p99_us": lambda turn: turn.answers.p99_us,
    "p999_us": lambda turn: turn.answers.p999_us,
    "memory": lambda turn: turn.memory,
    "peer_busy": lambda turn: turn.peer_busy,
    "load_busy": lambda turn: turn.load_busy,
    "others": lambda turn: turn.others_busy,
    "late": lambda turn: turn.answers.late,
    "before": lambda turn: turn.extra.get("before", 0.0),
    "each": lambda turn: turn.extra.get("each", 0.0),
}
"""What is kept of each turn, by name. Bytes, seconds, microseconds, shares of 1."""


def cell(turns: Iterable[Turn]) -> Cell:
    """One entrant in one workload: of each metric the median, the least and the most; how many requests failed."""
    own = list(turns)
    values = {name: [metric(turn) for turn in own] for name, metric in METRICS.items()}
    return {
        "rounds": len(own),
        "bad": sum(turn.answers.bad for turn in own),
        **{
            name: {"median": median(some), "least": min(some), "most": max(some), "all": some}
            for name, some in values.items()
        },
    }


def of_workload(workload: Workload, turns: list[Turn], seconds: float, rate: float) -> dict[str, Any]:
    """One workload: its cells in the order of its entrants."""
    labels = [entrant.label for entrant in workload.entrants if any(turn.entrant == entrant.label for turn in turns)]
    peers = {entrant.label: entrant.peer for entrant in workload.entrants}
    return {
        "title": workload.title,
        "kind": workload.kind,
        "seconds": seconds,
        "rate": rate,
        "cells": {
            label: {"peer": peers[label], **cell(turn for turn in turns if turn.entrant == label)} for label in labels
        },
    }


def machine() -> dict[str, Any]:
    """Where it was measured."""
    return {
        "processor": kernel.processor_name(),
        "cores": os.cpu_count(),
        "kernel": platform.release().partition("-")[0],
        "python": platform.python_version(),
    }


def started_at() -> str:
    """The date and the time, in UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def command(words: Sequence[str]) -> str:
    """The command as one would repeat it: where its values were written to is nobody else's business."""
    kept = [
        word
        for before, word in zip(("", *words), words, strict=False)
        if not word.startswith("--json") and before != "--json"
    ]
    return " ".join(("python -m bench", *kept))


def versions(peers: Iterable[Peer]) -> dict[str, str]:
    """Each peer's version, as it says itself."""
    return {peer.name: version_of(peer) for peer in peers}


def version_of(peer: Peer) -> str:
    """One peer's version: of a program, or of the distributions that it is made of."""
    if peer.name.startswith("apigateway"):
        return commit()
    if peer.program is None:
        return ", ".join(f"{name} {_installed(name)}" for name in peer.version)
    program = found(peer.program) or peer.program
    done = subprocess.run([program, *peer.version[1:]], capture_output=True, text=True, check=False)
    numbers = re.search(r"\d+\.\d+(\.\d+)?", done.stdout + done.stderr)
    return numbers[0] if numbers else "unknown"


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def commit() -> str:
    """The gateway's commit, marked where the checkout has changes that are in none."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=10"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def peers_in(report: Report) -> list[Peer]:
    """The peers of a report, in the order of the catalogue."""
    there = {cell["peer"] for workload in report["workloads"].values() for cell in workload["cells"].values()}
    return [peer for name, peer in CATALOGUE.items() if name in there]
