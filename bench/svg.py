"""Small charts as SVG text: bars with spreads, and latencies on a logarithmic scale. Knows numbers and labels only.

The colours follow the reader's scheme, light or dark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

STYLE = """\
text { font: 13px system-ui, sans-serif; fill: #24292f; }
.title { font-weight: 600; font-size: 14px; }
.small { font-size: 11px; fill: #57606a; }
.bar { fill: #8aa2bd; }
.ours { fill: #d9730d; }
.spread, .reach { stroke: #24292f; stroke-width: 1.2; fill: none; }
.grid { stroke: #d0d7de; stroke-width: 1; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .small { fill: #9aa4af; }
  .bar { fill: #56708f; }
  .ours { fill: #f0883e; }
  .spread, .reach { stroke: #e6edf3; }
  .grid { stroke: #3d444d; }
}"""

WIDTH = 760
LABELS = 240
VALUES = 90
TOP = 34
ROW = 26
BAR = 16


@dataclass(frozen=True)
class Bar:
    """One row: its median, the least and the most of the rounds, how the median is written, and whether it is ours."""

    label: str
    value: float
    least: float
    most: float
    text: str
    ours: bool


@dataclass(frozen=True)
class Reach:
    """One row of latencies: p50, p99 and p99.9 in milliseconds, and whether it is ours."""

    label: str
    values: tuple[float, float, float]
    ours: bool


def bars(title: str, unit: str, rows: Sequence[Bar]) -> str:
    """Horizontal bars from nought, with a line from the least to the most."""
    room = WIDTH - LABELS - VALUES
    scale = room / max([*(row.most for row in rows), 1e-9])
    parts = [_text(LABELS, TOP + len(rows) * ROW + 16, unit, "small")]
    for index, row in enumerate(rows):
        top = TOP + index * ROW
        middle = top + BAR / 2
        parts += [
            _label(row.label, top),
            f'<rect class="{_kind(row.ours)}" x="{LABELS}" y="{top}" width="{row.value * scale:.1f}" height="{BAR}"/>',
            f'<path class="spread" d="M{LABELS + row.least * scale:.1f} {middle}H{LABELS + row.most * scale:.1f}"/>',
            _text(LABELS + max(row.value, row.most) * scale + 6, top + 13, row.text),
        ]
    return _whole(title, TOP + len(rows) * ROW + 26, parts)


def reaches(title: str, rows: Sequence[Reach]) -> str:
    """Latencies: a circle for p50, a square for p99, a stroke for p99.9, each decade as wide as the other."""
    every = [value for row in rows for value in row.values if value > 0] or [1.0]
    low, high = floor(log10(min(every))), ceil(log10(max(every)))
    room = WIDTH - LABELS - 40

    def at(value: float) -> float:
        return LABELS + (log10(max(value, 10**low)) - low) / max(1, high - low) * room

    bottom = TOP + len(rows) * ROW
    parts = []
    for decade in range(low, high + 1):
        place = at(10.0**decade)
        parts.append(f'<path class="grid" d="M{place:.1f} {TOP - 4}V{bottom}"/>')
        parts.append(_text(place, bottom + 14, f"{10.0**decade:g} ms", "small", "middle"))
    for index, row in enumerate(rows):
        top = TOP + index * ROW
        middle = top + BAR / 2
        p50, p99, p999 = (at(value) for value in row.values)
        kind = _kind(row.ours)
        parts += [
            _label(row.label, top),
            f'<path class="reach" d="M{p50:.1f} {middle}H{p999:.1f}M{p999:.1f} {middle - 6}v12"/>',
            f'<circle class="{kind}" cx="{p50:.1f}" cy="{middle}" r="5"/>',
            f'<rect class="{kind}" x="{p99 - 5:.1f}" y="{middle - 5}" width="10" height="10"/>',
        ]
    parts.append(_text(LABELS, bottom + 32, "circle: p50, square: p99, stroke: p99.9", "small"))
    return _whole(title, bottom + 42, parts)


def _kind(ours: bool) -> str:
    return "ours" if ours else "bar"


def _label(text: str, top: float) -> str:
    return _text(LABELS - 8, top + 13, text, anchor="end")


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    style = f' class="{kind}"' if kind else ""
    return f'<text{style} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _whole(title: str, height: float, parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
        f'width="{WIDTH}" height="{height:.0f}" role="img" aria-labelledby="title">'
    )
    named = f'<title id="title">{escape(title)}</title>'
    return "\n".join([head, named, f"<style>\n{STYLE}\n</style>", _text(8, 18, title, "title"), *parts, "</svg>\n"])
