"""When a file counts as changed: written, replaced, led elsewhere; and when it does not."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from apigateway.lifecycle.watch import EVERY_S, FileWatch, digest_of


class WatchTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "gateway.yaml"
        self.path.write_text("one")
        self.watch(self.path)

    def watch(self, path: Path) -> None:
        self.clock = Clock()
        self.changes: list[None] = []
        self.file = FileWatch(str(path), lambda: self.changes.append(None), self.clock)
        self.file.start(digest_of(path.read_bytes()))
        self.addCleanup(self.file.stop)

    def looks(self, times: int = 3) -> int:
        """Let it look some times; returns how many changes it has told so far."""
        for _ in range(times):
            self.clock.advance(EVERY_S)
        return len(self.changes)

    def test_a_file_that_stays_as_it_is_is_no_change(self) -> None:
        self.assertEqual(self.looks(), 0)

    def test_a_file_that_was_written_is_told_once(self) -> None:
        self.path.write_text("another")
        self.assertEqual((self.looks(), self.looks()), (1, 1))

    def test_a_change_is_told_only_when_two_looks_have_found_the_same(self) -> None:
        for number in range(5):
            self.path.write_text("half" * (number + 2))
            self.assertEqual(self.looks(1), 0)
        self.assertEqual(self.looks(1), 1)

    def test_a_file_that_an_editor_replaces_is_told(self) -> None:
        other = self.folder / ".gateway.yaml.swp"
        other.write_text("two")
        os.replace(other, self.path)
        self.assertEqual(self.looks(), 1)

    def test_and_one_that_is_away_for_a_while(self) -> None:
        self.path.unlink()
        self.assertEqual(self.looks(), 0)
        self.path.write_text("two")
        self.assertEqual(self.looks(), 1)

    def test_one_that_is_gone_is_told_once_to_who_wants_to_know(self) -> None:
        gone: list[None] = []
        file = FileWatch(str(self.path), lambda: None, self.clock, lambda: gone.append(None))
        file.start(digest_of(b"one"))
        self.addCleanup(file.stop)
        self.looks()
        self.path.unlink()
        self.looks(1)
        self.assertEqual(gone, [])
        self.looks()
        self.assertEqual(len(gone), 1)

    def test_what_is_to_be_forgotten_counts_as_another_content(self) -> None:
        self.looks()
        self.file.forget()
        self.assertEqual(self.looks(), 0, "not before it is written")
        self.path.write_text("one")
        os.utime(self.path, (1, 1))
        self.assertEqual(self.looks(), 1)

    def test_a_file_that_comes_back_as_it_was_is_no_change(self) -> None:
        self.path.unlink()
        self.looks()
        self.path.write_text("one")
        self.assertEqual(self.looks(), 0)

    def test_one_that_was_touched_without_another_content_is_no_change(self) -> None:
        os.utime(self.path, (1, 1))
        self.assertEqual(self.looks(), 0)

    def test_a_link_on_the_way_that_is_led_elsewhere_is_told(self) -> None:
        """Kubernetes shows a ConfigMap as file -> ..data/file, and ..data -> a folder that it replaces as a whole."""
        for name, text in (("v1", "one"), ("v2", "two")):
            (self.folder / name).mkdir()
            (self.folder / name / "mounted.yaml").write_text(text)
        (self.folder / "..data").symlink_to("v1")
        (self.folder / "mounted.yaml").symlink_to("..data/mounted.yaml")
        self.watch(self.folder / "mounted.yaml")
        self.assertEqual(self.looks(), 0)
        (self.folder / "..data_tmp").symlink_to("v2")
        os.replace(self.folder / "..data_tmp", self.folder / "..data")
        self.assertEqual(self.looks(), 1)

    def test_what_changed_before_it_began_to_look_is_told(self) -> None:
        file = FileWatch(str(self.path), lambda: self.changes.append(None), self.clock)
        file.start(b"the digest of what was read")
        self.addCleanup(file.stop)
        self.assertEqual(self.looks(), 1)

    def test_stopped_it_looks_no_more(self) -> None:
        self.file.stop()
        self.path.write_text("two")
        self.assertEqual(self.looks(), 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_repr_tells_the_state(self) -> None:
        self.assertTrue(repr(self.file).endswith("gateway.yaml running>"))
        self.file.stop()
        self.assertTrue(repr(self.file).endswith("gateway.yaml stopped>"))

    def test_what_is_no_regular_file_is_no_change_and_is_not_waited_for(self) -> None:
        os.mkfifo(self.folder / "pipe")
        for put in (self.path.mkdir, lambda: self.path.symlink_to("pipe"), lambda: self.path.symlink_to("/dev/zero")):
            self.path.unlink()
            put()
            self.assertEqual(self.looks(), 0)
            if self.path.is_dir():
                self.path.rmdir()
                self.path.touch()
        self.path.unlink()
        self.path.write_text("two")
        self.assertEqual(self.looks(), 1)
