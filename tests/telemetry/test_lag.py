"""How late the event loop is."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from apigateway.telemetry.lag import INTERVAL, LagMeter


class Waiting:
    """Says that connections wait for so long."""

    is_open = False

    def open(self) -> None:
        self.is_open = True

    def close(self) -> None:
        self.is_open = False

    def seconds(self) -> float:
        return 0.4


class LagMeterTests(SynchronousTestCase):
    """A loop that is on time, or that is not."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.delay = 0.0
        self.meter = LagMeter(self.clock, lambda: self.clock.seconds() + self.delay)
        self.meter.start()

    def stall(self, seconds: float) -> None:
        """Something keeps the loop busy, so that its timers are late."""
        self.delay += seconds
        self.clock.advance(INTERVAL)

    def test_a_loop_that_is_on_time_has_no_lag(self) -> None:
        self.clock.pump([INTERVAL] * 20)
        self.assertAlmostEqual(self.meter.last, 0.0)
        self.assertAlmostEqual(self.meter.worst(), 0.0)

    def test_a_stall_is_measured(self) -> None:
        self.stall(0.25)
        self.assertAlmostEqual(self.meter.last, 0.25)

    def test_a_loop_that_is_always_late_is_always_seen_to_be(self) -> None:
        for _ in range(5):
            self.stall(0.02)
            self.assertAlmostEqual(self.meter.last, 0.02)

    def test_the_most_of_the_last_minute_is_remembered_for_a_minute(self) -> None:
        self.stall(0.1)
        self.stall(0.5)
        self.stall(0.2)
        self.clock.pump([INTERVAL] * 590)
        self.assertAlmostEqual(self.meter.worst(), 0.5)
        self.clock.pump([INTERVAL] * 12)
        self.assertLess(self.meter.worst(), 0.5)
        self.clock.pump([INTERVAL] * 10)
        self.assertAlmostEqual(self.meter.worst(), 0.0)

    def test_the_least_of_the_last_half_second_is_what_the_loop_is_late_at_its_best(self) -> None:
        for seconds in (0.5, 0.1, 0.15, 0.2):
            self.stall(seconds)
        self.assertAlmostEqual(self.meter.least(), 0.1)
        for _ in range(3):
            self.stall(0.6)
        self.assertAlmostEqual(self.meter.least(), 0.6)

    def test_a_single_stall_never_shows_in_it(self) -> None:
        self.clock.pump([INTERVAL] * 3)
        self.stall(30.0)
        for _ in range(30):
            self.assertAlmostEqual(self.meter.least(), 0.0)
            self.clock.advance(INTERVAL)

    def test_it_is_nothing_before_half_a_second_has_been_seen(self) -> None:
        self.assertEqual(self.meter.least(), 0.0)
        self.stall(5.0)
        self.assertEqual(self.meter.least(), 0.0)

    def test_it_is_gone_as_soon_as_the_loop_is_on_time_once(self) -> None:
        for _ in range(5):
            self.stall(0.5)
        self.assertAlmostEqual(self.meter.least(), 0.5)
        self.clock.advance(INTERVAL)
        self.assertAlmostEqual(self.meter.least(), 0.0)

    def test_connections_that_wait_longer_than_any_timer_is_late_count(self) -> None:
        waiting = Waiting()
        self.meter.wait = waiting  # type: ignore[assignment]  # a double
        self.clock.pump([INTERVAL] * 12)
        self.assertAlmostEqual(self.meter.last, 0.4)
        self.assertTrue(waiting.is_open)
        self.stall(0.7)
        self.assertAlmostEqual(self.meter.last, 0.7)
        self.assertAlmostEqual(self.meter.least(), 0.4)
        self.meter.stop()
        self.assertFalse(waiting.is_open)

    def test_once_stopped_it_has_no_timer(self) -> None:
        self.meter.stop()
        self.meter.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
