"""`python -m bench.plot FILE.json FOLDER`: a chart of each workload of a report, as SVG."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from bench.report import Cell
from bench.svg import Bar, Reach, bars, reaches
from bench.tables import heading, number, title

SHOWN = {
    "exchanges": ("per_second", 1.0, "answers a second; the line: least to most of the rounds"),
    "bytes": ("bytes_per_second", 1e-6, "MB a second; the line: least to most of the rounds"),
    "beside": ("each", 2**-10, "KiB for each connection; the line: least to most of the rounds"),
    "variants": ("cost_us", 1.0, "µs of processor time for each exchange; the line: least to most of the rounds"),
}
"""Which metric stands for a kind of workload, by what it is multiplied, and what it then is."""


def chart(workload: dict[str, Any]) -> str:
    """The chart of one workload."""
    cells: dict[str, Cell] = workload["cells"]
    if workload["kind"] == "paced":
        return reaches(heading(workload), [_reach(label, cell) for label, cell in cells.items()])
    metric, scale, unit = SHOWN[workload["kind"]]
    return bars(heading(workload), unit, [_bar(label, cell, metric, scale) for label, cell in cells.items()])


def _bar(label: str, cell: Cell, metric: str, scale: float) -> Bar:
    median, least, most = (cell[metric][which] * scale for which in ("median", "least", "most"))
    return Bar(plain(label), median, least, most, number(median), _is_ours(cell))


def _reach(label: str, cell: Cell) -> Reach:
    p50, p99, p999 = (cell[metric]["median"] / 1e3 for metric in ("p50_us", "p99_us", "p999_us"))
    return Reach(plain(label), (p50, p99, p999), _is_ours(cell))


def plain(label: str) -> str:
    """How an entrant is called in a chart, which knows no Markdown."""
    return title(label).replace("`", "")


def _is_ours(cell: Cell) -> bool:
    return str(cell["peer"]).startswith("apigateway")


def write(report: dict[str, Any], folder: Path) -> list[Path]:
    """Write the charts; where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, workload in report["workloads"].items():
        file = folder / f"{name}.svg"
        file.write_text(chart(workload), encoding="utf-8")
        written.append(file)
    return written


def main() -> None:
    """Write the charts of the report that is named."""
    parser = argparse.ArgumentParser(prog="python -m bench.plot", description=__doc__)
    parser.add_argument("report", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    for file in write(json.loads(options.report.read_text(encoding="utf-8")), options.folder):
        print(file)


if __name__ == "__main__":
    main()
