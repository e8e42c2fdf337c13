"""Where log lines end: rotated files, standard output, and what happens when they can't be written."""

from __future__ import annotations

import os
import threading
from errno import ENOSPC
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.telemetry.log_file import RotatedFile, StandardOutput, sink_for


class RotatedFileTests(SynchronousTestCase):
    """A file that is rotated by size."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.path = self.folder / "access.log"

    def file(self, rotate: int = 1000, keep: int = 2) -> RotatedFile:
        file = RotatedFile(str(self.path), rotate, keep)
        file.open()
        self.addCleanup(file.close)
        return file

    def contents(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.folder.iterdir()}

    def test_lines_are_appended_to_what_is_there(self) -> None:
        self.path.write_bytes(b"old\n")
        self.assertEqual(self.file().write(b"one\ntwo\n"), 0)
        self.assertEqual(self.contents(), {"access.log": b"old\none\ntwo\n"})

    def test_a_new_file_is_not_for_everyone_to_read(self) -> None:
        self.file()
        self.assertEqual(self.path.stat().st_mode & 0o007, 0)

    def test_before_a_file_exceeds_its_size_it_moves_away_and_the_oldest_is_dropped(self) -> None:
        file = self.file(rotate=8, keep=2)
        for batch in (b"1\n2\n", b"3\n4\n", b"5\n6\n", b"7\n8\n9\n", b"10\n11\n"):
            self.assertEqual(file.write(batch), 0)
        self.assertEqual(
            self.contents(),
            {"access.log": b"10\n11\n", "access.log.1": b"7\n8\n9\n", "access.log.2": b"5\n6\n"},
        )

    def test_a_batch_larger_than_a_file_is_not_divided(self) -> None:
        file = self.file(rotate=4, keep=1)
        file.write(b"a\n")
        file.write(b"a long line\nand another\n")
        self.assertEqual(self.contents(), {"access.log": b"a long line\nand another\n", "access.log.1": b"a\n"})

    def test_the_size_that_a_file_already_has_counts(self) -> None:
        self.path.write_bytes(b"12345678\n")
        self.file(rotate=10).write(b"x\n")
        self.assertEqual(self.contents(), {"access.log": b"x\n", "access.log.1": b"12345678\n"})

    def test_keeping_none_drops_the_full_file(self) -> None:
        file = self.file(rotate=4, keep=0)
        file.write(b"one\n")
        file.write(b"two\n")
        self.assertEqual(self.contents(), {"access.log": b"two\n"})

    @settings(deadline=None, max_examples=25)
    @given(st.lists(st.lists(st.binary(max_size=20), min_size=1, max_size=5), max_size=15))
    def test_no_line_is_lost_or_divided_by_rotation(self, batches: list[list[bytes]]) -> None:
        for path in self.folder.iterdir():
            path.unlink()
        written = [[line.replace(b"\n", b"") for line in batch] for batch in batches]
        file = self.file(rotate=40, keep=100)
        for batch in written:
            self.assertEqual(file.write(b"".join(line + b"\n" for line in batch)), 0)
        file.close()
        names = sorted(self.contents(), key=lambda name: int(name.removeprefix("access.log").strip(".") or 0))
        found = b"".join(self.contents()[name] for name in reversed(names))
        self.assertEqual(found, b"".join(line + b"\n" for batch in written for line in batch))

    def test_after_someone_else_moved_the_file_reopening_makes_a_new_one(self) -> None:
        file = self.file()
        file.write(b"before\n")
        self.path.rename(self.folder / "moved")
        file.write(b"still there\n")
        file.reopen()
        file.write(b"after\n")
        self.assertEqual(self.contents(), {"moved": b"before\nstill there\n", "access.log": b"after\n"})

    def test_a_file_that_was_removed_is_made_again_when_it_would_be_rotated(self) -> None:
        file = self.file(rotate=5)
        file.write(b"one\n")
        self.path.unlink()
        self.assertEqual(file.write(b"two\n"), 0)
        self.assertEqual(self.contents(), {"access.log": b"two\n"})

    def test_a_link_is_never_rotated(self) -> None:
        (self.folder / "real").write_bytes(b"")
        self.path.symlink_to(self.folder / "real")
        file = self.file(rotate=5)
        file.write(b"one\n")
        file.write(b"two\n")
        self.assertTrue(self.path.is_symlink())
        self.assertEqual((self.folder / "real").read_bytes(), b"one\ntwo\n")

    def test_what_cannot_be_opened_at_the_start_is_an_error(self) -> None:
        self.assertRaises(OSError, RotatedFile(str(self.folder / "no" / "such"), 10, 1).open)

    def test_a_folder_that_is_gone_costs_lines_until_it_is_back(self) -> None:
        file = self.file()
        file.reopen()
        moved = self.folder.rename(self.folder.with_name("gone"))
        self.assertEqual(file.write(b"1\n2\n"), 2)
        self.assertIsInstance(file.error, FileNotFoundError)
        moved.rename(self.folder)
        self.assertEqual(file.write(b"3\n"), 0)
        self.assertIsNone(file.error)
        self.assertEqual(self.contents(), {"access.log": b"3\n"})

    def test_a_file_that_cannot_be_moved_grows_and_says_why(self) -> None:
        (self.folder / "access.log.1").mkdir()
        (self.folder / "access.log.1" / "full").touch()
        file = self.file(rotate=5, keep=1)
        self.assertEqual(file.write(b"one\n") + file.write(b"two\n"), 0)
        self.assertIsInstance(file.error, OSError)
        self.assertEqual(self.path.read_bytes(), b"one\ntwo\n")

    def test_on_a_full_disk_the_lines_are_lost_and_counted(self) -> None:
        file = RotatedFile("/dev/full", 1000, 1)
        file.open()
        self.addCleanup(file.close)
        self.assertEqual(file.write(b"1\n2\n3\n"), 3)
        assert file.error is not None
        self.assertIn("No space left", str(file.error))


class CutLineTests(SynchronousTestCase):
    """A write that the disk took only a part of."""

    def test_a_cut_line_counts_as_lost_and_the_next_one_starts_on_its_own(self) -> None:
        taken: list[bytes] = []
        room = [7, 0, 100]

        def write(fd: int, data: memoryview) -> int:
            size = room.pop(0)
            if not size:
                raise OSError(ENOSPC, "No space left on device")
            taken.append(bytes(data[:size]))
            return len(taken[-1])

        output = StandardOutput()
        output.open()
        self.addCleanup(output.close)
        self.patch(os, "write", write)
        self.assertEqual(output.write(b"first\nsecond\nthird\n"), 2)
        self.assertEqual(output.write(b"fourth\n"), 0)
        self.assertEqual(b"".join(taken), b"first\ns\nfourth\n")


class StandardOutputTests(SynchronousTestCase):
    """Standard output, or another descriptor that is shared with others."""

    def setUp(self) -> None:
        self.reader, self.writer = os.pipe()
        self.output = StandardOutput(self.writer)
        self.output.open()
        self.addCleanup(self.output.close)

    def tearDown(self) -> None:
        for fd in (self.reader, self.writer):
            if fd >= 0:
                os.close(fd)

    def test_lines_arrive(self) -> None:
        self.assertEqual(self.output.write(b"one\ntwo\n"), 0)
        self.assertEqual(os.read(self.reader, 100), b"one\ntwo\n")

    def test_it_has_its_own_descriptor(self) -> None:
        os.close(self.writer)
        self.writer = -1
        self.assertEqual(self.output.write(b"one\n"), 0)
        self.assertEqual(os.read(self.reader, 100), b"one\n")

    def test_without_a_reader_lines_are_lost_and_counted(self) -> None:
        os.close(self.reader)
        self.reader = -1
        self.assertEqual(self.output.write(b"one\ntwo\n"), 2)
        self.assertIsInstance(self.output.error, BrokenPipeError)

    def test_a_descriptor_that_others_made_non_blocking_still_gets_everything(self) -> None:
        os.set_blocking(self.writer, False)
        lines = b"x" * 99 + b"\n"
        received = bytearray()

        def read() -> None:
            while len(received) < len(lines) * 5000:
                received.extend(os.read(self.reader, 65536))

        reading = threading.Thread(target=read)
        reading.start()
        self.addCleanup(reading.join, 10)
        self.assertEqual(self.output.write(lines * 5000), 0)
        reading.join(10)
        self.assertEqual(received, lines * 5000)

    def test_once_closed_lines_are_lost(self) -> None:
        self.output.close()
        self.assertEqual(self.output.write(b"one\n"), 1)

    def test_a_dash_names_standard_output_and_anything_else_a_file(self) -> None:
        self.assertIsInstance(sink_for("-", 1, 1), StandardOutput)
        self.assertIsInstance(sink_for("access.log", 1, 1), RotatedFile)
