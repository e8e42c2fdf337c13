"""Our own clients: they count what came, what failed and what was never answered, whatever the peer does."""

from __future__ import annotations

import socket
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bench.load import beside, fill, open_loop
from bench.load.answers import Asked
from bench.load.drain import Draining
from bench.load.open_loop import OpenLoop
from bench.load.percentiles import percentile
from tests.bench.services import Serve, answering, closing, listening, silent


class PercentileTests(SynchronousTestCase):
    def test_a_percentile_is_one_of_the_values(self) -> None:
        values = list(range(1, 1001))
        self.assertEqual([percentile(values, percent) for percent in (50, 99, 99.9, 100)], [500, 990, 999, 1000])

    def test_of_few_values_the_highest_ones_are_the_last(self) -> None:
        self.assertEqual([percentile([1.0, 2.0], percent) for percent in (0, 50, 99)], [1.0, 1.0, 2.0])

    def test_of_none_there_is_none(self) -> None:
        self.assertEqual(percentile([], 50), 0.0)


class OpenLoopTests(SynchronousTestCase):
    def loop(self, serve: Serve, connections: int = 2) -> OpenLoop:
        """A load that waits for all its answers."""
        self.patch(open_loop, "GRACE_S", 60.0)
        return self.hasty(serve, connections)

    def hasty(self, serve: Serve, connections: int = 2) -> OpenLoop:
        """A load that does not wait long for those that don't come."""
        return OpenLoop(listening(self, serve), 100.0, connections, "/", b"done")

    def test_every_request_that_was_due_is_sent_and_answered(self) -> None:
        answers = self.loop(answering(b"HTTP/1.1 200 OK\r\n\r\ndone")).go(0.1)
        self.assertEqual((answers.whole, answers.bad, answers.late), (10, 0, 0))

    def test_answers_in_pieces_are_put_together(self) -> None:
        def serve(connection: socket.socket) -> None:
            while connection.recv(65536):
                for piece in (b"HTTP/1.1 200 OK\r\n", b"\r\ndo", b"ne"):
                    connection.sendall(piece)

        self.assertEqual(self.loop(serve).go(0.1).whole, 10)

    def test_refusals_are_counted(self) -> None:
        self.assertEqual(self.loop(answering(b"HTTP/1.1 503 No\r\n\r\ndone")).go(0.1).bad, 10)

    def test_what_is_never_answered_is_late_and_keeps_its_place_among_the_latencies(self) -> None:
        answers = self.hasty(silent).go(0.1)
        self.assertEqual((answers.whole, answers.late), (0, 10))
        # All had to wait until the end, those too for which no connection was free.
        self.assertGreater(answers.p50_us, 0)

    def test_a_lost_connection_fails_what_was_asked_on_it(self) -> None:
        answers = self.hasty(closing).go(0.1)
        self.assertEqual((answers.bad, answers.late), (2, 8))


class DrainTests(SynchronousTestCase):
    def line(self, answer: bytes) -> Draining:
        return Draining(listening(self, answering(answer)), "/")

    def test_a_long_answer_is_counted_and_not_kept(self) -> None:
        line = self.line(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300000)
        moved, took = 0, None
        while took is None:
            came, took = line.take()
            moved += came
        self.assertEqual(moved, 300000)

    def test_a_refusal_is_an_error(self) -> None:
        line = self.line(b"HTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\nx")
        self.assertRaises(ValueError, line.take)

    def test_an_answer_without_a_length_is_an_error(self) -> None:
        self.assertRaises(ValueError, self.line(b"HTTP/1.1 200 OK\r\n\r\nx").take)

    def test_an_answer_that_is_cut_is_an_error(self) -> None:
        def serve(connection: socket.socket) -> None:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")

        line = Draining(listening(self, serve), "/")
        line.take()
        self.assertRaises(ConnectionResetError, line.take)


class BesideTests(SynchronousTestCase):
    def test_idle_clients_have_had_an_answer_and_say_who_was_closed(self) -> None:
        self.patch(beside, "told_to_end", lambda seconds: True)
        with redirect_stdout(StringIO()) as told:
            self.assertEqual(beside.idle(listening(self, answering(b"HTTP/1.1 200 OK\r\n\r\n")), 3), 0)
            self.assertEqual(beside.idle(listening(self, closing), 3), 3)
        self.assertEqual(told.getvalue(), "there\nthere\n")


class FillTests(SynchronousTestCase):
    def gateway(self, clients: int) -> Asked:
        """What looks like a gateway that tracks so many clients."""
        body = b'{"process": {"limiter_clients": %d}}' % clients
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
        return Asked(listening(self, answering(head + body)), 1.0, Path(self.mktemp()))

    def test_a_gateway_tells_how_many_clients_it_tracks(self) -> None:
        self.assertEqual(fill.tracked(self.gateway(17).port), 17)

    def test_it_is_asked_from_the_first_one_on_that_it_does_not_track(self) -> None:
        asked_from: list[int] = []
        self.patch(fill, "wrk", lambda script, values: lambda asked: asked_from.append(values["first"]))
        self.patch(fill, "MOST_PIECES", 3)
        error = self.assertRaises(RuntimeError, fill.fill(100), self.gateway(40))
        self.assertEqual(asked_from, [0, 40, 40])
        self.assertIn("40 of 100", str(error))

    def test_it_is_full_but_for_those_under_way(self) -> None:
        self.patch(fill, "wrk", lambda script, values: lambda asked: None)
        self.assertIsNone(fill.fill(10_000)(self.gateway(9_990)))
