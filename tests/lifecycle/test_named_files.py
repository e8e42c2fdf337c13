"""Files that a configuration names are looked at, whether or not the configuration's own is."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.model import GivenFile
from apigateway.lifecycle.named_files import NamedFiles
from apigateway.lifecycle.watch import EVERY_S


class NamedFilesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.clock = Clock()
        self.changes = 0
        self.files = NamedFiles(self.note, self.clock)
        self.addCleanup(self.files.stop)

    def note(self) -> None:
        self.changes += 1

    def given(self, name: str, content: bytes) -> GivenFile:
        path = self.folder / name
        path.write_bytes(content)
        return GivenFile(str(path), content)

    def looks(self) -> int:
        for _ in range(3):
            self.clock.advance(EVERY_S)
        return self.changes

    def test_a_change_of_any_is_told_once(self) -> None:
        self.files.follow([self.given("a", b"one"), self.given("b", b"one")])
        self.assertEqual(self.looks(), 0)
        self.given("b", b"two")
        self.assertEqual((self.looks(), self.looks()), (1, 1))

    def test_what_is_in_use_counts_and_not_what_was_there_when_looking_began(self) -> None:
        file = self.given("a", b"one")
        self.given("a", b"two")
        self.files.follow([file])
        self.assertEqual(self.looks(), 1)

    def test_those_that_are_named_no_more_are_left_alone(self) -> None:
        first, second = self.given("a", b"one"), self.given("b", b"one")
        self.files.follow([first, second])
        self.files.follow([second])
        self.given("a", b"two")
        self.assertEqual(self.looks(), 0)
        self.assertNotIn(first.path, repr(self.files))
        self.files.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
