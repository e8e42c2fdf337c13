"""Further attempts over real sockets: after which failures and answers, with which bodies, and within which time."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import TestCase

from apigateway.testing.steps import Answer, Close, ReadAll, Respond
from tests.behaviour.combinations import Combination, needs, over_all_combinations
from tests.behaviour.stage import Stage, logged, problem
from tests.behaviour.steps import Gate
from tests.behaviour.waiting import a_moment, until

BUSY = {"statuses": [429, 503]}


def two(test: TestCase, via: Combination, log: str = "", **options: Any) -> Stage:
    """A service with targets `a` and `b`, asked by turns, `a` first."""
    service = {"prefix": "/api", "targets": ["a", "b"], "balance": "round-robin", **options}
    stage = Stage(test, via, {"one": service}, access_log={"file": log} if log else False)
    for name in "ab":
        stage.services[name].answers(200, name.encode())
    return stage


def asked(stage: Stage) -> list[int]:
    """How many requests each service has seen."""
    return [len(service.requests) for service in stage.services.values()]


@over_all_combinations
class StatusTests(TestCase):
    async def test_an_answer_stands_whatever_it_says_unless_it_is_worth_another_attempt(self, via: Combination) -> None:
        stage = two(self, via)
        stage.services["a"].answers(503, b"busy")
        answer = await stage.get("/api")
        self.assertEqual((answer.status, answer.body, asked(stage)), (503, b"busy", [1, 0]))

    async def test_one_that_is_gives_way_to_another_targets(self, via: Combination) -> None:
        log = self.mktemp()
        stage = two(self, via, log, retries=BUSY)
        for status in (429, 503):
            stage.services["a"].answers(status, b"busy" * 10_000)
            caller = await stage.call()
            for _ in range(2):
                self.assertEqual((await caller.get("/api")).body, b"b")
        lines = await logged(log, 4)
        self.assertTrue(all(line["status"] == 200 for line in lines))
        self.assertEqual(sorted(line["attempts"] for line in lines)[-2:], [2, 2])

    async def test_the_last_one_is_passed_on_as_it_is(self, via: Combination) -> None:
        stage = two(self, via, retries=BUSY)
        for name in "ab":
            stage.services[name].answers(503, name.encode() * 100_000, {"Retry-After": "0", "X-Name": name})
        answer = await stage.get("/api")
        last = answer.get(b"x-name")
        assert last is not None
        self.assertEqual((answer.status, answer.body, asked(stage)), (503, last * 100_000, [1, 1]))

    async def test_and_none_is_lost_when_the_budget_is_used_up(self, via: Combination) -> None:
        stage = two(self, via, retries={**BUSY, "budget": 0, "min_per_second": 0})
        stage.services["a"].answers(503, b"busy")
        answer = await stage.get("/api")
        self.assertEqual((answer.status, answer.body, asked(stage)), (503, b"busy", [1, 0]))
        self.assertEqual(stage.gateway.snapshot.services["one"].counts.refused, 1)

    async def test_a_pause_that_is_asked_for_is_made(self, via: Combination) -> None:
        stage = two(self, via, retries=BUSY)
        stage.services["a"].answers(503, b"busy", {"Retry-After": "1"})
        caller, began = await stage.call(), stage.now()
        self.assertEqual((await caller.get("/api")).body, b"b")
        self.assertEqual(asked(stage), [1, 1])
        self.assertGreater(stage.now() - began, 0.99, "the reactor's clock and ours may differ a little")

    async def test_one_that_is_too_long_is_told_to_the_client(self, via: Combination) -> None:
        stage = two(self, via, retries=BUSY, timeouts={"total": "5s"})
        stage.services["a"].answers(503, b"busy", {"Retry-After": "6"})
        answer = await stage.get("/api")
        self.assertEqual((answer.status, answer.get(b"retry-after"), asked(stage)), (503, b"6", [1, 0]))

    async def test_one_target_is_asked_again(self, via: Combination) -> None:
        stage = Stage(self, via, {"one": {"prefix": "/api", "retries": BUSY}})
        stage.one.script(ReadAll(), Answer(503, b"busy"))
        stage.one.answers(200, b"fine")
        self.assertEqual((await stage.get("/api")).body, b"fine")

    async def test_a_request_that_must_not_be_sent_twice_is_not(self, via: Combination) -> None:
        stage = two(self, via, retries=BUSY)
        for name in "ab":
            stage.services[name].answers(503)
        self.assertEqual(((await stage.ask("POST", "/api", body=b"x")).status, sum(asked(stage))), (503, 1))


@over_all_combinations
class BrokenOffTests(TestCase):
    async def test_nothing_is_tried_again_after_the_first_byte_of_an_answer(self, via: Combination) -> None:
        for begun in (b"HTTP/1.1 200 OK\r\nContent-Le", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"):
            stage = two(self, via)
            stage.services["a"].does(ReadAll(), Respond(begun), Close())
            problem(self, await stage.get("/api"), 502, "connection-lost")
            self.assertEqual(asked(stage), [1, 0])


@over_all_combinations
class OneTargetTests(TestCase):
    async def test_a_service_that_is_not_there_is_looked_for_once_more(self, via: Combination) -> None:
        log = self.mktemp()
        stage = Stage(self, via, access_log={"file": log})
        await stage.close_service()
        for method in ("GET", "POST"):
            problem(self, await stage.ask(method, "/api"), 502, "connect-failed")
        self.assertEqual([line["attempts"] for line in await logged(log, 2)], [2, 2])

    async def test_its_breaker_counts_requests_not_attempts(self, via: Combination) -> None:
        stage = Stage(self, via)
        await stage.close_service()
        for _ in range(5):
            problem(self, await stage.get("/api"), 502, "connect-failed")
        problem(self, await stage.get("/api"), 503, "breaker-open")


@over_all_combinations
class BodyTests(TestCase):
    async def test_a_small_body_is_sent_again_whole(self, via: Combination) -> None:
        for fields, size in (((), 60_000), (("Transfer-Encoding: chunked",), 0)):
            stage = two(self, via)
            stage.services["a"].does(ReadAll(), Close())
            body = b"x" * size
            caller = (await stage.call()).ask("PUT", "/api", *fields, body=body)
            if fields:
                body = b"some of it, and the rest"
                caller.send(b"b\r\nsome of it,\r\nd\r\n and the rest\r\n0\r\n\r\n")
            self.assertEqual((await caller.answer()).body, b"b")
            self.assertEqual([stage.services[name].requests[0].body for name in "ab"], [body, body])

    async def test_a_large_one_is_not(self, via: Combination) -> None:
        stage = two(self, via)
        stage.services["a"].does(ReadAll(), Close())
        problem(self, await stage.ask("PUT", "/api", body=b"x" * 70_000), 502, "connection-lost")
        self.assertEqual(asked(stage), [1, 0])

    @needs("streamed uploads")
    async def test_one_that_is_still_coming_goes_on_at_the_other_target(self, via: Combination) -> None:
        stage = two(self, via)
        gate = Gate()
        stage.services["a"].does(gate, Close())
        caller = (await stage.call()).ask("PUT", "/api", "Transfer-Encoding: chunked").send(b"3\r\none\r\n")
        await until(lambda: gate.waiting and stage.services["a"].requests[0].size == 3, "the first piece")
        gate.open()
        await until(lambda: asked(stage)[1] and stage.services["b"].requests[0].size == 3, "the first piece again")
        caller.send(b"3\r\ntwo\r\n0\r\n\r\n")
        self.assertEqual((await caller.answer()).body, b"b")
        self.assertEqual(stage.services["b"].requests[0].body, b"onetwo")

    async def test_a_route_may_let_other_methods_be_repeated(self, via: Combination) -> None:
        routes = [{"path": "/search", "retries": {"methods": ["POST"], "statuses": [503]}}, {"path": "/orders"}]
        service = {"routes": routes, "targets": ["a", "b"], "balance": "round-robin"}
        stage = Stage(self, via, {"one": service})
        stage.services["a"].answers(503)
        stage.services["b"].answers(200, b"b")
        self.assertEqual((await stage.ask("POST", "/search", body=b"what")).body, b"b")
        self.assertEqual(stage.services["b"].requests[0].body, b"what")
        statuses = sorted([(await stage.ask("POST", "/orders", body=b"what")).status for _ in range(2)])
        self.assertEqual(statuses, [200, 503])


@over_all_combinations
class TimeTests(TestCase):
    async def test_all_attempts_together_may_have_a_time(self, via: Combination) -> None:
        stage = two(self, via, timeouts={"total": "20s"}).hold_time()
        for name in "ab":
            stage.services[name].does(ReadAll(), Gate())
        caller = (await stage.call()).ask("GET", "/api")
        await until(lambda: sum(asked(stage)), "the first attempt")
        stage.advance(19)
        await a_moment()
        self.assertEqual(caller.finals, [])
        stage.advance(1)
        problem(self, await caller.answer(), 504, "total-timeout")
        self.assertEqual(sum(asked(stage)), 1)

    async def test_a_long_answer_may_take_longer(self, via: Combination) -> None:
        stage = Stage(self, via, {"one": {"prefix": "/api", "timeouts": {"total": "10s"}}}).hold_time()
        stage.one.does(ReadAll(), Respond(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n12"))
        caller = (await stage.call()).ask("GET", "/api")
        await caller.received(b"12")
        stage.advance(20)
        await a_moment()
        stage.one.connections[0].write(b"34")
        self.assertEqual((await caller.answer()).body, b"1234")

    async def test_an_attempt_that_takes_too_long_may_be_followed_by_another(self, via: Combination) -> None:
        stage = two(self, via, timeouts={"response": "5s", "total": "20s"}, retries={"timeouts": True}).hold_time()
        stage.services["a"].does(ReadAll(), Gate())
        caller = (await stage.call()).ask("GET", "/api")
        await until(lambda: asked(stage)[0], "the first attempt")
        stage.advance(5)
        self.assertEqual((await caller.answer()).body, b"b")

    async def test_a_route_may_have_times_of_its_own(self, via: Combination) -> None:
        routes = [{"path": "/quick", "timeouts": {"response": "5s"}}, {"path": "/slow"}]
        stage = Stage(self, via, {"one": {"routes": routes}}).hold_time()
        gate = Gate()
        stage.one.does(ReadAll(), gate, Answer(200, b"done"))
        quick = (await stage.call()).ask("GET", "/quick")
        await until(lambda: gate.waiting, gate)
        stage.advance(5)
        problem(self, await quick.answer(), 504, "response-timeout")
        caller = (await stage.call()).ask("GET", "/slow")
        await until(lambda: len(gate.waiting) > 1, gate)
        stage.advance(20)
        await a_moment()
        gate.open()
        self.assertEqual((await caller.answer()).body, b"done")

    async def test_the_service_is_told_how_much_time_is_left(self, via: Combination) -> None:
        options = {"prefix": "/api", "deadline_header": "X-Time-Left-Ms", "timeouts": {"total": "10s"}}
        stage = Stage(self, via, {"one": options}).hold_time()
        await stage.get("/api", "X-Time-Left-Ms: 1", "x_time_left_ms: 1")
        (value,) = [value for name, value in (await stage.request(0)).fields
                    if name.lower().replace(b"_", b"-") == b"x-time-left-ms"]  # fmt: skip
        self.assertTrue(9000 < int(value) <= 10_000, value)

    async def test_a_trusted_proxy_may_leave_less(self, via: Combination) -> None:
        options = {"prefix": "/api", "deadline_header": "X-Time-Left-Ms"}
        stage = Stage(self, via, {"one": options}, trusted_proxies=["127.0.0.1"]).hold_time()
        stage.one.does(ReadAll(), Gate())
        caller = (await stage.call()).ask("GET", "/api", "X-Time-Left-Ms: 80")
        told = int((await stage.request()).get(b"x-time-left-ms") or b"-1")
        self.assertTrue(0 < told <= 80, told)
        stage.advance(0.08)
        problem(self, await caller.answer(), 504, "total-timeout")


@over_all_combinations
class PageTests(TestCase):
    async def test_statistics_and_metrics_tell_of_them(self, via: Combination) -> None:
        stage = two(self, via, retries={**BUSY, "budget": 0, "min_per_second": 0.1})
        stage.services["a"].answers(503)
        stage.services["b"].answers(503)
        for _ in range(3):
            await stage.get("/api")
        stats = json.loads((await stage.get("/gateway/stats")).body)
        self.assertEqual(stats["services"]["one"]["further_attempts"],
                         {"retries": 1, "refused": 2, "hedges": 0, "hedges_won": 0})  # fmt: skip
        metrics = (await stage.get("/gateway/metrics")).body
        self.assertIn(b'apigateway_retries_total{service="one"} 1\n', metrics)
        self.assertIn(b'apigateway_retries_refused_total{service="one"} 2\n', metrics)
