"""Bodies on their way: nothing is gathered, nobody waits for the end, and the slower side sets the pace."""

from __future__ import annotations

from hashlib import sha256

from twisted.trial.unittest import TestCase

from apigateway.testing.steps import Answer, Close, ReadAgain, ReadAll, Respond, StopReading
from tests.behaviour.caller import MIB, Sink, chunked, held_on_the_way, request
from tests.behaviour.combinations import Combination, lacks, needs, over_tls_too
from tests.behaviour.stage import Stage
from tests.behaviour.steps import Flood, Gate, HoldLittle
from tests.behaviour.waiting import a_moment, until, until_still

HELD = held_on_the_way()
"""So much may be taken by the gateway and by the kernel's buffers of four sockets together …"""

LARGE = max(64 * MIB, HELD + 16 * MIB)
"""… of so much that is sent to a side that does not take it."""

EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """One chunk of a body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


@over_tls_too
class AnswerStreamTests(TestCase):
    timeout = 600

    async def test_the_head_arrives_before_there_is_any_body(self, via: Combination) -> None:
        stage = Stage(self, via)
        gate = Gate()
        stage.one.does(ReadAll(), Respond(EVENTS), gate)
        caller = (await stage.call()).ask("GET", "/api")
        self.assertEqual((await caller.head()).get(b"content-type"), b"text/event-stream")
        self.assertTrue(caller.is_open)

    async def test_an_event_arrives_before_the_next_one_is_sent(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.does(ReadAll(), Respond(EVENTS))
        caller = (await stage.call()).ask("GET", "/api")
        await caller.head()
        connection = stage.one.connections[0]
        for number in range(5):
            event = b"data: %d\n\n" % number
            connection.write(chunk(event))
            await caller.received(event)
        connection.write(b"0\r\n\r\n")
        answer = await caller.answer()
        self.assertEqual(answer.body, b"".join(b"data: %d\n\n" % number for number in range(5)))

    async def test_a_body_of_known_length_is_passed_on_as_it_comes(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.does(ReadAll(), Respond(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"))
        caller = (await stage.call()).ask("GET", "/api")
        await caller.head()
        for piece in (b"one", b"two", b"four"):
            stage.one.connections[0].write(piece)
            await caller.received(piece)
        self.assertEqual((await caller.answer()).body, b"onetwofour")

    async def test_a_body_that_ends_with_the_connection_is_passed_on_as_it_comes(self, via: Combination) -> None:
        stage = Stage(self, via)
        gate = Gate()
        stage.one.does(ReadAll(), Respond(b"HTTP/1.1 200 OK\r\n\r\nfirst"), gate, Respond(b"last"), Close())
        caller = (await stage.call()).ask("GET", "/api")
        await caller.received(b"first")
        await until(lambda: gate.waiting, gate)
        gate.open()
        self.assertEqual((await caller.answer()).body, b"firstlast")

    async def test_a_large_body_arrives_unchanged(self, via: Combination) -> None:
        body = b"".join(sha256(b"%d" % number).digest() for number in range(40_000))
        stage = Stage(self, via)
        stage.one.script(ReadAll(), Answer(200, body)).script(ReadAll(), Answer(200, chunks=(body[:7], body[7:])))
        caller = await stage.call()
        for _ in range(2):
            self.assertEqual(sha256((await caller.get("/api")).body).digest(), sha256(body).digest())

    async def test_a_client_that_does_not_read_holds_the_service_back(self, via: Combination) -> None:
        stage = Stage(self, via)
        flood = Flood(LARGE)
        stage.one.does(ReadAll(), Respond(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE), flood)
        sink = await stage.sink()
        sink.transport.write(request("GET", "/api", "Connection: close"))
        self.assertLess(await until_still(lambda: flood.sent), HELD)
        await self._is_alive(stage)
        sink.transport.resumeProducing()
        await until(lambda: sink.lost is not None, sink)
        self.assertGreater(sink.size, LARGE)
        self.assertEqual(flood.sent, LARGE)

    async def test_a_client_that_reads_no_chunks_holds_the_service_back(self, via: Combination) -> None:
        stage = Stage(self, via)
        flood = Flood(LARGE)
        stage.one.does(ReadAll(), Respond(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"), flood, Close())
        sink = await stage.sink()
        sink.transport.write(request("GET", "/api", "Connection: close"))
        self.assertLess(await until_still(lambda: flood.sent), HELD)
        sink.transport.resumeProducing()
        await until(lambda: sink.lost is not None, sink)
        self.assertEqual((sink.tail[-5:], sink.size > LARGE), (b"0\r\n\r\n", True))

    async def _pipelined(self, via: Combination) -> tuple[Stage, Sink, int]:
        """A client that reads none of a thousand answers, and how many bytes of them the service has sent."""
        stage = Stage(self, via)
        stage.one.does(ReadAll(), Answer(200, b"x" * 60_000))
        sink = await stage.sink()
        sink.transport.write(request("GET", "/api") * 1000)
        return stage, sink, await until_still(lambda: len(stage.one.requests)) * 60_000

    @lacks("pipelined requests held back")
    async def test_a_stock_site_answers_requests_though_nobody_reads(self, via: Combination) -> None:
        _, _, sent = await self._pipelined(via)
        self.assertEqual(sent, 60_000_000)

    @needs("pipelined requests held back")
    async def test_a_client_that_reads_none_of_many_answers_is_served_no_more(self, via: Combination) -> None:
        stage, sink, sent = await self._pipelined(via)
        self.assertLess(sent, HELD)
        await self._is_alive(stage)
        sink.transport.resumeProducing()
        for size in range(4_000_000, 64_000_000, 4_000_000):
            await until(lambda: sink.size > size, sink)  # noqa: B023  # called at once

    async def test_a_client_that_goes_away_while_it_does_not_read_frees_the_service(self, via: Combination) -> None:
        stage = Stage(self, via)
        flood = Flood(LARGE)
        stage.one.does(ReadAll(), Respond(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE), flood)
        sink = await stage.sink()
        sink.transport.write(request("GET", "/api"))
        await until_still(lambda: flood.sent)
        sink.transport.abortConnection()
        await until(lambda: not stage.one.open_connections, "the end of the request to the service")
        await self._is_alive(stage)

    async def _is_alive(self, stage: Stage) -> None:
        stage.one.script(ReadAll(), Answer(200, b"still here"))
        self.assertEqual((await stage.get("/api")).body, b"still here")


@over_tls_too
class UploadTests(TestCase):
    @needs("streamed uploads")
    async def test_the_service_sees_the_head_before_there_is_any_body(self, via: Combination) -> None:
        stage = Stage(self, via)
        (await stage.call()).ask("POST", "/api", "Content-Length: 5")
        await until(lambda: stage.one.requests, "the head at the service")
        self.assertEqual(stage.one.requests[0].size, 0)

    @needs("streamed uploads")
    async def test_the_service_sees_each_piece_before_the_next_is_sent(self, via: Combination) -> None:
        stage = Stage(self, via)
        for framing, pieces in (
            ("Content-Length: 9", [b"one", b"two", b"six"]),
            ("Transfer-Encoding: chunked", [chunk(b"one"), chunk(b"two"), chunk(b"six"), b"0\r\n\r\n"]),
        ):
            caller = (await stage.call()).ask("POST", "/api", framing)
            for number, piece in enumerate(pieces[:3], 1):
                caller.send(piece)
                await until(lambda: stage.one.requests and stage.one.requests[-1].size == 3 * number, stage.one)  # noqa: B023
            caller.send(b"".join(pieces[3:]))
            await caller.answer()
            self.assertEqual(stage.one.requests.pop().body, b"onetwosix")

    @lacks("streamed uploads")
    async def test_a_stock_site_gathers_the_body_first(self, via: Combination) -> None:
        stage = Stage(self, via)
        caller = (await stage.call()).ask("POST", "/api", "Content-Length: 6").send(b"one")
        await stage.get("/api")
        self.assertEqual([one.method for one in stage.one.requests], ["GET"])
        await caller.send(b"two").answer()
        self.assertEqual((await stage.request(1)).body, b"onetwo")

    async def test_a_large_body_arrives_unchanged(self, via: Combination) -> None:
        body = b"".join(sha256(b"%d" % number).digest() for number in range(40_000))
        stage = Stage(self, via)
        stage.one.keep = LARGE
        caller = await stage.call()
        await caller.ask("PUT", "/api", body=body).answer()
        in_chunks = chunked(body[:70_001], body[70_001:])
        await caller.ask("PUT", "/api", "Transfer-Encoding: chunked", body=in_chunks).answer()
        for arrived in stage.one.requests:
            self.assertEqual(sha256(arrived.body).digest(), sha256(body).digest())

    @needs("streamed uploads")
    async def test_a_service_that_does_not_read_holds_the_client_back(self, via: Combination) -> None:
        stage = Stage(self, via)
        gate = Gate()
        stage.one.greeting = (HoldLittle(),)
        stage.one.does(StopReading(), gate, ReadAgain(), ReadAll(), Answer(200, b"all of it"))
        sink = await stage.sink()
        sink.transport.resumeProducing()
        pushed = Pushed(sink, LARGE)
        self.assertLess(await until_still(lambda: pushed.sent), HELD)
        await until(lambda: gate.waiting, gate)
        gate.open()
        await until(lambda: sink.tail.endswith(b"all of it"), sink)
        self.assertEqual((stage.one.requests[0].size, pushed.sent), (LARGE, LARGE))

    @lacks("streamed uploads")
    async def test_what_a_stock_site_gathered_is_passed_on_no_faster_than_the_service_reads(
        self, via: Combination
    ) -> None:
        stage = Stage(self, via)
        gate = Gate()
        stage.one.greeting = (HoldLittle(),)
        stage.one.does(StopReading(), gate, ReadAgain(), ReadAll(), Answer(200, b"all of it"))
        caller = (await stage.call()).ask("PUT", "/api", body=b"x" * LARGE)
        forwards = stage.gateway.snapshot.services["one"].active
        self.assertLess(await until_still(lambda: sum(forward.exchange.bytes_in for forward in forwards)), HELD)
        gate.open()
        self.assertEqual((await caller.answer()).body, b"all of it")

    @needs("streamed uploads")
    async def test_an_answer_before_the_end_of_the_upload_reaches_the_client(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.does(Answer(413, b"too much"))
        caller = (await stage.call()).ask("POST", "/api", "Content-Length: 1000000").send(b"x" * 1000)
        answer = await caller.answer()
        self.assertEqual((answer.status, answer.body), (413, b"too much"))
        await caller.closed()
        await until(lambda: not stage.one.open_connections, "the end of the request to the service")

    @needs("both bodies at once")
    async def test_both_bodies_can_be_on_their_way_at_once(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.does(Respond(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"))
        caller = (await stage.call()).ask("POST", "/api", "Transfer-Encoding: chunked")
        await until(lambda: stage.one.requests, "the head at the service")
        connection, arrived = stage.one.connections[0], stage.one.requests[0]
        for number in range(1, 4):
            caller.send(chunk(b"ping"))
            await until(lambda: arrived.size == 4 * number, arrived)  # noqa: B023
            connection.write(chunk(b"pong%d" % number))
            await caller.received(b"pong%d" % number)
        caller.send(b"0\r\n\r\n")
        await until(lambda: arrived.is_complete, arrived)
        connection.write(b"0\r\n\r\n")
        self.assertEqual((await caller.answer()).body, b"pong1pong2pong3")

    @lacks("both bodies at once")
    async def test_otherwise_the_answer_begins_when_the_request_is_complete(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.does(Respond(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"pong")))
        caller = (await stage.call()).ask("POST", "/api", "Transfer-Encoding: chunked").send(chunk(b"ping"))
        await a_moment()
        self.assertEqual(caller.finals, [])
        caller.send(b"0\r\n\r\n")
        await caller.received(b"pong")


class Pushed:
    """A body sent by a client as fast as it is taken; `sent` counts it."""

    def __init__(self, sink: Sink, size: int) -> None:
        self.sent = 0
        self._left = size
        self._transport = sink.transport
        self._transport.write(request("PUT", "/api", f"Content-Length: {size}"))
        self._transport.registerProducer(self, False)

    def resumeProducing(self) -> None:
        """Send one more piece."""
        self._transport.write(b"x" * 65_536)
        self.sent += 65_536
        self._left -= 65_536
        if not self._left:
            self._transport.unregisterProducer()

    def stopProducing(self) -> None:
        """The connection is lost."""
