"""The access log as a whole: from exchanges to lines in a file, and what it tells of trouble."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.model import AccessLog as Options
from apigateway.telemetry.access_log import MOST_HELD, REPORT_EVERY, AccessLog, access_log
from apigateway.telemetry.log_file import RotatedFile
from apigateway.telemetry.writer import Writer
from tests.telemetry.ended import ended


class AccessLogTests(SynchronousTestCase):
    """An access log that is written to a file."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.clock = Clock()
        self.clock.advance(100.0)
        self.observer = EventLoggingObserver()
        globalLogPublisher.addObserver(self.observer)
        self.addCleanup(globalLogPublisher.removeObserver, self.observer)

    def trouble(self) -> list[dict[str, Any]]:
        return [event for event in self.observer if event.get("event") == "access-log-trouble"]

    def wall(self) -> float:
        return self.clock.seconds() + 1_000_000_000

    def log(self, options: Options) -> AccessLog:
        log = access_log(options, self.clock.seconds, self.wall)
        log.start()
        return log

    def test_a_batch_becomes_lines_with_the_time_of_day_at_which_each_exchange_began(self) -> None:
        log = self.log(Options(file=str(self.path)))
        log.write([ended(started=99.5), ended(started=99.75, status=404)])
        log.stop()
        lines = [json.loads(line) for line in self.path.read_bytes().splitlines()]
        self.assertEqual([line["time"][-13:] for line in lines], ["01:48:19.500Z", "01:48:19.750Z"])
        self.assertEqual([line["status"] for line in lines], [200, 404])

    def test_format_query_size_and_number_of_files_are_as_configured(self) -> None:
        log = self.log(Options(file=str(self.path), format="combined", query="drop", rotate=150, keep=1))
        for _ in range(3):
            log.write([ended()])
            log.hand_over()
        log.stop()
        self.assertTrue(self.path.read_bytes().startswith(b"203.0.113.7 - - ["))
        self.assertNotIn(b"page=2", self.path.read_bytes())
        self.assertTrue(self.path.with_name(self.path.name + ".1").exists())
        self.assertFalse(self.path.with_name(self.path.name + ".2").exists())

    def test_after_reopening_lines_go_to_a_new_file_of_the_same_name(self) -> None:
        log = self.log(Options(file=str(self.path)))
        moved = self.path.rename(self.path.with_name("moved"))
        log.reopen()
        log.write([ended()])
        log.stop()
        self.assertEqual((moved.read_bytes(), self.path.read_bytes().count(b"\n")), (b"", 1))

    def test_a_full_disk_is_told_at_most_once_a_minute_with_the_number_of_lines_lost(self) -> None:
        writer = Writer(RotatedFile("/dev/full", 10**6, 1))
        log = AccessLog(writer, "json", "keep", self.clock.seconds, self.wall)
        log.start()
        log.report_trouble()
        self.assertEqual(self.trouble(), [])
        log.write([ended(), ended()])
        log.stop()
        log.report_trouble()
        log.write([ended()])
        log.hand_over()
        log.report_trouble()
        self.assertEqual([event["lines"] for event in self.trouble()], [2])
        self.assertIn("No space left", self.trouble()[0]["reason"])
        self.clock.advance(REPORT_EVERY)
        log.report_trouble()
        self.assertEqual([event["lines"] for event in self.trouble()], [2, 1])
        self.assertEqual(log.lost(), 3)

    def test_many_lines_are_handed_over_at_once(self) -> None:
        log = self.log(Options(file=str(self.path)))
        self.addCleanup(log.stop)
        log.write([ended() for _ in range(MOST_HELD // 100)])
        log._writer.stop(5.0)
        self.assertEqual(self.path.read_bytes().count(b"\n"), MOST_HELD // 100)

    def test_a_file_that_cannot_be_opened_is_an_error_at_the_start(self) -> None:
        self.assertRaises(OSError, self.log, Options(file="/no/such/folder/access.log"))
