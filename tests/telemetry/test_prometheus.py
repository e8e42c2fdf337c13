"""The text format of Prometheus, read back by the parser of Prometheus' own client."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

from apigateway.telemetry.histogram import EDGES, Histogram
from apigateway.telemetry.prometheus import BOUNDS, family, histogram_family, page

LABELS = st.dictionaries(st.sampled_from(["service", "target"]), st.text(st.characters(exclude_categories=["Cs"])))


class ExpositionTests(SynchronousTestCase):
    """What a Prometheus server reads."""

    def test_a_family_has_help_type_and_samples(self) -> None:
        lines = family("requests_total", "counter", "Exchanges.", [({"service": "a"}, 3), ({}, 0.5)])
        self.assertEqual(
            page(lines),
            b"# HELP requests_total Exchanges.\n# TYPE requests_total counter\n"
            b'requests_total{service="a"} 3\nrequests_total 0.5\n',
        )

    @settings(deadline=None)
    @given(LABELS, st.integers(min_value=0, max_value=2**53))
    def test_any_label_and_number_is_read_back_as_it_was(self, labels: dict[str, str], value: int) -> None:
        text = page(family("apigateway_x", "gauge", "X.", [(labels, value)])).decode()
        (read,) = text_string_to_metric_families(text)
        self.assertEqual([(sample.labels, sample.value) for sample in read.samples], [(labels, float(value))])

    @settings(deadline=None)
    @given(st.lists(st.floats(min_value=0, max_value=100)))
    def test_a_histogram_counts_exactly_what_does_not_exceed_each_bound(self, durations: list[float]) -> None:
        histogram = Histogram()
        for seconds in durations:
            histogram.record(seconds)
        (read,) = text_string_to_metric_families(page(histogram_family("h", "H.", [({}, histogram)])).decode())
        buckets = {float(s.labels["le"]): s.value for s in read.samples if s.name == "h_bucket"}
        self.assertEqual(buckets, {b: sum(d <= b for d in durations) for b in (*BOUNDS, float("inf"))})
        others = {s.name: s.value for s in read.samples if s.name != "h_bucket"}
        self.assertEqual(others["h_count"], len(durations))
        self.assertAlmostEqual(others["h_sum"], sum(durations))

    def test_all_bounds_are_edges_of_the_histogram(self) -> None:
        self.assertLessEqual(set(BOUNDS), set(EDGES))
