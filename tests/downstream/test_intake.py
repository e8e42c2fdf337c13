"""What a client sends: requests in order, bodies as they are wanted, and no more reading than that."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from apigateway.downstream.intake import CRUMBS_SIZE, Intake
from apigateway.downstream.sending_pace import NEVER
from apigateway.http.request_reader import PIPELINED, HeadLimits
from apigateway.interfaces import Fields, IUpstream
from apigateway.sockets.transports import READ_SIZE
from apigateway.testing.exchanges import exchange_for
from tests.downstream.stand import ask, chunks


class Transport:
    """Tells whether it is to be read."""

    def __init__(self) -> None:
        self.reads = True
        self.read_size = READ_SIZE

    def pauseProducing(self) -> None:
        self.reads = False

    def resumeProducing(self) -> None:
        self.reads = True


@implementer(IUpstream)
class Taking:
    """Takes a body."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.ends: list[Fields] = []

    def body(self, data: bytes) -> None:
        self.pieces.append(data)

    def body_end(self, trailers: Fields) -> None:
        self.ends.append(trailers)

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def client_gone(self) -> None: ...


class IntakeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.intake = Intake(HeadLimits(), 60.0, 1000)
        self.intake.transport = self.transport = Transport()
        self.exchange = exchange_for()
        self.upstream: Any = Taking()
        self.exchange.upstream = self.upstream

    def feed(self, data: bytes) -> None:
        self.intake.reader.feed(data)

    def deliver(self) -> Any:
        return self.intake.deliver(self.exchange)

    def test_a_request_without_a_body_has_none(self) -> None:
        self.feed(ask())
        self.assertEqual(self.intake.next().head.target, b"/")
        self.assertIsNone(self.intake.body)
        self.assertEqual(self.intake.awaited_until(5.0), NEVER)

    def test_it_tells_whether_a_request_is_all_here_also_before_its_body_is_asked_for(self) -> None:
        self.assertTrue(self.intake.is_whole)
        self.feed(ask("PUT", "/", "Content-Length: 3") + b"ab")
        self.intake.next()
        self.assertFalse(self.intake.is_whole)
        self.feed(b"c")
        self.assertTrue(self.intake.is_whole)

    def test_a_body_is_given_as_it_comes_once_it_is_asked_for(self) -> None:
        self.feed(ask("PUT", "/", "Content-Length: 6") + b"ab")
        self.intake.next()
        self.assertIsNone(self.deliver())
        self.assertEqual((self.upstream.pieces, self.transport.reads), ([], False))
        self.intake.open_body()
        self.deliver()
        self.assertEqual((self.upstream.pieces, self.transport.reads), ([b"ab"], True))
        self.assertEqual(self.intake.awaited_until(5.0), 65.0)
        self.feed(b"cdef")
        self.deliver()
        self.assertEqual((self.upstream.pieces, self.upstream.ends), ([b"ab", b"cdef"], [[]]))
        self.assertEqual(self.intake.awaited_until(5.0), NEVER)

    def test_its_end_is_told_once(self) -> None:
        self.feed(ask("PUT", body=b"ab"))
        self.intake.next()
        self.intake.open_body()
        for _ in range(3):
            self.deliver()
        self.assertEqual(self.upstream.ends, [[]])

    def test_while_it_is_held_nothing_is_read_and_nobody_waits_for_the_client(self) -> None:
        self.feed(ask("PUT", "/", "Content-Length: 6") + b"ab")
        self.intake.next()
        self.intake.open_body()
        self.intake.hold_body(True)
        self.deliver()
        self.assertEqual((self.upstream.pieces, self.transport.reads), ([], False))
        self.assertEqual(self.intake.awaited_until(5.0), NEVER)
        self.intake.hold_body(False)
        self.deliver()
        self.assertEqual((self.upstream.pieces, self.transport.reads), ([b"ab"], True))

    def test_a_broken_body_says_why(self) -> None:
        self.feed(ask("PUT", "/", "Transfer-Encoding: chunked") + b"nonsense\r\n")
        self.intake.next()
        self.intake.open_body()
        self.assertEqual(self.deliver().cause.code, "bad-request")

    def test_many_small_pieces_are_given_as_one(self) -> None:
        self.feed(ask("PUT", "/", "Transfer-Encoding: chunked") + chunks(*[b"x"] * 5000))
        self.intake.next()
        self.intake.open_body()
        self.deliver()
        self.assertEqual(self.upstream.pieces, [b"x" * 5000])
        self.assertEqual(self.transport.read_size, CRUMBS_SIZE, "others have their turn in between")

    def test_large_chunks_are_read_as_all_else(self) -> None:
        self.feed(ask("PUT", "/", "Transfer-Encoding: chunked") + chunks(*[b"x" * 1000] * 100))
        self.intake.next()
        self.intake.open_body()
        self.deliver()
        self.assertEqual((self.upstream.pieces, self.transport.read_size), ([b"x" * 100_000], READ_SIZE))

    def test_what_was_put_off_is_read_when_the_last_that_waits_is_taken(self) -> None:
        self.feed(b"".join(ask(target=f"/{number}") for number in range(40)))
        targets = []
        while self.intake.reader.ready:
            self.assertLessEqual(len(self.intake.reader.ready), PIPELINED)
            targets.append(int(self.intake.next().head.target[1:]))
        self.assertEqual(targets, list(range(40)))

    def test_a_time_that_is_up_without_a_body_is_up(self) -> None:
        self.assertEqual(self.intake.next_window(7.0), 7.0)
