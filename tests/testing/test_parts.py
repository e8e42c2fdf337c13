"""Answers in parts, trickles, garbage, and how much of a request is waited for."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.testing.memory import MemoryNetwork
from apigateway.testing.parts import Chunk, Garbage, Head, LastChunk, ReadSome, Trickle
from apigateway.testing.scripted_service import ScriptedService
from apigateway.testing.steps import Answer, Respond

ASK = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class PartTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.service = ScriptedService()
        self.service.listen(self.network.reactor, 80)
        self.client = self.network.client(80)

    def after(self, *steps: object, request: bytes = ASK) -> bytes:
        self.service.script(*steps)  # type: ignore[arg-type]  # steps
        self.client.send(request)
        self.network.pump()
        return self.client.received

    def test_a_head_comes_alone_framed_as_told(self) -> None:
        self.assertEqual(Head(200, length=10).data(), b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        self.assertEqual(
            Head(404, chunked=True, headers={"X-A": "1"}).data(),
            b"HTTP/1.1 404 Not Found\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        )
        self.assertEqual(self.after(Head(204)), b"HTTP/1.1 204 No Content\r\n\r\n")

    def test_the_parts_of_an_answer_make_a_whole_one(self) -> None:
        self.after(Head(200, chunked=True), Chunk(b"12345"), Chunk(b"678"), LastChunk([("X-Sum", "36")]))
        answer = self.client.answers()[0]
        self.assertEqual((answer.body, answer.trailers, answer.is_complete), (b"12345678", [(b"X-Sum", b"36")], True))

    def test_a_trickle_comes_one_byte_a_second(self) -> None:
        self.assertEqual(self.after(Trickle(b"abc"), Respond(b"!")), b"a")
        self.network.advance(1)
        self.assertEqual(self.client.received, b"ab")
        self.network.advance(1)
        self.assertEqual(self.client.received, b"abc!")

    def test_or_as_much_as_told_as_often_as_told(self) -> None:
        self.assertEqual(self.after(Trickle(b"abcde", every=0.5, piece=2)), b"ab")
        self.network.advance(1)
        self.assertEqual(self.client.received, b"abcde")

    def test_garbage_is_always_the_same(self) -> None:
        once = self.after(Garbage(100, seed=7))
        self.assertEqual(len(once), 100)
        self.assertEqual(self.after(Garbage(100, seed=7)), once + once)

    def test_read_some_waits_for_so_much_of_the_body(self) -> None:
        put = b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"
        self.assertEqual(self.after(ReadSome(5), Respond(b"enough"), request=put + b"1234"), b"")
        self.client.send(b"5")
        self.network.pump()
        self.assertEqual(self.client.received, b"enough")

    def test_read_some_waits_no_longer_than_for_the_end(self) -> None:
        self.assertTrue(self.after(ReadSome(5), Answer(200), request=ASK).startswith(b"HTTP/1.1 200"))
