"""A report as tables, for the terminal and for Markdown: the columns of each kind of workload. Reads reports only."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from bench.peers import CATALOGUE
from bench.report import Cell

Cells = dict[str, Cell]

MISSING = "-"


@dataclass(frozen=True)
class Column:
    """A column's title, and what it shows of a cell among the others of its workload."""

    title: str
    show: Callable[[Cell, Cells], str]


def number(value: float) -> str:
    """A number with as many digits as it deserves: three or so."""
    if value >= 10_000:
        return f"{value:,.0f}".replace(",", " ")
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _median(metric: str, scale: float = 1.0) -> Callable[[Cell, Cells], str]:
    return lambda cell, _: number(cell[metric]["median"] * scale)


def _milliseconds(metric: str) -> Callable[[Cell, Cells], str]:
    """A latency; wrk has none for pipelined requests."""
    return lambda cell, _: number(cell[metric]["median"] / 1e3) if cell[metric]["median"] else MISSING


def _spread(metric: str, scale: float = 1.0) -> Callable[[Cell, Cells], str]:
    def show(cell: Cell, _: Cells) -> str:
        return f"{number(cell[metric]['least'] * scale)} - {number(cell[metric]['most'] * scale)}"

    return show


def _share(metric: str) -> Callable[[Cell, Cells], str]:
    return lambda cell, _: f"{cell[metric]['median']:.0%}"


def _ratio(metric: str, other: str) -> Callable[[Cell, Cells], str]:
    """How often its median holds the other peer's."""

    def show(cell: Cell, cells: Cells) -> str:
        theirs = cells.get(other)
        return MISSING if theirs is None else f"{cell[metric]['median'] / theirs[metric]['median']:.2f}"

    return show


def _against_first(metric: str) -> Callable[[Cell, Cells], str]:
    def show(cell: Cell, cells: Cells) -> str:
        first = next(one for one in cells.values() if one["peer"] == cell["peer"])
        return f"{cell[metric]['median'] / first[metric]['median']:.2f}"

    return show


def _bad(cell: Cell, _: Cells) -> str:
    return str(cell["bad"])


_P50 = Column("p50 ms", _milliseconds("p50_us"))
_P99 = Column("p99 ms", _milliseconds("p99_us"))
_P999 = Column("p99.9 ms", _milliseconds("p999_us"))
_COST = Column("µs each", _median("cost_us"))
_SPLIT = Column("user + system", lambda cell, cells: _split(cell))
_MEMORY = Column("MiB", _median("memory", 2**-20))
_BUSY = Column(
    "core / load", lambda cell, cells: f"{_share('peer_busy')(cell, cells)} / {_share('load_busy')(cell, cells)}"
)
_BAD = Column("failed", _bad)
_SPEED = Column("answers/s", _median("per_second"))
_SPEEDS = Column("least - most", _spread("per_second"))
_ENVOY, _NGINX = Column("x Envoy", _ratio("per_second", "envoy")), Column("x nginx", _ratio("per_second", "nginx"))


def _split(cell: Cell) -> str:
    return f"{number(cell['user_us']['median'])} + {number(cell['system_us']['median'])}"


COLUMNS: dict[str, tuple[Column, ...]] = {
    "exchanges": (_SPEED, _SPEEDS, _COST, _SPLIT, _P50, _P99, _P999, _MEMORY, _BUSY, _BAD, _ENVOY, _NGINX),
    "bytes": (
        Column("MB/s", _median("bytes_per_second", 1e-6)),
        Column("least - most", _spread("bytes_per_second", 1e-6)),
        Column("ns a byte", _median("cost_ns_a_byte")),
        _P50,
        _P99,
        _MEMORY,
        _BUSY,
        _BAD,
        Column("x Envoy", _ratio("bytes_per_second", "envoy")),
        Column("x nginx", _ratio("bytes_per_second", "nginx")),
    ),
    "paced": (
        _SPEED,
        _P50,
        _P99,
        Column("least - most", _spread("p99_us", 1e-3)),
        _P999,
        Column("late", _median("late")),
        _COST,
        _BUSY,
        _BAD,
        Column("p99 x Envoy", _ratio("p99_us", "envoy")),
        Column("p99 x nginx", _ratio("p99_us", "nginx")),
    ),
    "beside": (
        Column("KiB each", _median("each", 2**-10)),
        Column("least - most", _spread("each", 2**-10)),
        Column("MiB before", _median("before", 2**-20)),
        _MEMORY,
        _BAD,
        Column("x Envoy", _ratio("each", "envoy")),
        Column("x nginx", _ratio("each", "nginx")),
    ),
    "variants": (
        _SPEED, _SPEEDS, _COST, _SPLIT, _P50, _P99, _MEMORY, _BUSY, _BAD,
        Column("cost x first", _against_first("cost_us")),
    ),
}  # fmt: skip
"""Of each kind of workload."""


def title(label: str) -> str:
    """How an entrant is called in a table."""
    return CATALOGUE[label].title if label in CATALOGUE else label


def rows(workload: dict[str, Any]) -> list[list[str]]:
    """The titles, and a row for each cell."""
    columns, cells = COLUMNS[workload["kind"]], workload["cells"]
    head = ["", *(column.title for column in columns)]
    return [head, *([title(label), *(column.show(one, cells) for column in columns)] for label, one in cells.items())]


def terminal(some: Iterable[list[str]]) -> str:
    """Rows with aligned columns: the first to the left, numbers to the right."""
    lines = list(some)
    widths = [max(len(line[index]) for line in lines) for index in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            text.rjust(width) if index else text.ljust(width)
            for index, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def markdown(some: Iterable[list[str]]) -> str:
    """Rows as a table in Markdown."""
    head, *others = some
    rule = ["---", *("--:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *others))


def heading(workload: dict[str, Any]) -> str:
    """A workload's title, with the rate where it has one."""
    rate = f" ({number(workload['rate'])} a second)" if workload["rate"] else ""
    rounds = max(cell["rounds"] for cell in workload["cells"].values())
    return f"{workload['title']}{rate}; {rounds} round{'s' * (rounds > 1)} of {workload['seconds']:g} s"
