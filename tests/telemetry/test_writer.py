"""The thread that writes log lines: what is written, what waits, and what is lost."""

from __future__ import annotations

from threading import Event
from time import sleep

from twisted.trial.unittest import SynchronousTestCase

from apigateway.telemetry.writer import Writer


class SlowSink:
    """Keeps what is written; each write waits until `go` is set, and loses `losing` lines."""

    error: OSError | None = None

    def __init__(self) -> None:
        self.heard: list[object] = []
        self.go = Event()
        self.busy = Event()
        self.losing = 0

    def open(self) -> None:
        self.heard.append("open")

    def write(self, lines: bytes) -> int:
        self.busy.set()
        self.go.wait(10)
        self.heard.append(lines)
        return self.losing

    def reopen(self) -> None:
        self.heard.append("reopen")

    def close(self) -> None:
        self.heard.append("close")


class WriterTests(SynchronousTestCase):
    """A writer between the gateway and a sink that may be slow."""

    def setUp(self) -> None:
        self.sink = SlowSink()
        self.writer = Writer(self.sink, bound=10)
        self.addCleanup(self.writer.stop, 10)
        self.addCleanup(self.sink.go.set)

    def test_everything_is_written_in_order_before_it_ends(self) -> None:
        self.sink.go.set()
        self.writer.start()
        self.writer.put(b"1\n2\n", 2)
        self.writer.reopen()
        self.writer.put(b"3\n", 1)
        self.assertTrue(self.writer.stop(10))
        self.assertEqual(self.sink.heard, ["open", b"1\n2\n", "reopen", b"3\n", "close"])
        self.assertEqual((self.writer.lost(), self.writer.waiting()), (0, 0))

    def test_one_that_follows_another_to_the_same_place_waits_for_its_end(self) -> None:
        self.writer.start()
        self.writer.put(b"1\n", 1)
        next_one = Writer(self.sink, after=self.writer)
        next_one.start()
        next_one.put(b"2\n", 1)
        self.writer.finish()
        self.assertFalse(self.writer.ended)
        self.sink.go.set()
        self.assertTrue(next_one.stop(10))
        self.assertTrue(self.writer.ended)
        self.assertEqual(self.sink.heard, ["open", "open", b"1\n", "close", "reopen", b"2\n", "close"])

    def test_one_that_was_opened_and_is_not_wanted_is_closed_again(self) -> None:
        self.writer.open()
        self.writer.open()
        self.writer.drop()
        self.assertEqual(self.sink.heard, ["open", "close"])

    def test_before_it_starts_there_is_nothing_to_open_again_or_to_end(self) -> None:
        self.writer.reopen()
        self.writer.finish()
        self.assertTrue(self.writer.ended)
        self.sink.go.set()
        self.writer.start()
        self.writer.put(b"1\n", 1)
        self.assertTrue(self.writer.stop(10))
        self.assertEqual(self.sink.heard, ["open", b"1\n", "close"])

    def test_while_the_sink_stalls_lines_wait_up_to_a_bound_and_then_are_lost(self) -> None:
        self.writer.start()
        self.writer.put(b"12345\n", 1)
        self.writer.put(b"7\n", 1)
        self.writer.put(b"9\n", 1)
        self.writer.put(b"too\nmuch\n", 2)
        self.assertEqual((self.writer.waiting(), self.writer.lost()), (3, 2))
        self.sink.go.set()
        self.assertTrue(self.writer.stop(10))
        self.assertEqual(self.sink.heard[1:-1], [b"12345\n", b"7\n", b"9\n"])

    def test_once_the_sink_goes_on_there_is_room_again(self) -> None:
        self.writer.start()
        self.writer.put(b"123456789\n", 1)
        self.sink.go.set()
        while self.writer.waiting():
            sleep(0)
        self.writer.put(b"123456789\n", 1)
        self.assertTrue(self.writer.stop(10))
        self.assertEqual(self.writer.lost(), 0)

    def test_what_the_sink_loses_counts(self) -> None:
        self.sink.losing = 2
        self.sink.go.set()
        self.writer.start()
        self.writer.put(b"1\n2\n", 2)
        self.writer.stop(10)
        self.assertEqual(self.writer.lost(), 2)

    def test_a_sink_that_stalls_for_ever_does_not_hold_up_the_end(self) -> None:
        self.writer.start()
        self.writer.put(b"1\n2\n", 2)
        self.sink.busy.wait(10)
        self.assertFalse(self.writer.stop(0.01))
        self.assertEqual(self.writer.waiting(), 2)

    def test_what_comes_after_the_end_is_lost(self) -> None:
        self.writer.start()
        self.writer.stop(10)
        self.writer.put(b"1\n", 1)
        self.assertEqual(self.writer.lost(), 1)

    def test_a_sink_that_cannot_be_opened_is_an_error_at_the_start(self) -> None:
        def fail() -> None:
            raise PermissionError("no")

        self.sink.open = fail  # type: ignore[method-assign]
        self.assertRaises(PermissionError, self.writer.start)
        self.assertTrue(self.writer.stop(10))
