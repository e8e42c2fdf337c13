"""More than there is room for: shed early and told when to come again, so that nobody else has to suffer for it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from twisted.logger import globalLogPublisher
from twisted.trial.unittest import TestCase

from apigateway.config.model import Limits
from apigateway.routing.shedding import MOST
from apigateway.testing.steps import Answer, ReadAll, Stall
from apigateway.upstream.spell import QUIET_S
from tests.behaviour.caller import Caller
from tests.behaviour.combinations import Combination, over_all_combinations
from tests.behaviour.stage import Options, Stage, problem
from tests.behaviour.steps import Gate
from tests.behaviour.waiting import a_moment, until

NATIVE = Combination("channel", "native")

SLOW: dict[str, Options] = {
    "one": {"prefix": "/api", "max_in_flight": 10},
    "two": {"prefix": "/other"},
}


async def flood(stage: Stage, times: int, target: str = "/api") -> list[Caller]:
    """So many clients that ask at once."""
    return [(await stage.call()).ask("GET", target) for _ in range(times)]


def answered(callers: list[Caller]) -> list[Caller]:
    """Those who have an answer."""
    return [caller for caller in callers if caller.finals]


@over_all_combinations
class BulkheadTests(TestCase):
    async def test_a_service_that_never_answers_takes_its_places_and_no_more_and_others_go_on(
        self, via: Combination
    ) -> None:
        stage = Stage(self, via, SLOW)
        stage.one.does(Stall())
        callers = await flood(stage, 40)
        await until(lambda: len(answered(callers)) == 30, callers)
        for caller in answered(callers):
            refused = await caller.answer()
            problem(self, refused, 503, "service-overloaded")
            self.assertTrue(1 <= int(refused.get(b"retry-after") or b"") <= 30)
        await until(lambda: len(stage.one.requests) >= 10, stage.one)
        other = await stage.call()
        for _ in range(50):
            self.assertEqual((await other.get("/other")).status, 200)
        self.assertEqual((len(answered(callers)), len(stage.one.requests)), (30, 10), "the others still wait")

    async def test_with_each_exchange_that_ends_there_is_a_place_again(self, via: Combination) -> None:
        stage = Stage(self, via, SLOW)
        gate = Gate()
        stage.one.does(ReadAll(), gate, Answer())
        callers = await flood(stage, 10)
        await until(lambda: len(gate.waiting) == 10, gate)
        problem(self, await stage.get("/api"), 503, "service-overloaded")
        callers[3].connection.transport.abortConnection()  # type: ignore[union-attr]  # a real socket's has it
        await until(lambda: stage.gateway.snapshot.services["one"].in_flight == 9, gate)
        gate.open()
        self.assertEqual((await stage.get("/api")).status, 200)

    async def test_a_fallback_answers_those_for_whom_there_is_no_place(self, via: Combination) -> None:
        services = {"one": {**SLOW["one"], "fallback": {"status": 200, "body": "later"}}}
        stage = Stage(self, via, services)
        stage.one.does(Stall())
        callers = await flood(stage, 11)
        await until(lambda: answered(callers), callers)
        answer = await answered(callers)[0].answer()
        self.assertEqual((answer.status, answer.body, answer.get(b"x-gateway-fallback")), (200, b"later", b"static"))

    async def test_when_the_time_of_those_who_wait_is_up_nothing_is_left_of_the_flood(self, via: Combination) -> None:
        stage = Stage(self, via, SLOW)
        stage.one.does(Stall())
        callers = await flood(stage, 30)
        await until(lambda: len(answered(callers)) == 20, callers)
        stage.advance(31)
        for caller in callers:
            self.assertIn((await caller.answer()).status, (503, 504))
        service = stage.gateway.snapshot.services["one"]
        self.assertEqual((service.in_flight, service.everyone, stage.target().in_flight), (0, set(), 0))


class ReloadTests(TestCase):
    """Those who began before it count on, and new bounds hold at once."""

    async def changed(self, stage: Stage, most: int, **limits: int) -> None:
        (one,) = stage.configuration.services
        services = (replace(one, max_in_flight=most),)
        changed = replace(stage.configuration, services=services, limits=Limits(**limits))
        self.assertEqual(await stage.gateway.change(changed), ())

    async def statuses(self, stage: Stage, times: int, refused: int) -> None:
        """So many ask, and so many of them are refused."""
        callers = await flood(stage, times)
        await until(lambda: len(answered(callers)) == refused, callers)

    async def test_of_a_service(self) -> None:
        stage = Stage(self, NATIVE, {"one": {"prefix": "/api", "max_in_flight": 2}})
        stage.one.does(Stall())
        await self.statuses(stage, 3, 1)
        await self.changed(stage, 3)
        await self.statuses(stage, 2, 1)
        await self.changed(stage, 1)
        await self.statuses(stage, 2, 2)
        await until(lambda: len(stage.one.requests) >= 3, stage.one)
        await a_moment()
        self.assertEqual(len(stage.one.requests), 3)

    async def test_of_all(self) -> None:
        stage = Stage(self, NATIVE)
        stage.one.does(Stall())
        await self.statuses(stage, 3, 0)
        await self.changed(stage, 100, exchanges=4)
        await self.statuses(stage, 3, 2)


@over_all_combinations
class AllTogetherTests(TestCase):
    async def test_above_the_bound_on_all_exchanges_every_service_refuses_but_the_own_pages_answer(
        self, via: Combination
    ) -> None:
        services: dict[str, Options] = {"one": {"prefix": "/api"}, "two": {"prefix": "/other"}}
        stage = Stage(self, via, services, limits={"exchanges": 5})
        stage.one.does(Stall())
        callers = await flood(stage, 5)
        await until(lambda: len(stage.one.requests) == 5, stage.one)
        for target in ("/api", "/other"):
            refused = await stage.get(target)
            problem(self, refused, 503, "overloaded")
            self.assertTrue(1 <= int(refused.get(b"retry-after") or b"") <= 5)
        for page in ("/health", "/health/live", "/gateway/stats", "/"):
            self.assertEqual((await stage.get(page)).status, 200, page)
        callers[0].connection.transport.abortConnection()  # type: ignore[union-attr]  # a real socket's has it
        await until(lambda: len(stage.gateway.snapshot.services["one"].everyone) == 4, stage.one)
        self.assertEqual((await stage.get("/other")).status, 200)


class LateLoop:
    """Makes a gateway's loop late, for all that the gateway knows: its clock jumps before each of its timers."""

    def __init__(self, test: TestCase, stage: Stage) -> None:
        self.lag_s = 0.0
        lag = stage.gateway.telemetry.lag
        test.patch(lag, "least", lambda: self.lag_s)


@over_all_combinations
class LateTests(TestCase):
    async def test_while_the_loop_stays_late_a_growing_share_is_refused_and_when_it_is_on_time_nobody(
        self, via: Combination
    ) -> None:
        stage = Stage(self, via, limits={"lag": "100ms"})
        loop = LateLoop(self, stage)
        shedding = stage.gateway._assembly.shedding
        loop.lag_s = 10.0
        await self.until_share(stage, lambda: shedding.share == MOST)
        caller = await stage.call()
        statuses = [(await caller.get("/api")).status for _ in range(60)]
        self.assertIn(503, statuses)
        self.assertEqual((await stage.get("/health")).status, 200)
        told = json.loads((await stage.get("/gateway/stats")).body)
        self.assertEqual(told["process"]["shed_share"], MOST)
        self.assertEqual(told["since_start"]["services"]["one"]["shed"], statuses.count(503))
        loop.lag_s = 0.0
        await self.until_share(stage, lambda: shedding.share == 0.0)
        caller = await stage.call()  # the time that has passed may have been enough to close the other
        self.assertEqual([(await caller.get("/api")).status for _ in range(20)], [200] * 20)

    async def until_share(self, stage: Stage, reached: Any) -> None:
        """Let seconds pass for the gateway until the share is so large."""

        def look() -> bool:
            stage.advance(1.0)
            return bool(reached())

        await until(look, stage.gateway._assembly.shedding)


class EventTests(TestCase):
    async def test_the_begin_and_the_end_of_shedding_are_told_and_not_each_refusal(self) -> None:
        events: list[Any] = []
        observe: Any = events.append
        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        stage = Stage(self, NATIVE, SLOW)
        stage.one.does(Stall())
        callers = await flood(stage, 25)
        await until(lambda: len(answered(callers)) == 15, callers)

        def told() -> list[Any]:
            return [event for event in events if str(event.get("event")).startswith("shedding")]

        await until(told, "an event")

        def is_over() -> bool:
            stage.advance(QUIET_S / 4)
            return len(told()) == 2

        await until(is_over, "the other event")
        began, ended = told()
        self.assertEqual((began["event"], ended["event"]), ("shedding-began", "shedding-ended"))
        self.assertEqual((ended["service"], ended["cause"], ended["refused"]), ("one", "service-overloaded", 15))
