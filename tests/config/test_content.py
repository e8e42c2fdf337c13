"""The bytes of a file, and what is refused because it might have no end or no beginning."""

from __future__ import annotations

import gc
import os
import socket
import tracemalloc
from pathlib import Path
from threading import Thread

from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.content import MOST_BYTES, PIECE, content_of


class ContentTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())

    def refusal(self, *, may_wait: bool = False) -> str | None:
        """Why it is not read."""
        refused: OSError = self.assertRaises(OSError, content_of, str(self.path), may_wait=may_wait)
        return refused.strerror

    def test_all_that_is_in_a_file_is_read(self) -> None:
        self.path.write_bytes(b"a\r\n\xff")
        self.assertEqual([content_of(str(self.path), may_wait=may) for may in (False, True)], [b"a\r\n\xff"] * 2)

    def test_a_pipe_that_nobody_writes_to_is_refused_at_once(self) -> None:
        os.mkfifo(self.path)
        self.assertEqual(self.refusal(), "it is no regular file")

    def test_so_is_a_device_without_end(self) -> None:
        self.path.symlink_to("/dev/zero")
        self.assertEqual(self.refusal(), "it is no regular file")

    def test_where_waiting_is_allowed_what_has_no_end_is_read_up_to_the_bound(self) -> None:
        self.path.symlink_to("/dev/zero")
        self.assertEqual(self.refusal(may_wait=True), "it is larger than 16 MiB")

    def test_folders_and_sockets_are_refused(self) -> None:
        self.path.mkdir()
        self.assertEqual(self.refusal(), "Is a directory")
        self.path.rmdir()
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(os.path.relpath(self.path))
            self.assertIsNotNone(self.refusal())

    def test_a_file_may_be_as_large_as_the_bound_and_no_larger(self) -> None:
        self.path.touch()
        os.truncate(self.path, MOST_BYTES)
        self.assertEqual(len(content_of(str(self.path))), MOST_BYTES)
        os.truncate(self.path, MOST_BYTES + 1)
        self.assertEqual(self.refusal(), "it is larger than 16 MiB")

    def test_a_small_one_takes_little_room_at_each_look_at_it(self) -> None:
        self.path.write_bytes(b"x" * 1000)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        content_of(str(self.path))
        _, most = tracemalloc.get_traced_memory()
        self.assertLess(most, 4 * PIECE)

    def test_nothing_stays_open(self) -> None:
        os.mkfifo(self.path)
        gc.collect()  # what other tests left must not go between
        before = len(os.listdir("/proc/self/fd"))
        self.refusal()
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_where_waiting_is_allowed_a_pipe_is_read_to_its_end(self) -> None:
        os.mkfifo(self.path)
        writer = Thread(target=self.path.write_bytes, args=(b"x" * 200_000,), daemon=True)
        writer.start()
        self.assertEqual(content_of(str(self.path), may_wait=True), b"x" * 200_000)
        writer.join()

    def test_even_where_its_writer_is_gone_already(self) -> None:
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        os.write(writing, b"all of it")
        os.close(writing)
        self.assertEqual(content_of(f"/dev/fd/{reading}", may_wait=True), b"all of it")
