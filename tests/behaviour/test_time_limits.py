"""How long each step may take, by default and as configured, and which cause tells that it took too long.

The gateway's clock is moved, so the defaults themselves are tested; only connecting runs on the reactor's own time.
"""

from __future__ import annotations

import socket

from twisted.trial.unittest import TestCase

from apigateway.testing.steps import Answer, ReadAll, Respond, StopReading
from tests.behaviour.caller import Caller, chunked, request
from tests.behaviour.combinations import Combination, lacks, needs, over_tls_too
from tests.behaviour.stage import Options, Stage, logged, problem
from tests.behaviour.steps import Flood, Gate, HoldLittle
from tests.behaviour.waiting import a_moment, reactor, until, until_still


class Deaf:
    """A port that is there but takes no connection: its backlog is full."""

    def __init__(self, test: TestCase) -> None:
        self._listener = self._made(test)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(0)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        for _ in range(3):
            filler = self._made(test)
            filler.setblocking(False)
            filler.connect_ex(self._listener.getsockname())

    def end_waiting(self) -> None:
        """The time of those who still try to connect is over; one whose client has left may go on for that long."""
        for call in reactor.getDelayedCalls():
            if getattr(call.func, "__name__", "") == "failIfNotConnected":
                call.reset(0)

    def _made(self, test: TestCase) -> socket.socket:
        made = socket.socket()
        test.addCleanup(made.close)
        return made


@over_tls_too
class ConnectTests(TestCase):
    async def test_a_service_that_takes_no_connection_gets_504(self, via: Combination) -> None:
        service = {"prefix": "/api", "targets": [Deaf(self).url], "timeouts": {"connect": "150ms"}}
        stage = Stage(self, via, {"one": service})
        problem(self, await stage.get("/api"), 504, "connect-timeout")

    async def test_who_waits_for_it_may_go_away(self, via: Combination) -> None:
        log = self.mktemp()
        deaf = Deaf(self)
        services: dict[str, Options] = {
            "one": {"prefix": "/api", "targets": [deaf.url]},
            "two": {"prefix": "/soon", "targets": [deaf.url], "timeouts": {"connect": "150ms"}},
        }
        stage = Stage(self, via, services, access_log={"file": log})
        caller = (await stage.call()).ask("GET", "/api")
        await until(lambda: stage.target().in_flight, stage.target())
        caller.connection.reset()
        self.assertEqual((await logged(log, 1))[0]["cause"], "client-gone")
        deaf.end_waiting()
        problem(self, await stage.get("/soon"), 504, "connect-timeout")

    async def test_a_wait_in_the_line_ends_after_5_s(self, via: Combination) -> None:
        stage = Stage(self, via, {"one": {"prefix": "/api", "pool": {"connections": 1}}}).hold_time()
        gate = Gate()
        stage.one.does(ReadAll(), gate, Answer())
        first = (await stage.call()).ask("GET", "/api")
        await until(lambda: gate.waiting, gate)
        second = (await stage.call()).ask("GET", "/api")
        await until(lambda: stage.target().transport.statistics()["waiting"] == 1, stage.target())
        stage.advance(4.5)
        await a_moment()
        self.assertEqual(second.finals, [])
        stage.advance(1)
        problem(self, await second.answer(), 503, "pool-exhausted")
        gate.open()
        self.assertEqual((await first.answer()).status, 200)


@over_tls_too
class AnswerTimeTests(TestCase):
    async def test_the_head_of_an_answer_may_take_30_s(self, via: Combination) -> None:
        stage = Stage(self, via).hold_time()
        gate = Gate()
        stage.one.does(ReadAll(), gate)
        caller = (await stage.call()).ask("GET", "/api")
        await until(lambda: gate.waiting, gate)
        stage.advance(29)
        await a_moment()
        self.assertEqual(caller.finals, [])
        stage.advance(2)
        problem(self, await caller.answer(), 504, "response-timeout")
        await until(lambda: not stage.one.open_connections, "the end of the request to the service")

    async def test_or_as_long_as_is_configured(self, via: Combination) -> None:
        stage = Stage(self, via, {"one": {"prefix": "/api", "timeouts": {"response": "100ms"}}})
        stage.one.does(ReadAll(), Gate())
        problem(self, await stage.get("/api"), 504, "response-timeout")

    async def test_interim_answers_are_no_answer(self, via: Combination) -> None:
        stage = Stage(self, via)
        gate = Gate()
        stage.one.does(ReadAll(), Respond(b"HTTP/1.1 103 Early Hints\r\n\r\n"), gate)
        caller = (await stage.call()).ask("GET", "/api")
        await until(lambda: gate.waiting, gate)
        stage.advance(31)
        problem(self, await caller.answer(), 504, "response-timeout")

    @needs("streamed uploads")
    async def test_the_time_counts_from_the_end_of_the_request(self, via: Combination) -> None:
        stage = Stage(self, via).hold_time()
        gate = Gate()
        stage.one.does(ReadAll(), gate)
        caller = (await stage.call()).ask("POST", "/api", "Transfer-Encoding: chunked")
        await until(lambda: stage.one.requests, "the head at the service")
        stage.advance(31)
        await a_moment()
        caller.send(chunked(b"x"))
        await until(lambda: gate.waiting, gate)
        self.assertEqual(caller.finals, [])
        stage.advance(31)
        problem(self, await caller.answer(), 504, "response-timeout")

    async def test_a_body_may_pause_for_60_s(self, via: Combination) -> None:
        log = self.mktemp()
        stage = Stage(self, via, access_log={"file": log}).hold_time()
        stage.one.does(ReadAll(), Respond(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"))
        caller = (await stage.call()).ask("GET", "/api")
        await caller.received(b"12345")
        stage.advance(59)
        await a_moment()
        self.assertTrue(caller.is_open)
        stage.advance(2)
        await caller.broken()
        await until(lambda: not stage.one.open_connections, "the end of the request to the service")
        self.assertEqual((await logged(log, 1))[0]["cause"], "idle-timeout")

    async def test_or_as_long_as_is_configured_too(self, via: Combination) -> None:
        stage = Stage(self, via, {"one": {"prefix": "/api", "timeouts": {"idle": "100ms"}}})
        stage.one.does(ReadAll(), Respond(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"))
        await (await stage.call()).ask("GET", "/api").broken()

    async def test_a_body_that_moves_may_take_for_ever(self, via: Combination) -> None:
        stage = Stage(self, via).hold_time()
        stage.one.does(ReadAll(), Respond(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"))
        caller = (await stage.call()).ask("GET", "/api")
        await caller.head()
        for number in range(20):
            stage.advance(55)
            await a_moment()
            piece = b"<%d>" % number
            stage.one.connections[0].write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await caller.received(piece)
        stage.one.connections[0].write(b"0\r\n\r\n")
        self.assertTrue((await caller.answer()).is_complete)

    async def test_a_service_may_stop_reading_for_60_s(self, via: Combination) -> None:
        stage = Stage(self, via).hold_time()
        stage.one.greeting = (HoldLittle(),)
        stage.one.does(StopReading())
        caller = (await stage.call()).ask("PUT", "/api", body=b"x" * 30_000_000)
        forwards = stage.gateway.snapshot.services["one"].active
        await until_still(lambda: sum(forward.exchange.bytes_in for forward in forwards))
        stage.advance(59)
        await a_moment()
        self.assertEqual(caller.finals, [])
        stage.advance(2)
        problem(self, await caller.answer(), 504, "idle-timeout")


@over_tls_too
class ClientTimeTests(TestCase):
    @needs("time limits of clients")
    async def test_the_head_of_a_request_may_take_10_s(self, via: Combination) -> None:
        stage = Stage(self, via).hold_time()
        caller = (await stage.call()).send(b"GET /api HTTP/1.1\r\n")
        await a_moment()
        stage.advance(9)
        caller.send(b"Host: here\r\n")
        await a_moment()
        self.assertEqual(caller.finals, [])
        stage.advance(2)
        problem(self, await caller.answer(), 408, "request-timeout")
        await caller.closed()

    @needs("time limits of clients")
    async def test_the_second_head_has_its_own_10_s(self, via: Combination) -> None:
        stage = Stage(self, via).hold_time()
        caller = await stage.call()
        await caller.get("/api")
        stage.advance(30)
        caller.send(b"GET /api HTTP/1.1\r\n")
        await a_moment()
        self.assertEqual(len(caller.finals), 1)
        stage.advance(11)
        problem(self, await caller.answer(), 408, "request-timeout")

    @needs("time limits of clients")
    async def test_a_connection_on_which_nothing_is_said_is_closed_without_a_word(self, via: Combination) -> None:
        stage = Stage(self, via)
        caller = await stage.call()
        await a_moment()
        stage.advance(11)
        await caller.closed()
        self.assertEqual((caller.connection.received, caller.was_reset), (b"", False))

    @needs("time limits of clients")
    async def test_a_connection_may_rest_between_requests_for_75_s(self, via: Combination) -> None:
        stage = Stage(self, via).hold_time()
        caller = await stage.call()
        await caller.get("/api")
        stage.advance(74)
        await a_moment()
        await caller.get("/api")
        stage.advance(74)
        await a_moment()
        self.assertTrue(caller.is_open)
        stage.advance(2)
        await caller.closed()
        self.assertEqual(len(caller.finals), 2)

    @needs("time limits of clients")
    async def test_the_body_of_a_request_may_pause_for_60_s(self, via: Combination) -> None:
        stage = Stage(self, via).hold_time()
        caller = (await stage.call()).ask("PUT", "/api", "Content-Length: 100000").send(b"123")
        await until(lambda: stage.one.requests and stage.one.requests[0].size == 3, stage.one)
        for number in range(1, 4):
            stage.advance(59)
            await a_moment()
            caller.send(b"x" * 15_000)
            sent = 3 + number * 15_000
            await until(lambda: stage.one.requests[0].size == sent, stage.one)  # noqa: B023  # called at once
        self.assertEqual(caller.finals, [])
        stage.advance(61)
        problem(self, await caller.answer(), 408, "request-timeout")
        await until(lambda: not stage.one.open_connections, "the end of the request to the service")
        await caller.closed()

    @needs("time limits of clients")
    async def test_a_client_may_stop_reading_for_60_s(self, via: Combination) -> None:
        stage = Stage(self, via).hold_time()
        size = 64 * 1024 * 1024
        flood = Flood(size)
        stage.one.does(ReadAll(), Respond(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size), flood)
        sink = await stage.sink()
        sink.transport.write(request("GET", "/api"))
        await until_still(lambda: flood.sent)
        stage.advance(59)
        await a_moment()
        self.assertEqual(len(stage.gateway.site.channels), 1)
        # In the first minute, the kernel of its machine may still have taken something.
        for _ in range(2):
            stage.advance(61)
            await a_moment()
        await until(lambda: not stage.gateway.site.channels, "the end of the connection")
        await until(lambda: not stage.one.open_connections, "the end of the request to the service")

    @needs("time limits of clients")
    async def test_the_limits_are_configurable(self, via: Combination) -> None:
        limits = {"head_timeout": "2s", "keep_alive": "3s", "body_timeout": "4s"}
        stage = Stage(self, via, limits=limits).hold_time()
        body = (await stage.call()).ask("PUT", "/api", "Content-Length: 10")
        await until(lambda: stage.one.requests, stage.one)
        head = (await stage.call()).send(b"GET")
        rest = await stage.call()
        await rest.get("/api")
        await self.ends(stage, 2, head, rest, body)
        problem(self, await head.answer(), 408, "request-timeout")
        await self.ends(stage, 1, rest, body)
        await self.ends(stage, 1, body)
        problem(self, await body.answer(), 408, "request-timeout")

    async def ends(self, stage: Stage, seconds: float, now: Caller, *later: Caller) -> None:
        """With the last of so many seconds one connection ends, and the others do not."""
        stage.advance(seconds - 0.1)
        await a_moment()
        self.assertTrue(now.is_open)
        stage.advance(0.1)
        await now.closed()
        self.assertTrue(all(one.is_open for one in later))

    @needs("time limits of clients")
    async def test_a_refused_client_that_goes_on_sending_is_cut(self, via: Combination) -> None:
        stage = Stage(self, via, {"one": {"prefix": "/api", "methods": ["GET"]}})
        caller = (await stage.call()).ask("PUT", "/api", "Content-Length: 1000000000").send(b"x" * 1000)
        problem(self, await caller.answer(), 405, "method-not-allowed")
        for _ in range(200):
            if not caller.is_open:
                break
            stage.advance(0.1)
            caller.send(b"x" * 1000)
            await a_moment()
        self.assertFalse(caller.is_open)

    @lacks("time limits of clients")
    async def test_a_stock_site_knows_nothing_of_the_gateways_limits(self, via: Combination) -> None:
        stage = Stage(self, via)
        caller = (await stage.call()).send(b"GET /api HTTP/1.1\r\n")
        await a_moment()
        stage.advance(1000)
        await a_moment()
        self.assertEqual((await caller.send(b"Host: here\r\n\r\n").answer()).status, 200)
