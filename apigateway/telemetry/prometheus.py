"""The text format of Prometheus (exposition format 0.0.4), written. Knows the format, not what is measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from apigateway.telemetry.histogram import Histogram

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"

BOUNDS = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0,
)  # fmt: skip
"""The upper bounds of the buckets, in seconds; all are edges of `Histogram`, so their counts are exact."""

Labels = Mapping[str, str]
Samples = Iterable[tuple[Labels, float]]

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


def family(name: str, kind: str, help: str, samples: Samples) -> list[str]:
    """The lines of a family of counters or gauges; `kind` is "counter" or "gauge"."""
    return [*_heading(name, kind, help), *(f"{name}{_braces(labels)} {value!r}" for labels, value in samples)]


def histogram_family(name: str, help: str, histograms: Iterable[tuple[Labels, Histogram]]) -> list[str]:
    """The lines of a family of histograms of seconds."""
    lines = _heading(name, "histogram", help)
    for labels, histogram in histograms:
        count = histogram.count()
        for bound, below in zip(BOUNDS, histogram.cumulative(BOUNDS), strict=True):
            lines.append(f"{name}_bucket{_braces({**labels, 'le': repr(bound)})} {below}")
        lines.append(f"{name}_bucket{_braces({**labels, 'le': '+Inf'})} {count}")
        lines.append(f"{name}_sum{_braces(labels)} {histogram.total!r}")
        lines.append(f"{name}_count{_braces(labels)} {count}")
    return lines


def page(lines: Iterable[str]) -> bytes:
    """The lines of all families as a document."""
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")


def _heading(name: str, kind: str, help: str) -> list[str]:
    return [f"# HELP {name} {help}", f"# TYPE {name} {kind}"]


def _braces(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in labels.items()) + "}"
