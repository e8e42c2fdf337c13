"""What clients may take that others need: connections, time, memory. Who takes too much makes room, or is ended."""

from __future__ import annotations

from functools import partial

from twisted.trial.unittest import TestCase

from apigateway.http.request_reader import PIPELINED
from apigateway.testing.steps import Answer, ReadAll, Respond, StopReading
from tests.behaviour.caller import Caller, Sink, request
from tests.behaviour.combinations import CHANNEL, Combination, needs, only, over_tls_too
from tests.behaviour.stage import Stage, logged, problem
from tests.behaviour.steps import Flood, Gate, HoldLittle
from tests.behaviour.waiting import a_moment, until, until_still


@over_tls_too
class ConnectionFloodTests(TestCase):
    async def flood(self, stage: Stage, data: bytes, count: int) -> list[Caller]:
        callers = [(await stage.call()).send(data) for _ in range(count)]
        await a_moment()
        return callers

    async def resting(self, stage: Stage, count: int) -> list[Caller]:
        """So many that have asked, one after the other: who is busy makes no room."""
        callers = []
        for _ in range(count):
            callers.append(await stage.call())
            self.assertEqual((await callers[-1].get("/api")).status, 200)
        return callers

    @needs("limits on connections")
    async def test_connections_that_never_speak_keep_nobody_out(self, via: Combination) -> None:
        stage = Stage(self, via, limits={"connections": 10}, trusted_proxies=["127.0.0.0/8"])
        await self.flood(stage, b"", 40)
        for _ in range(5):
            self.assertEqual((await stage.get("/api")).status, 200)
        self.assertEqual(len(stage.gateway.site.channels), 10)

    @needs("limits on connections")
    async def test_nor_do_heads_that_never_end(self, via: Combination) -> None:
        stage = Stage(self, via, limits={"connections": 10}, trusted_proxies=["127.0.0.0/8"])
        await self.flood(stage, b"GET /api HTTP/1.1\r\nX-Slow: ", 40)
        for _ in range(5):
            self.assertEqual((await stage.get("/api")).status, 200)

    @needs("limits on connections")
    async def test_nor_those_that_rest_after_an_answer(self, via: Combination) -> None:
        stage = Stage(self, via, limits={"connections": 10}, trusted_proxies=["127.0.0.0/8"])
        await self.resting(stage, 40)
        self.assertEqual((await stage.get("/api")).status, 200)

    @needs("limits on connections")
    async def test_an_exchange_in_progress_is_never_what_makes_room(self, via: Combination) -> None:
        stage = Stage(self, via, limits={"connections": 3}, trusted_proxies=["127.0.0.0/8"])
        gate = Gate()
        stage.one.does(ReadAll(), gate, Answer(200, b"done"))
        busy = [(await stage.call()).ask("GET", "/api") for _ in range(3)]
        await until(lambda: len(gate.waiting) == 3, gate)
        refused = await stage.call()
        await refused.closed()
        gate.open()
        self.assertEqual([(await caller.answer()).body for caller in busy], [b"done"] * 3)
        self.assertEqual((await stage.get("/api")).status, 200)

    @needs("limits on connections")
    async def test_a_client_has_its_share_and_no_more(self, via: Combination) -> None:
        stage = Stage(self, via, limits={"connections_per_client": 4})
        callers = await self.resting(stage, 12)
        await until(lambda: len(stage.gateway.site.channels) == 4, stage.gateway.site.connections)
        await until(lambda: sum(caller.is_open for caller in callers) == 4, callers)
        told = stage.gateway.site.connections.describe()
        self.assertEqual(told["evicted"]["connections-per-client"], 8)

    @needs("limits on connections")
    async def test_a_trusted_proxy_has_as_many_as_it_wants(self, via: Combination) -> None:
        stage = Stage(self, via, limits={"connections_per_client": 4}, trusted_proxies=["127.0.0.0/8"])
        callers = await self.flood(stage, request("GET", "/api"), 12)
        self.assertTrue(all(caller.is_open for caller in callers))

    @only(CHANNEL)
    async def test_what_made_room_and_what_was_refused_shows_on_the_pages(self, via: Combination) -> None:
        stage = Stage(self, via, limits={"connections": 2}, trusted_proxies=["127.0.0.0/8"])
        await self.flood(stage, b"", 4)
        text = (await stage.get("/gateway/metrics")).body.decode()
        self.assertIn('apigateway_connections_evicted_total{reason="connections"} 3', text)
        self.assertIn('apigateway_connections_refused_total{reason="connections"} 0', text)
        self.assertIn("apigateway_connections 2", text)


def _grew(sink: Sink, size: int) -> bool:
    return sink.size > size


@over_tls_too
class RateTests(TestCase):
    @needs("time limits of clients")
    async def test_a_body_that_drips_is_ended(self, via: Combination) -> None:
        log = self.mktemp()
        stage = Stage(self, via, access_log={"file": log}).hold_time()
        caller = (await stage.call()).ask("PUT", "/api", "Content-Length: 100000").send(b"x")
        await until(lambda: stage.one.requests and stage.one.requests[0].size, stage.one)
        for _ in range(7):
            stage.advance(9)
            caller.send(b"x" * 100)
            await a_moment()
        problem(self, await caller.answer(), 408, "request-timeout")
        self.assertEqual((await logged(log, 1))[0]["cause"], "request-timeout")

    @needs("time limits of clients")
    async def test_an_answer_that_is_taken_in_drips_is_cut_and_one_that_moves_is_not(self, via: Combination) -> None:
        log = self.mktemp()
        stage = Stage(self, via, access_log={"file": log}).hold_time()
        size = 64 * 1024 * 1024
        flood = Flood(size)
        stage.one.does(ReadAll(), Respond(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size), flood)
        sink = await stage.sink()
        sink.transport.write(request("GET", "/api"))
        await until_still(lambda: flood.sent)
        for _ in range(4):
            before = sink.size
            stage.advance(58)
            sink.transport.resumeProducing()
            await until(partial(_grew, sink, before + 200_000), sink.size)
            sink.transport.pauseProducing()
            await a_moment()
        self.assertEqual(len(stage.gateway.site.channels), 1)
        for _ in range(3):
            stage.advance(61)
            await a_moment()
        await until(lambda: not stage.gateway.site.channels, "the end of the connection")
        await until(lambda: not stage.one.open_connections, "the end of the request to the service")
        self.assertEqual((await logged(log, 1))[0]["cause"], "client-too-slow")

    @needs("time limits of clients")
    async def test_a_rate_of_none_asks_for_a_byte(self, via: Combination) -> None:
        stage = Stage(self, via, limits={"min_rate": 0}).hold_time()
        caller = (await stage.call()).ask("PUT", "/api", "Content-Length: 100000").send(b"x")
        await until(lambda: stage.one.requests and stage.one.requests[0].size, stage.one)
        for _ in range(5):
            stage.advance(50)
            caller.send(b"x")
            await a_moment()
        self.assertEqual(caller.finals, [])


@over_tls_too
class LeavingTests(TestCase):
    """A client that has gone is noticed also while nothing is read from it."""

    @needs("streamed uploads")
    async def test_a_reset_while_the_service_holds_the_upload_back_ends_the_exchange(self, via: Combination) -> None:
        log = self.mktemp()
        stage = Stage(self, via, access_log={"file": log})
        stage.one.greeting = (HoldLittle(),)
        stage.one.does(StopReading())
        caller = (await stage.call()).ask("PUT", "/api", body=b"x" * 30_000_000)
        forwards = stage.gateway.snapshot.services["one"].active
        await until_still(lambda: sum(forward.exchange.bytes_in for forward in forwards))
        caller.connection.reset()
        self.assertEqual((await logged(log, 1))[0]["cause"], "client-gone")

    @needs("pipelined requests held back")
    async def test_a_reset_behind_pipelined_requests_ends_the_one_in_progress(self, via: Combination) -> None:
        log = self.mktemp()
        stage = Stage(self, via, access_log={"file": log})
        gate = Gate()
        stage.one.does(ReadAll(), gate)
        caller = (await stage.call()).send(request("GET", "/api") * (PIPELINED + 5))
        await until(lambda: gate.waiting, gate)
        caller.connection.reset()
        self.assertEqual((await logged(log, 1))[0]["cause"], "client-gone")

    @needs("streamed uploads")
    async def test_half_an_end_behind_a_whole_request_is_not_taken_for_a_leave_before_it_is_read(
        self, via: Combination
    ) -> None:
        stage = Stage(self, via)
        gate = Gate()
        stage.one.does(ReadAll(), gate, Answer(200, b"x"))
        caller = (await stage.call()).send(request("GET", "/api") * (PIPELINED + 5))
        await until(lambda: gate.waiting, gate)
        caller.connection.transport.loseWriteConnection()  # type: ignore[union-attr]  # a real socket's has it
        await a_moment()
        gate.open()
        for _ in range(PIPELINED // 2):
            self.assertEqual((await caller.answer()).status, 200)
