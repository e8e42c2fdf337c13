"""Hedged requests over real sockets: a second target is asked while the first takes long."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase

from apigateway.testing.steps import Answer, Close, ReadAll
from tests.behaviour.combinations import Combination, over_all_combinations
from tests.behaviour.stage import Stage, logged, problem
from tests.behaviour.steps import Gate
from tests.behaviour.waiting import a_moment, until


def hedged(test: TestCase, via: Combination, log: str = "", **options: Any) -> tuple[Stage, Gate]:
    """A service with a target `slow`, which is asked first and stands at a gate, and one that is `quick`."""
    service = {
        "prefix": "/api", "targets": ["slow", "quick"], "balance": "round-robin", "hedging": {"after": "30ms"},
        **options,
    }  # fmt: skip
    stage = Stage(test, via, {"one": service}, access_log={"file": log} if log else False)
    gate = Gate()
    stage.services["slow"].does(ReadAll(), gate, Answer(200, b"slow"))
    stage.services["quick"].answers(200, b"quick")
    return stage, gate


@over_all_combinations
class HedgingTests(TestCase):
    async def test_the_quick_one_answers_and_the_slow_one_is_cut(self, via: Combination) -> None:
        log = self.mktemp()
        stage, gate = hedged(self, via, log)
        answer = await stage.get("/api")
        self.assertEqual((answer.status, answer.body, len(gate.waiting)), (200, b"quick", 1))
        await until(lambda: not stage.services["slow"].open_connections, "the end of the slow attempt")
        (line,) = await logged(log, 1)
        self.assertEqual((line["attempts"], line["hedged"], line["status"], line["cause"]), (2, True, 200, None))
        slow, quick = (stage.target(index=index) for index in range(2))
        self.assertEqual((slow.failures, slow.in_flight, quick.failures, quick.in_flight), (0, 0, 0, 0))
        metrics = (await stage.get("/gateway/metrics")).body
        self.assertIn(b'apigateway_hedges_total{service="one"} 1\n', metrics)
        self.assertIn(b'apigateway_hedges_won_total{service="one"} 1\n', metrics)

    async def test_while_answers_are_quick_nobody_else_is_asked(self, via: Combination) -> None:
        log = self.mktemp()
        stage, gate = hedged(self, via, log, hedging={"after": "30s"})
        gate.open()
        bodies = [(await stage.get("/api")).body for _ in range(4)]
        self.assertEqual(sorted(bodies), [b"quick", b"quick", b"slow", b"slow"])
        self.assertTrue(all("hedged" not in line for line in await logged(log, 4)))

    async def test_what_must_not_be_sent_twice_is_waited_for(self, via: Combination) -> None:
        stage, gate = hedged(self, via)
        caller = (await stage.call()).ask("POST", "/api")
        await until(lambda: gate.waiting, gate)
        stage.advance(1)
        await a_moment()
        self.assertEqual(stage.services["quick"].requests, [])
        gate.open()
        self.assertEqual((await caller.answer()).body, b"slow")

    async def test_a_failing_second_does_not_spoil_the_first(self, via: Combination) -> None:
        stage, gate = hedged(self, via)
        stage.services["quick"].does(ReadAll(), Close())
        await self.waits_for_the_first(stage, gate)

    async def test_a_bad_answer_of_it_waits_for_the_first(self, via: Combination) -> None:
        stage, gate = hedged(self, via)
        stage.services["quick"].answers(500, b"x" * 300_000)
        await self.waits_for_the_first(stage, gate)

    async def waits_for_the_first(self, stage: Stage, gate: Gate) -> None:
        caller = (await stage.call()).ask("GET", "/api")
        await until(lambda: stage.services["quick"].requests, "the second attempt")
        await a_moment()
        self.assertEqual(caller.finals, [])
        gate.open()
        self.assertEqual((await caller.answer()).body, b"slow")

    async def test_it_is_passed_on_whole_when_the_first_is_no_better(self, via: Combination) -> None:
        stage, gate = hedged(self, via)
        stage.services["slow"].does(ReadAll(), gate, Close())
        stage.services["quick"].answers(500, b"x" * 300_000)
        caller = (await stage.call()).ask("GET", "/api")
        await until(lambda: stage.services["quick"].requests, "the second attempt")
        await a_moment()
        gate.open()
        answer = await caller.answer()
        self.assertEqual((answer.status, answer.body), (500, b"x" * 300_000))

    async def test_when_both_fail_the_client_is_told(self, via: Combination) -> None:
        stage, gate = hedged(self, via)
        stage.services["slow"].does(ReadAll(), gate, Close())
        stage.services["quick"].does(ReadAll(), Close())
        caller = (await stage.call()).ask("GET", "/api")
        await until(lambda: stage.services["quick"].requests, "the second attempt")
        gate.open()
        problem(self, await caller.answer(), 502, "connection-lost")

    async def test_a_client_that_leaves_ends_both(self, via: Combination) -> None:
        stage, _ = hedged(self, via)
        second = Gate()
        stage.services["quick"].does(ReadAll(), second)
        caller = (await stage.call()).ask("GET", "/api")
        await until(lambda: second.waiting, second)
        caller.connection.transport.abortConnection()
        for name in ("slow", "quick"):
            await until(lambda: not stage.services[name].open_connections, name)  # noqa: B023  # called at once
        self.assertEqual(stage.gateway.snapshot.services["one"].in_flight, 0)

    async def test_a_connection_carries_on_after_it(self, via: Combination) -> None:
        stage, _ = hedged(self, via)
        caller = await stage.call()
        for _ in range(4):
            self.assertEqual((await caller.get("/api")).body, b"quick")
