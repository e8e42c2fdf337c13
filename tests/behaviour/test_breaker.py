"""The circuit breaker as clients and services see it: it opens, rests, tries once, and closes."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from apigateway.testing.steps import Answer, ReadAll
from tests.behaviour.combinations import Combination, over_all_combinations
from tests.behaviour.stage import Stage, problem
from tests.behaviour.steps import Gate
from tests.behaviour.waiting import a_moment, until


@over_all_combinations
class BreakerTests(TestCase):
    async def _open(self, via: Combination, **breaker: object) -> Stage:
        """A service that has failed five times."""
        stage = Stage(self, via, {"one": {"prefix": "/api", "circuit_breaker": breaker}}).hold_time()
        stage.one.answers(500)
        for _ in range(5):
            self.assertEqual((await stage.get("/api")).status, 500)
        return stage

    async def test_after_five_failures_the_service_is_left_in_peace(self, via: Combination) -> None:
        stage = await self._open(via)
        answer = await stage.get("/api")
        problem(self, answer, 503, "breaker-open")
        self.assertEqual(answer.get(b"retry-after"), b"30")
        self.assertEqual(len(stage.one.requests), 5)

    async def test_every_kind_of_failure_counts(self, via: Combination) -> None:
        stage = Stage(self, via)
        await stage.close_service()
        for _ in range(5):
            problem(self, await stage.get("/api"), 502, "connect-failed")
        problem(self, await stage.get("/api"), 503, "breaker-open")

    async def test_time_outs_count(self, via: Combination) -> None:
        service = {"prefix": "/api", "timeouts": {"response": "20ms"}, "circuit_breaker": {"failures": 1}}
        stage = Stage(self, via, {"one": service})
        stage.one.does(ReadAll(), Gate())
        problem(self, await stage.get("/api"), 504, "response-timeout")
        problem(self, await stage.get("/api"), 503, "breaker-open")

    async def test_refusals_of_the_service_do_not_count(self, via: Combination) -> None:
        stage = Stage(self, via)
        for status in (400, 401, 404, 409, 429) * 2:
            stage.one.answers(status)
            self.assertEqual((await stage.get("/api")).status, status)
        stage.one.answers(200)
        self.assertEqual((await stage.get("/api")).status, 200)

    async def test_an_answer_in_between_starts_the_count_afresh(self, via: Combination) -> None:
        stage = Stage(self, via)
        for status in (500, 500, 500, 500, 200, 500, 500, 500, 500, 200):
            stage.one.answers(status)
            self.assertEqual((await stage.get("/api")).status, status)

    async def test_retry_after_is_true(self, via: Combination) -> None:
        stage = await self._open(via)
        stage.one.answers(200)
        stage.advance(10)
        wait = (await stage.get("/api")).get(b"retry-after")
        self.assertEqual(wait, b"20")
        stage.advance(18)
        problem(self, await stage.get("/api"), 503, "breaker-open")
        stage.advance(2)
        self.assertEqual((await stage.get("/api")).status, 200)

    async def test_one_probe_at_a_time_is_let_through(self, via: Combination) -> None:
        stage = await self._open(via)
        gate = Gate()
        stage.one.does(ReadAll(), gate, Answer(200, b"well again"))
        stage.advance(31)
        probe = (await stage.call()).ask("GET", "/api")
        await until(lambda: gate.waiting, gate)
        for _ in range(3):
            answer = await stage.get("/api")
            problem(self, answer, 503, "breaker-open")
            self.assertEqual(answer.get(b"retry-after"), b"1")
        await a_moment()
        self.assertEqual(len(stage.one.requests), 6)
        gate.open()
        self.assertEqual((await probe.answer()).body, b"well again")
        self.assertEqual([(await stage.get("/api")).status for _ in range(3)], [200] * 3)

    async def test_a_probe_that_fails_gives_the_service_another_rest(self, via: Combination) -> None:
        stage = await self._open(via)
        stage.advance(31)
        self.assertEqual((await stage.get("/api")).status, 500)
        answer = await stage.get("/api")
        problem(self, answer, 503, "breaker-open")
        self.assertEqual(answer.get(b"retry-after"), b"30")

    async def test_a_probe_whose_client_goes_away_decides_nothing(self, via: Combination) -> None:
        stage = await self._open(via)
        gate = Gate()
        stage.one.script(ReadAll(), gate)
        stage.advance(31)
        probe = (await stage.call()).ask("GET", "/api")
        await until(lambda: gate.waiting, gate)
        probe.connection.reset()
        await until(lambda: not stage.target().in_flight, stage.target())
        stage.one.answers(200)
        self.assertEqual((await stage.get("/api")).status, 200)

    async def test_a_ratio_opens_it_too(self, via: Combination) -> None:
        breaker = {"failures": 1000, "ratio": 0.5, "min_volume": 10, "window": "30s"}
        stage = Stage(self, via, {"one": {"prefix": "/api", "circuit_breaker": breaker}})
        for number in range(10):
            stage.one.answers(500 if number % 2 else 200)
            await stage.get("/api")
        problem(self, await stage.get("/api"), 503, "breaker-open")

    async def test_it_can_be_switched_off(self, via: Combination) -> None:
        stage = Stage(self, via, {"one": {"prefix": "/api", "circuit_breaker": False}})
        stage.one.answers(500)
        self.assertEqual([(await stage.get("/api")).status for _ in range(10)], [500] * 10)

    async def test_health_tells_its_state(self, via: Combination) -> None:
        stage = await self._open(via)
        health = (await stage.get("/health")).body
        self.assertIn(b'"breaker": "open"', health)
        stage.one.answers(200)
        stage.advance(31)
        await stage.get("/api")
        self.assertIn(b'"breaker": "closed"', (await stage.get("/health")).body)
