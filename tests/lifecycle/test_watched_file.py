"""A file that tells its content."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from apigateway.lifecycle.watch import EVERY_S
from apigateway.lifecycle.watched_file import WatchedFile


class WatchedFileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.clock = Clock()
        self.told: list[bytes | str] = []
        self.file = WatchedFile(str(self.path), self.clock)
        self.addCleanup(self.file.stop)

    def start(self) -> None:
        self.file.start(self.told.append, self.told.append)

    def looks(self, times: int = 3) -> list[bytes | str]:
        """What is told in some looks."""
        self.told.clear()
        self.clock.pump([EVERY_S] * times)
        return self.told

    def test_its_content_is_told_at_once_and_once(self) -> None:
        self.path.write_text("one")
        self.start()
        self.assertEqual(self.told, [b"one"])
        self.assertEqual(self.looks(), [])

    def test_another_content_is_told(self) -> None:
        self.path.write_text("one")
        self.start()
        self.path.write_text("another")
        self.assertEqual(self.looks(), [b"another"])

    def test_that_it_is_not_there_is_told_once_and_what_comes_then(self) -> None:
        self.start()
        reason = f"{self.path} cannot be read: No such file or directory"
        self.assertEqual(self.told, [reason])
        self.assertEqual(self.looks(), [reason], "it is still not there when that is settled")
        self.assertEqual(self.looks(), [])
        self.path.write_text("one")
        self.assertEqual(self.looks(), [b"one"])

    def test_a_file_that_was_away_is_told_though_it_is_the_same(self) -> None:
        self.path.write_text("one")
        self.start()
        self.path.unlink()
        self.assertEqual(len(self.looks()), 1)
        self.path.write_text("one")
        self.assertEqual(self.looks(), [b"one"])

    def test_one_that_an_editor_takes_away_for_a_moment_is_not_missed(self) -> None:
        self.path.write_text("one")
        self.start()
        self.path.unlink()
        self.assertEqual(self.looks(1), [])
        self.path.write_text("two")
        self.assertEqual(self.looks(), [b"two"])

    def test_what_is_no_file_is_told(self) -> None:
        os.mkfifo(self.path)
        self.start()
        self.assertEqual(self.told, [f"{self.path} cannot be read: it is no regular file"])

    def test_once_stopped_it_tells_nothing(self) -> None:
        self.path.write_text("one")
        self.start()
        self.file.stop()
        self.path.write_text("two")
        self.assertEqual(self.looks(), [])
