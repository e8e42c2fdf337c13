"""The page for Prometheus: whatever the names of services, routes and targets are, its own parser reads them back."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from apigateway.telemetry.histogram import Histogram
from apigateway.telemetry.prometheus import family, histogram_family, page
from tests.fuzz.target import Target


def check(data: bytes) -> None:
    """The first two lines are label values, and the rest is one; the number of bytes is what was counted."""
    names = data.decode("utf-8", "replace").split("\n", 2)
    labels = dict(zip(("service", "route", "target"), [*names, "", ""], strict=False))
    histogram = Histogram()
    histogram.record(len(data) / 1000)
    lines = family("a_total", "counter", "Counts.", [(labels, len(data))])
    lines += histogram_family("b_seconds", "Times.", [(labels, histogram)])
    counter, times = text_string_to_metric_families(page(lines).decode())
    assert [(sample.labels, sample.value) for sample in counter.samples] == [(labels, len(data))]
    for sample in times.samples:
        own = {name: value for name, value in sample.labels.items() if name != "le"}
        assert own == labels
    buckets = [sample.value for sample in times.samples if sample.name == "b_seconds_bucket"]
    assert buckets == sorted(buckets)
    assert buckets[-1] == 1


TARGET = Target(
    check,
    (b"\\", b'"', b"\\n", b"\n", b"}", b"{", b",", b'",service="x', b"\r", b"\xe2\x80\xa8", b"\0", b"# HELP", b"http://a:1"),
    most=512,
    short_runs=500,
)  # fmt: skip
