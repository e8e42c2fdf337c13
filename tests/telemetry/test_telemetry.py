"""From the data path to statistics and access log, in batches."""

from __future__ import annotations

import json
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from apigateway.config.model import AccessLog
from apigateway.interfaces import IExchangeObserver
from apigateway.telemetry.telemetry import FLUSH_EVERY, MOST_PENDING, Telemetry
from tests.telemetry.ended import ended


class TelemetryTests(SynchronousTestCase):
    """What becomes of exchanges that are over."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.clock = Clock()
        self.telemetry = Telemetry(AccessLog(file=str(self.path)), self.clock, self.clock.seconds)
        self.telemetry.start()
        self.addCleanup(self.telemetry.stop)

    def counted(self) -> int:
        return sum(tally.requests for tally in self.telemetry.statistics.since_start().values())

    def test_it_is_an_observer_of_exchanges(self) -> None:
        verifyObject(IExchangeObserver, self.telemetry)

    def test_exchanges_are_counted_and_logged_a_moment_later(self) -> None:
        for _ in range(3):
            self.telemetry.exchange_ended(ended())
        self.assertEqual((self.counted(), repr(self.telemetry)), (0, "<Telemetry pending=3 lost=0>"))
        self.clock.advance(FLUSH_EVERY)
        self.assertEqual((self.counted(), repr(self.telemetry)), (3, "<Telemetry pending=0 lost=0>"))

    def test_no_more_than_a_bounded_number_is_kept_for_later(self) -> None:
        exchange = ended()
        for _ in range(MOST_PENDING - 1):
            self.telemetry.exchange_ended(exchange)
        self.assertEqual(self.counted(), 0)
        self.telemetry.exchange_ended(exchange)
        self.assertEqual(self.counted(), MOST_PENDING)

    def test_what_was_sent_a_second_time_is_counted_and_not_logged(self) -> None:
        self.telemetry.copy_ended(ended())
        self.assertEqual(self.counted(), 1)
        self.telemetry.stop()
        self.assertEqual(self.path.read_bytes(), b"")

    def test_at_the_end_everything_is_counted_and_logged(self) -> None:
        self.telemetry.exchange_ended(ended())
        self.telemetry.stop()
        self.assertEqual(self.counted(), 1)
        self.assertEqual(json.loads(self.path.read_bytes())["service"], "product")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def change(self, options: AccessLog | None) -> None:
        """Go on with another access log."""
        self.telemetry.use_access_log(self.telemetry.open_access_log(options), options)

    def test_with_another_access_log_no_line_is_lost_and_none_is_written_twice(self) -> None:
        other = self.path.with_name("other.log")
        for options in (AccessLog(str(other)), AccessLog(str(other), "combined"), None, AccessLog(str(self.path))):
            self.telemetry.exchange_ended(ended())
            self.change(options)
        self.telemetry.exchange_ended(ended())
        self.telemetry.stop()
        lines = [path.read_bytes().splitlines() for path in (self.path, other)]
        self.assertEqual([len(one) for one in lines], [2, 2])
        self.assertEqual([line.startswith(b"{") for line in lines[1]], [True, False])
        self.assertEqual(self.counted(), 5)

    def test_the_same_options_keep_the_same_access_log(self) -> None:
        before = self.telemetry.access_log
        self.change(AccessLog(str(self.path)))
        self.assertIs(self.telemetry.access_log, before)

    def test_one_that_cannot_be_opened_is_told_and_the_present_one_stays(self) -> None:
        before = self.telemetry.access_log
        self.assertRaises(OSError, self.telemetry.open_access_log, AccessLog("/nowhere/access.log"))
        opened = self.telemetry.open_access_log(AccessLog(str(self.path.with_name("unwanted.log"))))
        self.telemetry.drop_access_log(opened)
        self.telemetry.drop_access_log(before)
        self.telemetry.exchange_ended(ended())
        self.telemetry.stop()
        self.assertIs(self.telemetry.access_log, before)
        self.assertEqual(self.path.read_bytes().count(b"\n"), 1)

    def test_a_file_that_was_moved_away_is_opened_again(self) -> None:
        moved = self.path.with_name("moved.log")
        self.telemetry.exchange_ended(ended())
        self.clock.advance(FLUSH_EVERY)
        self.path.rename(moved)
        self.telemetry.reopen_access_log()
        self.telemetry.exchange_ended(ended())
        self.telemetry.stop()
        self.assertEqual([path.read_bytes().count(b"\n") for path in (moved, self.path)], [1, 1])

    def test_an_exchange_that_cannot_be_written_harms_neither_the_counters_nor_what_comes_later(self) -> None:
        broken = ended()
        broken.head = None  # type: ignore[assignment]
        self.telemetry.exchange_ended(broken)
        self.clock.advance(FLUSH_EVERY)
        self.assertEqual(len(self.flushLoggedErrors(AttributeError)), 1)
        self.telemetry.exchange_ended(ended())
        self.clock.advance(FLUSH_EVERY)
        self.telemetry.stop()
        self.assertEqual((self.counted(), self.path.read_bytes().count(b"\n")), (2, 1))

    def test_of_many_exchanges_only_those_that_cannot_be_recorded_are_lost_and_they_are_told_together(self) -> None:
        """What is recorded already when one fails is not recorded again: not before it, and not by the other reader."""
        spoiled_head, spoiled_status = {2, 5}, {3, 6}
        for number in range(7):
            exchange = ended(target=f"/{number}")
            if number in spoiled_head:
                exchange.head = None  # type: ignore[assignment]
            if number in spoiled_status:
                exchange.service = []  # type: ignore[assignment]
            self.telemetry.exchange_ended(exchange)
        self.telemetry.stop()
        self.assertEqual(len(self.flushLoggedErrors(AttributeError)), 1)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)
        paths = [json.loads(line)["path"] for line in self.path.read_bytes().splitlines()]
        self.assertEqual(paths, ["/0", "/1", "/3", "/4", "/6"])
        self.assertEqual(self.counted(), 5)

    def test_what_fails_whatever_it_is_given_is_tried_once(self) -> None:
        """As where there is no more memory for a slot, or the clock fails."""
        tried = []

        def fail(batch: object) -> None:
            tried.append(batch)
            raise OSError

        for _ in range(3):
            self.telemetry.exchange_ended(ended())
        self.patch(self.telemetry.statistics, "add", fail)
        self.telemetry.stop()
        self.assertEqual((len(tried), len(self.flushLoggedErrors(OSError))), (1, 1))
        self.assertEqual(self.path.read_bytes().count(b"\n"), 3)

    def test_the_lateness_of_the_loop_is_measured_while_it_runs(self) -> None:
        self.clock.advance(0.7)
        self.assertAlmostEqual(self.telemetry.lag.last, 0.6)


class WithoutAccessLogTests(SynchronousTestCase):
    """A gateway that writes no access log."""

    def test_exchanges_are_counted_all_the_same(self) -> None:
        clock = Clock()
        telemetry = Telemetry(None, clock, clock.seconds)
        telemetry.start()
        telemetry.exchange_ended(ended())
        telemetry.stop()
        self.assertEqual(sum(tally.requests for tally in telemetry.statistics.since_start().values()), 1)
        self.assertEqual(telemetry.lost_lines(), 0)
