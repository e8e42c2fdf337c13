"""Many targets: each strategy from its line of configuration on, clients that stay, targets that fail and come back."""

from __future__ import annotations

from collections import Counter
from functools import partial
from http.cookies import SimpleCookie
from typing import Any

from twisted.logger import ILogObserver, globalLogPublisher
from twisted.trial.unittest import TestCase

from apigateway.testing.steps import ReadAll
from apigateway.testing.wire import Message
from tests.behaviour.caller import Caller
from tests.behaviour.combinations import Combination, over_all_combinations
from tests.behaviour.stage import Stage, problem
from tests.behaviour.steps import Gate
from tests.behaviour.waiting import until

CHECK = {"interval": "50ms", "timeout": "30s", "unhealthy_after": 1, "healthy_after": 1}


def balanced(test: TestCase, via: Combination, balance: Any, **options: Any) -> Stage:
    """Three targets `a`, `b` and `c`, each answering with its name."""
    service = {"prefix": "/api", "targets": ["a", "b", "c"], "balance": balance, **options}
    stage = Stage(test, via, {"one": service}, trusted_proxies=["127.0.0.1"])
    for name in "abc":
        stage.services[name].answers(200, name.encode())
    return stage


def _is_clear(caller: Caller, gate: Gate) -> bool:
    """A request was answered, or somebody waits at the gate."""
    return bool(caller.finals or gate.waiting)


async def until_one_waits(stage: Stage, gate: Gate) -> None:
    """Ask until a request waits at the gate."""
    while not gate.waiting:
        caller = (await stage.call()).ask("GET", "/api")
        await until(partial(_is_clear, caller, gate), "an answer, or one who waits")


async def asked(stage: Stage, count: int, *fields: str, target: str = "/api") -> Counter[bytes]:
    """Who answers so many requests."""
    caller = await stage.call()
    return Counter([(await caller.get(target, *fields)).body for _ in range(count)])


@over_all_combinations
class StrategyTests(TestCase):
    async def test_round_robin_takes_turns(self, via: Combination) -> None:
        stage = balanced(self, via, "round-robin")
        self.assertEqual(await asked(stage, 9), {b"a": 3, b"b": 3, b"c": 3})

    async def test_least_requests_keeps_clear_of_who_is_busy(self, via: Combination) -> None:
        stage = balanced(self, via, "least-requests")
        gate = Gate()
        stage.services["a"].does(ReadAll(), gate)
        await until_one_waits(stage, gate)
        self.assertNotIn(b"a", await asked(stage, 30))
        self.assertEqual(stage.target().in_flight, 1)

    async def test_hashing_keeps_a_client_a_path_a_field_or_a_cookie_at_one_target(self, via: Combination) -> None:
        for key, fields in (
            ("client", "X-Forwarded-For: 192.0.2.{}"),
            ("header:X-Tenant", "X-Tenant: t{}"),
            ("cookie:session", "Cookie: a=b; session=s{}"),
            ("path", ""),
        ):
            stage = balanced(self, via, {"strategy": "hash", "key": key})
            targets: list[bytes] = []
            for number in range(12):
                target = f"/api/{number}" if key == "path" else "/api"
                got = await asked(stage, 3, *([fields.format(number)] if fields else []), target=target)
                self.assertEqual(len(got), 1, (key, number, got))
                targets += got
            self.assertGreater(len(set(targets)), 1, key)

    async def test_when_a_target_dies_only_its_keys_move_and_they_come_back_with_it(self, via: Combination) -> None:
        balance = {"strategy": "hash", "key": "header:X-Tenant", "slow_start": 0}
        stage = balanced(self, via, balance, health_check=CHECK)

        async def owners() -> list[bytes]:
            caller = await stage.call()
            return [(await caller.get("/api", f"X-Tenant: t{number}")).body for number in range(20)]

        before = await owners()
        stage.services["a"].answers(503)
        await until(lambda: not stage.target().health.healthy, stage.target())
        during = await owners()
        self.assertNotIn(b"a", during)
        self.assertEqual([one for one in before if one != b"a"], [
            now for one, now in zip(before, during, strict=True) if one != b"a"
        ])  # fmt: skip
        stage.services["a"].answers(200, b"a")
        await until(lambda: stage.target().health.healthy, stage.target())
        self.assertEqual(await owners(), before)

    async def test_latency_prefers_who_answers_soon(self, via: Combination) -> None:
        stage = balanced(self, via, {"strategy": "latency", "decay": "1h"})
        gate = Gate()
        stage.services["a"].does(ReadAll(), gate)
        await until_one_waits(stage, gate)
        stage.advance(5.0)
        stage.services["a"].answers(200, b"a")
        gate.waiting.pop().reset()
        await until(lambda: all(target.in_flight == 0 for target in stage.gateway.snapshot.services["one"].targets),
                    "the end of all")  # fmt: skip
        got = await asked(stage, 30)
        self.assertLessEqual(got[b"a"], 1, "it took five seconds once")
        latency = stage.target().latency
        assert latency is not None
        self.assertGreater(latency.seconds, 4.0)

    async def test_random_reaches_them_all(self, via: Combination) -> None:
        stage = balanced(self, via, "random")
        got: Counter[bytes] = Counter()
        while len(got) < 3:
            got += await asked(stage, 5)

    async def test_whatever_the_strategy_one_that_dies_costs_no_answer_and_comes_back(self, via: Combination) -> None:
        for strategy in ("round-robin", "least-requests", "hash", "latency", "random"):
            balance = {"strategy": strategy, "slow_start": 0, "key": "header:X-Key"}
            stage = balanced(self, via, balance, circuit_breaker={"failures": 1, "recovery": "30s"})
            caller = await stage.call()
            port = stage.port_of("b")
            await stage.close_service("b")
            for number in range(30):
                answer = await caller.get("/api", f"X-Key: k{number}")
                self.assertEqual(answer.status, 200, strategy)
                self.assertIn(answer.body, (b"a", b"c"), strategy)
            stage.open_service("b", port)
            stage.advance(31.0)
            seen = 0
            while stage.services["b"].requests == []:
                seen += 1
                await caller.get("/api", f"X-Key: k{seen}")


@over_all_combinations
class StickyTests(TestCase):
    BALANCE = {"strategy": "round-robin", "slow_start": 0, "sticky": {"cookie": "stay", "secret": "0123456789abcdef"}}

    def cookie(self, answer: Message) -> str:
        """What a browser would send from now on."""
        jar: SimpleCookie = SimpleCookie((answer.get(b"set-cookie") or b"").decode())
        self.assertTrue(jar["stay"]["httponly"])
        self.assertEqual((jar["stay"]["path"], jar["stay"]["samesite"]), ("/", "Lax"))
        return f"Cookie: theme=dark; stay={jar['stay'].value}"

    async def test_a_client_that_keeps_its_cookie_stays(self, via: Combination) -> None:
        stage = balanced(self, via, self.BALANCE)
        for _ in range(3):
            caller = await stage.call()
            first = await caller.get("/api")
            cookie = self.cookie(first)
            self.assertNotIn("127.0.0.1", cookie)
            for _ in range(4):
                answer = await caller.get("/api", cookie)
                self.assertEqual((answer.body, answer.get(b"set-cookie")), (first.body, None))
        self.assertEqual([len(stage.services[name].requests) for name in "abc"], [5, 5, 5])
        for name in "abc":
            for request in stage.services[name].requests[1:]:
                self.assertEqual(request.get(b"cookie"), b"theme=dark", "the service is not told of it")

    async def test_one_that_was_tampered_with_is_as_good_as_none(self, via: Combination) -> None:
        stage = balanced(self, via, self.BALANCE)
        cookie = self.cookie(await stage.get("/api"))
        forged = cookie[:-1] + ("A" if cookie[-1] != "A" else "B")
        caller = await stage.call()
        answers = [await caller.get("/api", forged) for _ in range(3)]
        self.assertEqual(len({answer.body for answer in answers}), 3)
        self.assertTrue(all(answer.get(b"set-cookie") for answer in answers))

    async def test_when_its_target_dies_it_moves_and_stays_at_the_next(self, via: Combination) -> None:
        stage = balanced(self, via, self.BALANCE)
        first = await stage.get("/api")
        cookie = self.cookie(first)
        await stage.close_service(first.body.decode())
        second = await stage.get("/api", cookie)
        self.assertNotEqual(second.body, first.body)
        moved = self.cookie(second)
        self.assertEqual({(await stage.get("/api", moved)).body for _ in range(4)}, {second.body})

    async def test_what_the_gateway_answers_itself_keeps_nobody(self, via: Combination) -> None:
        stage = balanced(self, via, self.BALANCE, retries=False)
        for name in "abc":
            await stage.close_service(name)
        answer = await stage.get("/api")
        problem(self, answer, 502, "connect-failed")
        self.assertIsNone(answer.get(b"set-cookie"))


@over_all_combinations
class StandingTests(TestCase):
    def setUp(self) -> None:
        self.events: list[dict[str, Any]] = []
        observer: ILogObserver = self.events.append  # type: ignore[assignment]  # a callable is one, says its interface
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def told(self, *words: str) -> list[str]:
        return [event["event"] for event in self.events if event.get("event") in words]

    async def test_one_that_is_well_again_gets_its_share_bit_by_bit(self, via: Combination) -> None:
        stage = balanced(self, via, "round-robin", health_check=CHECK).hold_time()
        stage.services["a"].answers(503, b"a")
        await until(lambda: stage.target().standing.word == "out", stage.target())
        stage.services["a"].answers(200, b"a")
        await until(lambda: stage.target().standing.word == "returning", stage.target())
        self.assertLess((await asked(stage, 30))[b"a"], 6)
        stage.advance(11.0)
        self.assertEqual((await asked(stage, 30))[b"a"], 10)

    async def test_one_that_fails_more_than_the_others_is_left_out_for_a_while(self, via: Combination) -> None:
        balance = {"strategy": "round-robin", "slow_start": 0}
        stage = balanced(self, via, balance, circuit_breaker=False, outliers={"min_attempts": 5}).hold_time()
        stage.services["b"].answers(500, b"b")
        self.assertEqual((await asked(stage, 30))[b"b"], 10)
        stage.advance(10.0)
        await until(lambda: stage.target(index=1).standing.is_ejected, stage.target(index=1))
        self.assertEqual((await asked(stage, 30))[b"b"], 0)
        stage.services["b"].answers(200, b"b")
        stage.advance(30.0)
        await until(lambda: not stage.target(index=1).standing.is_ejected, stage.target(index=1))
        self.assertEqual((await asked(stage, 30))[b"b"], 10)
        self.assertEqual(self.told("target-ejected", "target-returned"), ["target-ejected", "target-returned"])

    async def test_when_none_is_well_all_are_tried_and_that_shows(self, via: Combination) -> None:
        stage = balanced(self, via, "round-robin", health_check=CHECK)
        service = stage.gateway.snapshot.services["one"]
        for name in "abc":
            stage.services[name].answers(503, name.encode())
        await until(lambda: service.in_panic, service)
        self.assertEqual(len(await asked(stage, 9)), 3)
        self.assertIn(b'"panic": true', (await stage.get("/gateway/stats")).body)
        stage.services["c"].answers(200, b"c")
        await until(lambda: not service.in_panic, service)
        self.assertEqual(await asked(stage, 6), {b"c": 6})
        self.assertEqual(self.told("panic-began", "panic-ended"), ["panic-began", "panic-ended"])
