"""Services with several targets: shares, further attempts, health, and what stands in when all is lost."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase

from apigateway.testing.steps import Answer, Close, ReadAll, Respond
from apigateway.testing.wire import Message
from tests.behaviour.combinations import Combination, over_all_combinations
from tests.behaviour.stage import Stage, logged, problem
from tests.behaviour.steps import Gate
from tests.behaviour.waiting import a_moment, until


def several(test: TestCase, via: Combination, *names: str, **options: Any) -> Stage:
    """A service with targets of these names, which take turns, each answering with its own."""
    turns = {"strategy": "round-robin", "slow_start": 0}
    stage = Stage(test, via, {"one": {"prefix": "/api", "targets": list(names), "balance": turns, **options}})
    for name in names:
        stage.services[name].answers(200, name.encode())
    return stage


@over_all_combinations
class BalanceTests(TestCase):
    async def test_targets_take_turns(self, via: Combination) -> None:
        stage = several(self, via, "a", "b", "c")
        bodies = [(await stage.get("/api")).body for _ in range(6)]
        self.assertEqual(bodies[:3], bodies[3:])
        self.assertEqual(sorted(bodies[:3]), [b"a", b"b", b"c"])

    async def test_weights_give_shares(self, via: Combination) -> None:
        stage = several(self, via, "a", "b")
        ports = [stage.port_of(name) for name in "ab"]
        weighted = [
            {"url": f"http://127.0.0.1:{port}", "weight": weight} for port, weight in zip(ports, (3, 1), strict=True)
        ]
        shares = Stage(self, via, {"one": {"prefix": "/api", "targets": weighted, "balance": "round-robin"}})
        bodies = [(await shares.get("/api")).body for _ in range(8)]
        self.assertEqual((bodies.count(b"a"), bodies.count(b"b")), (6, 2))


@over_all_combinations
class RetryTests(TestCase):
    async def test_a_target_that_is_not_there_is_stepped_over(self, via: Combination) -> None:
        stage = several(self, via, "a", "b")
        await stage.close_service("a")
        for method in ("GET", "POST", "PUT"):
            for _ in range(2):
                self.assertEqual((await stage.ask(method, "/api", body=b"x" * 10)).body, b"b")

    async def test_a_request_that_may_have_been_seen_is_tried_again_only_if_it_may_be_repeated(
        self, via: Combination
    ) -> None:
        for method, times in {"GET": 2, "PUT": 2, "POST": 1, "PATCH": 1}.items():
            stage = several(self, via, "a", "b")
            for name in "ab":
                stage.services[name].does(ReadAll(), Close())
            problem(self, await stage.ask(method, "/api"), 502, "connection-lost")
            self.assertEqual(sum(len(stage.services[name].requests) for name in "ab"), times, method)

    async def test_a_request_whose_body_is_spent_is_not_tried_again(self, via: Combination) -> None:
        stage = several(self, via, "a", "b", retries={"replay": 100})
        for name in "ab":
            stage.services[name].does(ReadAll(), Close())
        problem(self, await stage.ask("PUT", "/api", body=b"x" * 101), 502, "connection-lost")
        self.assertEqual(sum(len(stage.services[name].requests) for name in "ab"), 1)

    async def test_there_is_one_further_attempt(self, via: Combination) -> None:
        stage = several(self, via, "a", "b", "c")
        for name in ("a", "b", "c"):
            await stage.close_service(name)
        problem(self, await stage.get("/api"), 502, "connect-failed")
        self.assertEqual(sum(stage.target(index=index).attempts for index in range(3)), 2)

    async def test_further_attempts_can_be_switched_off(self, via: Combination) -> None:
        stage = several(self, via, "a", "b", retries=False, circuit_breaker=False)
        await stage.close_service("a")
        statuses = [(await stage.get("/api")).status for _ in range(4)]
        self.assertEqual(sorted(statuses), [200, 200, 502, 502])

    async def test_an_open_breaker_is_stepped_over(self, via: Combination) -> None:
        stage = several(self, via, "a", "b", circuit_breaker={"failures": 1})
        stage.services["a"].answers(500)
        statuses = [(await stage.get("/api")).status for _ in range(8)]
        self.assertEqual((statuses.count(500), statuses.count(200)), (1, 7))


@over_all_combinations
class HealthCheckTests(TestCase):
    CHECK = {"interval": "50ms", "timeout": "30s", "unhealthy_after": 1, "healthy_after": 1}

    async def test_an_unhealthy_target_is_passed_over_until_it_is_well(self, via: Combination) -> None:
        stage = several(self, via, "a", "b", health_check=self.CHECK)
        stage.services["a"].answers(503, b"a")
        await until(lambda: not stage.target().health.healthy, stage.target())
        self.assertEqual([(await stage.get("/api")).body for _ in range(4)], [b"b"] * 4)
        stage.services["a"].answers(200, b"a")
        await until(lambda: stage.target().health.healthy, stage.target())
        self.assertEqual({(await stage.get("/api")).body for _ in range(4)}, {b"a", b"b"})

    async def test_a_target_that_says_nothing_is_unhealthy(self, via: Combination) -> None:
        stage = several(self, via, "a", health_check={**self.CHECK, "timeout": "40ms"})
        stage.one.does(ReadAll(), Gate())
        await until(lambda: not stage.target().health.healthy, stage.target())

    async def test_when_all_are_unhealthy_they_are_used_all_the_same(self, via: Combination) -> None:
        stage = several(self, via, "a", health_check={**self.CHECK, "path": "/well?"})
        stage.one.answers(500, b"ill")
        await until(lambda: not stage.target().health.healthy, stage.target())
        self.assertEqual((await stage.get("/api")).body, b"ill")

    async def test_probes_ask_as_they_are_told_to(self, via: Combination) -> None:
        stage = several(self, via, "a", health_check={**self.CHECK, "path": "/well", "statuses": [404]})
        stage.one.answers(404)
        await until(lambda: stage.target().health.checked, stage.target())
        self.assertTrue(stage.target().health.healthy)
        self.assertEqual((stage.one.requests[0].method, stage.one.requests[0].target), ("GET", "/well"))

    async def test_health_tells_of_it(self, via: Combination) -> None:
        stage = several(self, via, "a", "b", health_check=self.CHECK)
        stage.services["a"].answers(503)
        await until(lambda: not stage.target().health.healthy, stage.target())
        answer = await stage.get("/health")
        self.assertEqual(answer.status, 200)
        self.assertIn(b'"status": "degraded"', answer.body)


@over_all_combinations
class FallbackTests(TestCase):
    STATIC = {"status": 200, "headers": {"Content-Type": "application/json"}, "body": '{"items": []}'}

    def _stage(self, via: Combination, fallback: dict[str, Any], log: str = "", **options: Any) -> Stage:
        services = {"one": {"prefix": "/api", "fallback": fallback, **options}, "spare": {"prefix": "/spare"}}
        stage = Stage(self, via, services, access_log={"file": log} if log else False)
        stage.services["spare"].answers(203, b"from the spare")
        return stage

    def _is_static(self, answer: Message) -> None:
        self.assertEqual((answer.status, answer.body), (200, b'{"items": []}'))
        self.assertEqual(answer.get(b"content-type"), b"application/json")
        self.assertEqual(answer.get(b"x-gateway-fallback"), b"static")
        self.assertTrue(answer.get(b"x-request-id"))

    async def test_a_fixed_answer_stands_in_for_a_service_that_is_not_there(self, via: Combination) -> None:
        stage = self._stage(via, self.STATIC)
        await stage.close_service()
        for _ in range(7):
            self._is_static(await stage.get("/api"))

    async def test_it_stands_in_for_the_services_own_failure_to_serve(self, via: Combination) -> None:
        for status in (502, 503, 504):
            stage = self._stage(via, self.STATIC)
            stage.one.answers(status, b"x" * 100)
            caller = await stage.call()
            self._is_static(await caller.get("/api"))
            self._is_static(await caller.ask("POST", "/api", body=b"order").answer())

    async def test_it_stands_in_for_one_that_is_too_slow(self, via: Combination) -> None:
        stage = self._stage(via, self.STATIC, timeouts={"response": "20ms"})
        stage.one.does(ReadAll(), Gate())
        self._is_static(await stage.get("/api"))

    async def test_other_failures_of_the_service_are_its_own_business(self, via: Combination) -> None:
        stage = self._stage(via, self.STATIC)
        for status in (500, 501, 404, 429):
            stage.one.answers(status, b"mine")
            answer = await stage.get("/api")
            self.assertEqual((answer.status, answer.body, answer.get(b"x-gateway-fallback")), (status, b"mine", None))

    async def test_refusals_of_the_gateway_stay_refusals(self, via: Combination) -> None:
        stage = self._stage(via, self.STATIC, rate_limit={"limit": 1})
        await stage.get("/api")
        problem(self, await stage.get("/api"), 429, "rate-limited")

    async def test_half_an_answer_is_not_replaced(self, via: Combination) -> None:
        stage = self._stage(via, self.STATIC)
        stage.one.does(ReadAll(), Respond(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"), Close())
        message = await (await stage.call()).ask("GET", "/api").broken()
        self.assertEqual((message.status, message.body), (200, b"12345"))

    async def test_the_log_tells_of_it_and_of_the_failure(self, via: Combination) -> None:
        log = self.mktemp()
        stage = self._stage(via, self.STATIC, log)
        await stage.close_service()
        await stage.get("/api")
        entry = (await logged(log, 1))[0]
        self.assertEqual((entry["status"], entry["cause"], entry["fallback"]), (200, "connect-failed", True))

    async def test_another_service_can_stand_in(self, via: Combination) -> None:
        stage = self._stage(via, {"service": "spare"})
        await stage.close_service()
        answer = await stage.get("/api/x?y")
        self.assertEqual((answer.status, answer.body), (203, b"from the spare"))
        self.assertEqual(answer.get(b"x-gateway-fallback"), b"spare")
        self.assertEqual(stage.services["spare"].requests[0].target, "/api/x?y")

    async def test_another_service_can_stand_in_for_a_failing_one(self, via: Combination) -> None:
        stage = self._stage(via, {"service": "spare"})
        stage.one.does(ReadAll(), Answer(503, b"x" * 100_000))
        caller = await stage.call()
        for _ in range(8):
            self.assertEqual((await caller.get("/api")).body, b"from the spare")
        await a_moment()
        self.assertEqual(len(stage.one.requests), 5)

    async def test_when_the_other_fails_too_that_is_the_end(self, via: Combination) -> None:
        stage = self._stage(via, {"service": "spare"})
        await stage.close_service("one")
        await stage.close_service("spare")
        problem(self, await stage.get("/api"), 502, "connect-failed")

    async def test_a_body_that_is_spent_cannot_be_sent_to_another(self, via: Combination) -> None:
        stage = self._stage(via, {"service": "spare"})
        stage.one.answers(503, b"mine")
        answer = await stage.ask("POST", "/api", body=b"order")
        self.assertEqual((answer.status, answer.body), (503, b"mine"))
        self.assertEqual(stage.services["spare"].requests, [])
