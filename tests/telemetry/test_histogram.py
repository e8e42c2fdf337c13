"""Durations in buckets: the error that quantiles may have, and what is exact."""

from __future__ import annotations

from itertools import pairwise
from math import ceil

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.telemetry.histogram import EDGES, HIGHEST, LOWEST, Histogram

DURATIONS = st.floats(min_value=LOWEST, max_value=3600.0)


def histogram_of(durations: list[float]) -> Histogram:
    histogram = Histogram()
    for seconds in durations:
        histogram.record(seconds)
    return histogram


class HistogramTests(SynchronousTestCase):
    """What a histogram tells of the durations it was given."""

    @settings(deadline=None)
    @given(st.lists(DURATIONS, min_size=1), st.floats(min_value=0.001, max_value=1.0))
    def test_any_quantile_from_ten_microseconds_to_an_hour_is_within_five_percent(
        self, durations: list[float], share: float
    ) -> None:
        true = sorted(durations)[ceil(share * len(durations)) - 1]
        (told,) = histogram_of(durations).quantiles([share])
        self.assertLessEqual(abs(told - true), 0.05 * true)

    @settings(deadline=None)
    @given(st.lists(DURATIONS), st.lists(DURATIONS))
    def test_two_merged_tell_the_same_as_one_that_was_given_everything(
        self, first: list[float], second: list[float]
    ) -> None:
        merged, whole = histogram_of(first), histogram_of(first + second)
        merged.merge(histogram_of(second))
        self.assertEqual(merged.counts, whole.counts)
        self.assertEqual(merged.maximum, whole.maximum)
        self.assertAlmostEqual(merged.total, whole.total, delta=1e-6 * (1 + whole.total))

    @settings(deadline=None)
    @given(st.lists(DURATIONS), st.sampled_from(EDGES))
    def test_counts_up_to_an_edge_are_exact(self, durations: list[float], edge: float) -> None:
        below = sum(seconds <= edge for seconds in durations)
        self.assertEqual(histogram_of(durations).cumulative([edge]), [below])

    def test_no_bucket_is_wider_than_a_tenth_of_its_lower_end(self) -> None:
        widths = [high / low for low, high in pairwise(EDGES)]
        self.assertLess(max(widths), 1.1)
        self.assertGreater(min(widths), 1.0)
        self.assertEqual((EDGES[0], EDGES[-1]), (LOWEST, HIGHEST))

    def test_halved_it_forgets_what_came_once_and_says_the_same_of_the_rest(self) -> None:
        histogram = histogram_of([0.01] * 8 + [0.1] * 4 + [5.0])
        histogram.halve()
        self.assertEqual((histogram.count(), histogram.total), (6, (8 * 0.01 + 4 * 0.1 + 5.0) / 2))
        self.assertEqual(
            histogram.quantiles([0.5, 1.0]), histogram_of([0.01] * 8 + [0.1] * 4 + [5.0]).quantiles([0.5, 0.9])
        )

    def test_of_nothing_every_quantile_is_zero(self) -> None:
        self.assertEqual(Histogram().quantiles([0.5, 0.99]), [0.0, 0.0])

    def test_the_maximum_is_exact_and_no_quantile_exceeds_it(self) -> None:
        histogram = histogram_of([0.0101, 0.0101, 0.0101])
        self.assertEqual(histogram.maximum, 0.0101)
        self.assertLessEqual(histogram.quantiles([1.0])[0], 0.0101)

    def test_durations_beyond_all_buckets_are_told_as_the_longest_of_them(self) -> None:
        self.assertEqual(histogram_of([9000.0]).quantiles([0.5]), [9000.0])

    def test_a_negative_duration_counts_as_the_shortest(self) -> None:
        histogram = histogram_of([-1.0])
        self.assertEqual((histogram.count(), histogram.quantiles([0.5])), (1, [0.0]))
