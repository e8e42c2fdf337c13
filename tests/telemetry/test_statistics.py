"""Tallies over time: since start, and the last minute."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from apigateway.telemetry import statistics
from apigateway.telemetry.statistics import OTHER, Statistics
from tests.telemetry.ended import ended

KEY = ("product", "product /api", "http://a:8002")


class StatisticsTests(SynchronousTestCase):
    """What is counted, and for how long it is told."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.statistics = Statistics(self.clock.seconds)

    def requests(self) -> int:
        return sum(tally.requests for tally in self.statistics.last_minute()[1].values())

    def test_exchanges_are_counted_by_service_route_and_target(self) -> None:
        self.statistics.add([ended(), ended(), ended(at="http://b:8002"), ended(service="", route="", attempts=0)])
        counted = {key: tally.requests for key, tally in self.statistics.since_start().items()}
        self.assertEqual(counted, {KEY: 2, ("product", "product /api", "http://b:8002"): 1, ("", "", ""): 1})

    def test_the_last_minute_forgets_and_the_sum_since_start_does_not(self) -> None:
        self.statistics.add([ended()])
        self.clock.advance(59)
        self.statistics.add([ended()])
        self.assertEqual(self.requests(), 2)
        self.clock.advance(6)
        self.assertEqual(self.requests(), 1)
        self.clock.advance(60)
        self.assertEqual(self.requests(), 0)
        self.assertEqual(self.statistics.since_start()[KEY].requests, 2)

    def test_a_long_silence_is_not_counted_as_part_of_the_minute(self) -> None:
        self.statistics.add([ended()])
        self.clock.advance(100_000)
        self.statistics.add([ended()])
        self.assertEqual(self.requests(), 1)
        self.assertEqual(self.statistics.since_start()[KEY].requests, 2)

    @settings(deadline=None)
    @given(st.lists(st.floats(min_value=0, max_value=50), max_size=30))
    def test_the_last_minute_holds_what_its_seconds_say_and_at_least_a_minute(self, pauses: list[float]) -> None:
        clock = Clock()
        counting = Statistics(clock.seconds)
        times = []
        for pause in pauses:
            clock.advance(pause)
            times.append(clock.seconds())
            counting.add([ended()])
        covered, tallies = counting.last_minute()
        began = clock.seconds() - covered
        self.assertEqual(sum(tally.requests for tally in tallies.values()), sum(time >= began - 1e-9 for time in times))
        self.assertGreaterEqual(covered + 1e-9, min(60.0, clock.seconds()))
        self.assertLess(covered, 65.0 + 1e-9)

    def test_what_was_told_is_not_changed_by_what_is_counted_later(self) -> None:
        self.statistics.add([ended()])
        told = self.statistics.since_start()
        self.statistics.add([ended()])
        self.assertEqual(told[KEY].requests, 1)

    def test_uptime_is_the_time_since_it_was_made(self) -> None:
        self.clock.advance(12.5)
        self.assertEqual(self.statistics.uptime(), 12.5)

    def test_names_without_end_are_counted_together(self) -> None:
        self.patch(statistics, "MOST_KEYS", 2)
        self.statistics.add([ended(at=f"http://{number}") for number in range(5)])
        self.clock.advance(10)
        self.statistics.add([ended(at="http://0"), ended(at="http://9")])
        counted = {key[2]: tally.requests for key, tally in self.statistics.since_start().items()}
        self.assertEqual(counted, {"http://0": 2, "http://1": 1, OTHER[2]: 4})
