"""Slow clients hold all connections to a service: they make room for others, and nobody else does."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase

from apigateway.testing.steps import Answer, ReadAll, Respond
from apigateway.upstream.pool.crowding import CROWDED_RATE, PATIENCE_S
from tests.behaviour.caller import Caller, Sink, request
from tests.behaviour.combinations import Combination, needs, over_all_combinations
from tests.behaviour.stage import Stage, logged, problem
from tests.behaviour.steps import Flood, Gate
from tests.behaviour.waiting import a_moment, until, until_still

POOL = 4


def stage_for(test: TestCase, via: Combination, **top: Any) -> Stage:
    """A service of four connections whose breaker opens with the first failure; rates must not be the machine's."""
    breaker = {"failures": 1, "recovery": "30s"}
    services = {"one": {"prefix": "/api", "pool": {"connections": POOL}, "circuit_breaker": breaker}}
    return Stage(test, via, services, **top).hold_time()


async def time_passes(stage: Stage, seconds: float = PATIENCE_S) -> None:
    """The gateway looks, time passes, and it looks again."""
    await a_moment()
    stage.advance(seconds)
    await a_moment()


@over_all_combinations
class SlowUploadTests(TestCase):
    async def uploads(self, stage: Stage, count: int = POOL, size: int = 1_000_000) -> list[Caller]:
        """So many uploads that have a connection to the service, and have sent a byte."""
        callers = [
            (await stage.call()).ask("PUT", f"/api/{n}", f"Content-Length: {size}").send(b"x") for n in range(count)
        ]
        await until(lambda: len(stage.one.requests) == min(count, POOL), stage.one)
        return callers

    @needs("streamed uploads")
    async def test_uploads_that_hardly_move_make_room_for_a_request_that_is_all_here(self, via: Combination) -> None:
        log = self.mktemp()
        stage = stage_for(self, via, access_log={"file": log})
        uploads = await self.uploads(stage)
        await time_passes(stage)
        self.assertEqual([len(caller.finals) for caller in uploads], [0] * POOL, "nobody needs the room")
        self.assertEqual((await stage.get("/api")).status, 200)
        (cut,) = [caller for caller in uploads if caller.finals]
        problem(self, await cut.answer(), 408, "client-too-slow")
        entries = {entry["status"]: entry["cause"] for entry in await logged(log, 2)}
        self.assertEqual(entries, {200: None, 408: "client-too-slow"})
        self.assertEqual((stage.target().failures, stage.target().breaker.state), (0, "closed"))  # type: ignore[union-attr]

    @needs("streamed uploads")
    async def test_so_they_do_for_many_one_after_the_other_and_for_a_body_that_came_with_its_head(
        self, via: Combination
    ) -> None:
        stage = stage_for(self, via)
        await self.uploads(stage, 10)
        await time_passes(stage)
        for _ in range(10):
            self.assertEqual((await stage.get("/api")).status, 200)
            self.assertEqual((await stage.ask("POST", "/api", body=b"name=x")).status, 200)

    @needs("streamed uploads")
    async def test_uploads_that_move_are_not_touched(self, via: Combination) -> None:
        stage = stage_for(self, via)
        size = 12 * CROWDED_RATE
        uploads = await self.uploads(stage, size=size)
        waiting = (await stage.call()).ask("GET", "/api")
        for number in range(1, 12):
            for caller in uploads:
                caller.send(b"x" * (CROWDED_RATE + (1000 if number < 11 else -10_001)))
            await until(lambda: not stage.target().transport.statistics()["idle"], stage.one)
            await time_passes(stage, 0.25)
        for caller in uploads:
            caller.send(b"x" * CROWDED_RATE)
            self.assertEqual((await caller.answer()).status, 200)
        self.assertEqual((await waiting.answer()).status, 200)


@over_all_combinations
class SlowReaderTests(TestCase):
    async def readers(self, stage: Stage, count: int = POOL) -> list[Sink]:
        """So many who have asked for more than any buffer takes, and read nothing."""
        size = 64 * 1024 * 1024
        floods = [Flood(size) for _ in range(count)]
        sinks = []
        for flood in floods:
            stage.one.script(ReadAll(), Respond(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size), flood)
            sink = await stage.sink()
            sink.transport.write(request("GET", "/api"))
            sinks.append(sink)
            await until_still(lambda flood=flood: flood.sent)  # type: ignore[misc]  # mypy can't infer such a lambda
        return sinks

    async def test_readers_that_take_nothing_make_room(self, via: Combination) -> None:
        log = self.mktemp()
        stage = stage_for(self, via, access_log={"file": log})
        await self.readers(stage)
        await time_passes(stage)
        self.assertEqual((await stage.get("/api")).status, 200)
        causes = {(entry["status"], entry["cause"]) for entry in await logged(log, 2, '"cause":null')}
        self.assertEqual(causes, {(200, None), (200, "client-too-slow")})
        self.assertEqual((stage.target().failures, stage.target().breaker.state), (0, "closed"))  # type: ignore[union-attr]
        for _ in range(5):
            self.assertEqual((await stage.get("/api")).status, 200)

    async def test_whoever_waits_for_the_service_itself_makes_no_room(self, via: Combination) -> None:
        stage = stage_for(self, via)
        gate = Gate()
        stage.one.does(ReadAll(), gate, Answer(200, b"at last"))
        callers = [(await stage.call()).ask("GET", "/api") for _ in range(POOL + 1)]
        await until(lambda: len(gate.waiting) == POOL, gate)
        for _ in range(3):
            await time_passes(stage)
        gate.open()
        self.assertEqual([(await caller.answer()).body for caller in callers], [b"at last"] * (POOL + 1))
