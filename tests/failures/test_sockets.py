"""The failures that only real sockets know: resets, refused ports, kernels that answer for processes that hang."""

from __future__ import annotations

import os
from typing import Any

from twisted.trial.unittest import TestCase

from apigateway.testing.names import ScriptedNames
from apigateway.testing.parts import Chunk, Head, ReadSome
from apigateway.testing.scripted_service import ScriptedService
from apigateway.testing.steps import Answer, Close, ReadAll, Reset, Respond, Stall, Step, StopReading
from tests.behaviour.caller import request
from tests.behaviour.combinations import CHANNEL, NATIVE, Combination, only, over_all_combinations
from tests.behaviour.stage import Stage, problem
from tests.behaviour.waiting import reactor, until

LARGE = 8_000_000
"""More than the kernels hold between two sockets."""

ENDS: tuple[tuple[Step, ...], ...] = (
    (Close(),), (Reset(),), (ReadAll(), Close()), (ReadAll(), Reset()), (Respond(b"nonsense\r\n\r\n"),),
    (ReadAll(), Head(200, length=10), Respond(b"12345"), Close()),
    (ReadAll(), Head(200, chunked=True), Chunk(b"1"), Reset()), (ReadAll(), Stall()), (Answer(413), Close()),
)  # fmt: skip


def service(**options: Any) -> dict[str, dict[str, Any]]:
    """The usual service, which may fail as often as it likes."""
    return {"one": {"prefix": "/api", "circuit_breaker": False, **options}}


def descriptors() -> int:
    """How many descriptors this process has open."""
    return len(os.listdir("/proc/self/fd"))


@over_all_combinations
class SocketTests(TestCase):
    def away(self) -> ScriptedService:
        """A service that may go away; its port stays its own."""
        one = ScriptedService()
        one.listen(reactor)
        self.addCleanup(one.die)
        return one

    @only(CHANNEL)
    async def test_a_reset_before_the_answer_and_in_it(self, via: Combination) -> None:
        stage = Stage(self, via, service())
        stage.one.does(ReadAll(), Reset())
        problem(self, await stage.get("/api"), 502, "connection-lost")
        stage.one.does(ReadAll(), Head(200, chunked=True), Chunk(b"12345"))
        caller = (await stage.call()).ask("GET", "/api")
        await caller.received(b"12345")
        for connection in stage.one.open_connections:
            connection.reset()
        self.assertEqual((await caller.broken()).body, b"12345")

    @only(CHANNEL)
    async def test_a_service_that_dies_and_comes_back(self, via: Combination) -> None:
        one = self.away()
        stage = Stage(self, via, service(targets=[f"http://127.0.0.1:{one.port}"]))
        self.assertEqual((await stage.get("/api")).status, 200)
        await one.die()
        problem(self, await stage.get("/api"), 502, "connect-failed")
        one.come_back()
        self.assertEqual((await stage.get("/api")).status, 200)

    @only(CHANNEL)
    async def test_a_service_that_is_gone_from_dns_and_comes_back(self, via: Combination) -> None:
        one, names = self.away(), ScriptedNames(reactor)
        self.addCleanup(reactor.installNameResolver, reactor.installNameResolver(names))
        stage = Stage(self, via, service(targets=[f"http://orders:{one.port}"]), dns_ttl="1s")
        problem(self, await stage.get("/api"), 502, "name-not-resolved")
        names.hosts["orders"] = ["127.0.0.1"]
        stage.advance(2)
        self.assertEqual((await stage.get("/api")).status, 200)

    @only(CHANNEL)
    async def test_a_process_that_hangs_while_its_kernel_takes_connections(self, via: Combination) -> None:
        stage = Stage(self, via, service())
        pool = stage.target().transport
        stage.one.stop_accepting()
        caller = (await stage.call()).ask("GET", "/api")
        await until(lambda: pool.statistics()["open"], pool)
        stage.advance(29)
        self.assertEqual(caller.finals, [])
        stage.advance(2)
        problem(self, await caller.answer(), 504, "response-timeout")
        await until(lambda: not pool.statistics()["open"], pool)
        stage.one.accept_again()
        self.assertEqual((await stage.get("/api")).status, 200)

    @only(CHANNEL)
    async def test_a_refusal_in_the_middle_of_an_upload_reaches_the_client_though_the_service_resets(
        self, via: Combination
    ) -> None:
        """The end of what the service does not read is a reset, which may come while the gateway is still writing."""
        stage = Stage(self, via, service())
        stage.one.does(ReadSome(1), Answer(413, b"too much"), Close())
        for _ in range(20):
            caller = (await stage.call()).send(request("PUT", "/api", f"Content-Length: {LARGE}"))
            caller.send(b"x" * LARGE)
            status = (await caller.head()).status
            # Twisted's own transports know nothing of the answer once a write has failed.
            self.assertIn(status, (413,) if via.upstream == NATIVE else (413, 502))

    @only(CHANNEL)
    async def test_a_refusal_by_a_service_that_stops_reading(self, via: Combination) -> None:
        stage = Stage(self, via, service())
        stage.one.does(ReadSome(1), StopReading(), Answer(413, b"too much"))
        pool = stage.target().transport
        caller = (await stage.call()).send(request("PUT", "/api", f"Content-Length: {LARGE}") + b"x" * LARGE)
        self.assertEqual((await caller.head()).status, 413)
        await until(lambda: not pool.statistics()["open"], pool)

    @only(CHANNEL)
    async def test_descriptors_are_where_they_began(self, via: Combination) -> None:
        stage = Stage(self, via, service(timeouts={"response": "20ms", "idle": "20ms"}, pool={"idle": "50ms"}))
        await self._fail_in_every_way(stage)
        before = descriptors()
        for _ in range(6):
            await self._fail_in_every_way(stage)
        self.assertGreater(len(stage.one.connections), 100)
        self.assertEqual(stage.target().in_flight, 0)
        await until(lambda: descriptors() <= before, before)

    async def _fail_in_every_way(self, stage: Stage) -> None:
        pool = stage.target().transport
        for end in ENDS:
            stage.one.does(*end)
            for data in (request("GET", "/api"), request("PUT", "/api", body=b"x" * 10)):
                caller = (await stage.call()).send(data)
                await caller.head()
                caller.connection.reset()
                await caller.closed()
        await until(lambda: not pool.statistics()["open"] and not stage.gateway.site.channels, pool)
