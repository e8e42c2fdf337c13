"""Ends that come too early: services that die, answer nonsense or are not there; clients that go away."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from apigateway.testing.steps import Answer, Close, CloseSending, ReadAll, Reset, Respond, Step
from tests.behaviour.caller import Caller
from tests.behaviour.combinations import Combination, lacks, needs, over_tls_too
from tests.behaviour.stage import Stage, logged, problem
from tests.behaviour.steps import Gate
from tests.behaviour.waiting import a_moment, until

KNOWN = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n"
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n\r\n12345"


@over_tls_too
class BrokenAnswerTests(TestCase):
    """A service that dies in the middle of a body never looks complete to the client."""

    async def _broken(self, via: Combination, answer: bytes, end: Step, version: str = "HTTP/1.1") -> Caller:
        stage = Stage(self, via)
        gate = Gate()
        stage.one.does(ReadAll(), Respond(answer), gate, end)
        caller = (await stage.call()).ask("GET", "/api", version=version)
        await caller.received(b"12345")
        gate.open()
        message = await caller.broken()
        self.assertEqual((message.status, message.body), (200, b"12345"))
        return caller

    async def test_a_body_of_known_length_ends_short(self, via: Combination) -> None:
        for end in (Close(), Reset()):
            await self._broken(via, KNOWN, end)

    async def test_a_body_in_chunks_ends_without_the_last_one(self, via: Combination) -> None:
        for end in (Close(), Reset(), Respond(b"nonsense\r\n")):
            caller = await self._broken(via, CHUNKED, end)
            self.assertTrue(caller.connection.received.endswith(b"12345\r\n"), caller)

    async def test_a_body_that_ends_with_a_reset_ends_without_the_last_chunk(self, via: Combination) -> None:
        caller = await self._broken(via, UNTIL_CLOSE, Reset())
        self.assertTrue(caller.connection.received.endswith(b"12345\r\n"), caller)

    async def test_to_http_1_0_a_body_without_a_length_ends_with_a_reset(self, via: Combination) -> None:
        for answer, end in ((CHUNKED, Close()), (UNTIL_CLOSE, Reset())):
            caller = await self._broken(via, answer, end, "HTTP/1.0")
            self.assertTrue(caller.was_reset, caller)

    async def test_to_http_1_0_a_body_of_known_length_ends_short(self, via: Combination) -> None:
        await self._broken(via, KNOWN, Close(), "HTTP/1.0")

    async def test_what_is_pipelined_behind_it_is_not_answered(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.script(ReadAll(), Respond(KNOWN), Close())
        caller = (await stage.call()).ask("GET", "/api/1").ask("GET", "/api/2")
        await caller.broken()
        self.assertEqual(len(caller.finals), 1)

    async def test_the_log_tells_why(self, via: Combination) -> None:
        log = self.mktemp()
        stage = Stage(self, via, access_log={"file": log})
        stage.one.does(ReadAll(), Respond(KNOWN), Close())
        await (await stage.call()).ask("GET", "/api").broken()
        entry = (await logged(log, 1))[0]
        self.assertEqual((entry["status"], entry["cause"]), (200, "connection-lost"))


@over_tls_too
class BadServiceTests(TestCase):
    async def test_a_service_that_is_not_there_gets_502(self, via: Combination) -> None:
        stage = Stage(self, via)
        await stage.close_service()
        problem(self, await stage.get("/api"), 502, "connect-failed")

    async def test_a_service_that_closes_instead_of_answering_gets_502(self, via: Combination) -> None:
        for end in (Close(), Reset(), CloseSending()):
            stage = Stage(self, via)
            stage.one.does(ReadAll(), end)
            problem(self, await stage.get("/api"), 502, "connection-lost")

    async def test_a_service_that_breaks_off_in_its_head_gets_502(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.does(ReadAll(), Respond(b"HTTP/1.1 200 OK\r\nContent-Le"), Close())
        problem(self, await stage.get("/api"), 502, "connection-lost")

    async def test_what_is_not_http_gets_502(self, via: Combination) -> None:
        for nonsense in (
            b"hello there\r\n\r\n",
            b"SSH-2.0-OpenSSH_9.2p1\r\n",
            b"HTTP/2.0 200 OK\r\n\r\n",
            b"HTTP/1.1 abc OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
            b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nabc",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc",
            b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n",
        ):
            stage = Stage(self, via)
            stage.one.does(ReadAll(), Respond(nonsense))
            problem(self, await stage.get("/api"), 502, "bad-response")

    async def test_a_problem_never_tells_where_the_service_is(self, via: Combination) -> None:
        stage = Stage(self, via)
        port = f"{stage.port_of()}".encode()
        await stage.close_service()
        answer = await stage.get("/api")
        self.assertNotIn(port, answer.body + answer.raw_head)

    async def test_after_a_failure_the_clients_connection_carries_on(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.script(ReadAll(), Close())
        caller = await stage.call()
        self.assertEqual([(await caller.get("/api")).status for _ in range(2)], [502, 200])

    @needs("streamed uploads")
    async def test_a_service_that_dies_during_an_upload_gets_502(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.does(Reset())
        caller = (await stage.call()).ask("PUT", "/api", "Content-Length: 1000000").send(b"x" * 1000)
        problem(self, await caller.answer(), 502, "connection-lost")
        await caller.closed()


@over_tls_too
class ClientGoneTests(TestCase):
    async def _gone(self, stage: Stage, log: str, cause: str = "client-gone", status: int = 499) -> None:
        await until(lambda: not stage.one.open_connections, "the end of the request to the service")
        entry = (await logged(log, 1))[0]
        self.assertEqual((entry["cause"], entry["status"]), (cause, status))

    async def test_who_goes_away_while_waiting_takes_the_request_along(self, via: Combination) -> None:
        log = self.mktemp()
        stage = Stage(self, via, access_log={"file": log})
        gate = Gate()
        stage.one.does(ReadAll(), gate)
        caller = (await stage.call()).ask("GET", "/api")
        await until(lambda: gate.waiting, gate)
        caller.connection.close()
        await self._gone(stage, log)

    async def test_who_goes_away_in_the_middle_of_an_answer_takes_the_request_along(self, via: Combination) -> None:
        log = self.mktemp()
        stage = Stage(self, via, access_log={"file": log})
        stage.one.does(ReadAll(), Respond(CHUNKED))
        caller = (await stage.call()).ask("GET", "/api")
        await caller.received(b"12345")
        caller.connection.reset()
        await self._gone(stage, log, status=200)

    @needs("streamed uploads")
    async def test_who_goes_away_in_the_middle_of_an_upload_takes_the_request_along(self, via: Combination) -> None:
        log = self.mktemp()
        stage = Stage(self, via, access_log={"file": log})
        caller = (await stage.call()).ask("PUT", "/api", "Content-Length: 10").send(b"12345")
        await until(lambda: stage.one.requests and stage.one.requests[0].size == 5, stage.one)
        caller.connection.reset()
        await self._gone(stage, log)

    @lacks("streamed uploads")
    async def test_behind_a_stock_site_half_an_upload_reaches_nobody(self, via: Combination) -> None:
        stage = Stage(self, via)
        caller = (await stage.call()).ask("PUT", "/api", "Content-Length: 10").send(b"12345")
        await a_moment()
        caller.connection.reset()
        await stage.get("/api")
        self.assertEqual([request.method for request in stage.one.requests], ["GET"])

    async def test_who_goes_away_is_no_failure_of_the_service(self, via: Combination) -> None:
        service = {"prefix": "/api", "circuit_breaker": {"failures": 1}}
        stage = Stage(self, via, {"one": service})
        gate = Gate()
        stage.one.script(ReadAll(), gate)
        caller = (await stage.call()).ask("GET", "/api")
        await until(lambda: gate.waiting, gate)
        caller.connection.reset()
        await until(lambda: not stage.one.open_connections, "the end of the request to the service")
        self.assertEqual((await stage.get("/api")).status, 200)

    async def test_the_service_may_finish_what_nobody_waits_for_where_it_is_told_to(self, via: Combination) -> None:
        stage = Stage(self, via, {"one": {"prefix": "/api", "finish_abandoned": True}})
        gate = Gate()
        stage.one.script(ReadAll(), gate, Answer(200, b"x" * 1_000_000))
        caller = (await stage.call()).ask("POST", "/api", body=b"order")
        await until(lambda: gate.waiting, gate)
        caller.connection.reset()
        await a_moment()
        self.assertEqual(len(stage.one.open_connections), 1)
        gate.open()
        await until(lambda: stage.target().transport.statistics()["idle"] == 1, "the end of the exchange")
        self.assertEqual((await stage.get("/api")).status, 200)
        self.assertEqual(len(stage.one.connections), 1)

    async def test_it_may_finish_an_answer_that_nobody_reads(self, via: Combination) -> None:
        stage = Stage(self, via, {"one": {"prefix": "/api", "finish_abandoned": True}})
        gate = Gate()
        stage.one.script(ReadAll(), Respond(CHUNKED), gate, Respond(b"0\r\n\r\n"))
        caller = (await stage.call()).ask("GET", "/api")
        await caller.received(b"12345")
        caller.connection.reset()
        await until(lambda: gate.waiting, gate)
        await a_moment()
        gate.open()
        await until(lambda: stage.target().transport.statistics()["idle"] == 1, "the end of the exchange")

    @needs("streamed uploads")
    async def test_half_a_request_is_never_finished(self, via: Combination) -> None:
        stage = Stage(self, via, {"one": {"prefix": "/api", "finish_abandoned": True}})
        caller = (await stage.call()).ask("PUT", "/api", "Content-Length: 10").send(b"12345")
        await until(lambda: stage.one.requests and stage.one.requests[0].size == 5, stage.one)
        caller.connection.reset()
        await until(lambda: not stage.one.open_connections, "the end of the request to the service")
        self.assertFalse(stage.one.requests[0].is_complete)
