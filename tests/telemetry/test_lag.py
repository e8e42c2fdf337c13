"""How late the event loop is."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from apigateway.telemetry.lag import INTERVAL, LagMeter


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

    def test_once_stopped_it_has_no_timer(self) -> None:
        self.meter.stop()
        self.meter.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
