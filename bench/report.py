"""Medians and spreads of rounds, as a table for people and as values for JSON."""

from __future__ import annotations

import os
import platform
from statistics import median
from typing import Any

from bench.run import Round


def _by_peer(rounds: list[Round]) -> dict[str, list[Round]]:
    peers: dict[str, list[Round]] = {}
    for one in rounds:
        peers.setdefault(one.peer, []).append(one)
    return peers


def summary(rounds: list[Round]) -> dict[str, Any]:
    """The median of each figure of one peer, and the least and most answers a second."""
    speeds = [one.per_second for one in rounds]
    return {
        "rounds": len(rounds),
        "per_second": median(speeds),
        "per_second_least": min(speeds),
        "per_second_most": max(speeds),
        "processor_us": median(one.processor_us for one in rounds),
        "p50_us": median(one.answers.p50_us for one in rounds),
        "p99_us": median(one.answers.p99_us for one in rounds),
        "memory_mib": median(one.memory for one in rounds) / 2**20,
        "bad": sum(one.answers.bad for one in rounds),
    }


def report(rounds: list[Round]) -> dict[str, Any]:
    """Everything, with the machine it was measured on."""
    return {
        "machine": {"processor": _processor(), "cores": os.cpu_count(), "python": platform.python_version()},
        "peers": {name: summary(own) for name, own in _by_peer(rounds).items()},
    }


def _processor() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def table(rounds: list[Round]) -> str:
    """A row a peer; the last two columns compare with the first peer: more is better for it in both."""
    figures = {name: summary(own) for name, own in _by_peer(rounds).items()}
    first = next(iter(figures.values()))
    head = f"{'peer':<12}{'answers/s':>11}{'least':>9}{'most':>9}{'µs each':>9}{'p50 ms':>8}{'p99 ms':>8}"
    lines = [f"{head}{'MiB':>6}{'bad':>6}{'speed x':>9}{'cost x':>8}"]
    for name, own in figures.items():
        lines.append(
            f"{name:<12}{own['per_second']:>11.0f}{own['per_second_least']:>9.0f}{own['per_second_most']:>9.0f}"
            f"{own['processor_us']:>9.1f}{own['p50_us'] / 1e3:>8.2f}{own['p99_us'] / 1e3:>8.2f}"
            f"{own['memory_mib']:>6.0f}{own['bad']:>6}"
            f"{first['per_second'] / own['per_second']:>9.2f}{own['processor_us'] / first['processor_us']:>8.2f}"
        )
    return "\n".join(lines)
