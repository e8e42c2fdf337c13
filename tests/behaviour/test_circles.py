"""Nothing that comes and goes leaves circles of references: the collector comes late, and until then memory grows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.trial.unittest import TestCase

from apigateway.testing.steps import Answer, ReadAll, Reset, Stall, Wait
from tests.behaviour.caller import Caller
from tests.behaviour.combinations import CHANNEL, NATIVE, OVER_TLS, TREQ, Combination
from tests.behaviour.stage import Stage
from tests.behaviour.waiting import a_moment, until
from tests.circles import circles

PLAIN = Combination(CHANNEL, NATIVE)
HEDGED = {"hedging": {"after": "20ms"}, "targets": ["one", "two"]}
RETRIED = {"retries": {"attempts": 1, "methods": ["POST"], "replay": "1KiB"}, "targets": ["one", "two"]}


class CircleTests(TestCase):
    """Over TLS and through treq alike, but for what Twisted does of its own accord."""

    async def leaves_nothing(self, do: Callable[[], Awaitable[object]]) -> None:
        """It is done once before, for what is made at the first time and stays."""
        await do()
        await a_moment()
        with circles() as found:
            await do()
            await a_moment()
        self.assertEqual(found, {})

    async def test_exchanges_on_connections_that_stay_leave_none_at_all(self) -> None:
        for via in (PLAIN, OVER_TLS, Combination(CHANNEL, TREQ)):
            stage = Stage(self, via)
            stage.one.does(ReadAll(), Answer(200, b"x" * 100))
            caller = await stage.call()

            async def exchange(caller: Caller = caller) -> None:
                for _ in range(3):
                    await caller.get("/api")

            await self.leaves_nothing(exchange)

    async def test_neither_do_connections_that_end(self) -> None:
        for via in (PLAIN, OVER_TLS):
            stage = Stage(self, via)
            stage.one.does(ReadAll(), Answer(200, chunks=(b"a", b"b")))

            async def visit(stage: Stage = stage) -> None:
                caller = await stage.call()
                answer = await caller.ask("POST", "/api", "Connection: close", body=b"abc").answer()
                self.assertEqual(answer.body, b"ab")
                await until(lambda: not caller.is_open, caller)
                for connection in stage.one.open_connections:
                    connection.reset()
                await until(lambda: not stage.target().transport.statistics()["open"], stage)

            await self.leaves_nothing(visit)

    async def test_nor_clients_that_leave_in_the_middle(self) -> None:
        stage = Stage(self, PLAIN)
        stage.one.does(ReadAll(), Stall())

        async def leave() -> None:
            caller = (await stage.call()).ask("GET", "/api")
            await until(lambda: bool(stage.gateway.snapshot.services["one"].active), caller)
            caller.connection.transport.abortConnection()  # type: ignore[union-attr]  # a real socket's has it
            await until(lambda: not stage.gateway.snapshot.services["one"].active, caller)
            await until(lambda: not stage.target().transport.statistics()["open"], stage)

        await self.leaves_nothing(leave)

    async def test_nor_hedged_exchanges_whoever_is_faster(self) -> None:
        stage = Stage(self, PLAIN, {"one": {"prefix": "/api", "balance": "round-robin", **HEDGED}})
        stage.services["one"].does(ReadAll(), Wait(0.1), Answer(200, b"slow"))
        stage.services["two"].does(ReadAll(), Answer(200, b"quick"))

        async def hedge() -> None:
            for _ in range(4):
                self.assertEqual((await stage.get("/api")).body, b"quick")

        await self.leaves_nothing(hedge)

    async def test_nor_those_that_are_tried_again(self) -> None:
        stage = Stage(self, PLAIN, {"one": {"prefix": "/api", "balance": "round-robin", **RETRIED}})
        stage.services["one"].does(ReadAll(), Reset())
        stage.services["two"].does(ReadAll(), Answer(200, b"good"))

        async def retry() -> None:
            for _ in range(4):
                self.assertEqual((await stage.ask("POST", "/api", body=b"abc")).body, b"good")

        await self.leaves_nothing(retry)
