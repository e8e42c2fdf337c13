"""The gateway's own pages, and who may see them."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import TestCase

from apigateway.testing.wire import Message
from tests.behaviour.caller import Caller
from tests.behaviour.combinations import Combination, needs, only, over_all_combinations
from tests.behaviour.stage import Stage, problem
from tests.behaviour.steps import Gate
from tests.behaviour.waiting import until


def shown(answer: Message) -> Any:
    """What a page of JSON says."""
    return json.loads(answer.body)


@over_all_combinations
class OpenPageTests(TestCase):
    async def test_the_root_says_who_is_there(self, via: Combination) -> None:
        about = shown(await Stage(self, via).get("/"))
        self.assertEqual((about["name"], about["status"]), ("apigateway", "running"))
        self.assertIn("version", about)

    async def test_it_lives_and_is_ready(self, via: Combination) -> None:
        stage = Stage(self, via)
        for page in ("/health", "/health/live", "/health/ready"):
            self.assertEqual((await stage.get(page)).status, 200, page)

    async def test_it_is_not_ready_when_no_service_can_be_reached(self, via: Combination) -> None:
        check = {"interval": "50ms", "timeout": "40ms", "unhealthy_after": 1}
        breaker = {"failures": 1}
        stage = Stage(self, via, {"one": {"prefix": "/api", "health_check": check, "circuit_breaker": breaker}})
        stage.one.answers(500)
        await until(lambda: not stage.target().health.healthy, stage.target())
        self.assertEqual((await stage.get("/health/ready")).status, 200, "it is tried all the same")
        self.assertEqual((await stage.get("/api/x")).status, 500)
        self.assertEqual((await stage.get("/health/ready")).status, 503)
        self.assertEqual((await stage.get("/health/live")).status, 200)
        health = await stage.get("/health")
        self.assertEqual((health.status, shown(health)["status"]), (503, "unhealthy"))

    async def test_head_gets_the_head_and_others_are_refused(self, via: Combination) -> None:
        stage = Stage(self, via)
        caller = await stage.call()
        head = await caller.ask("HEAD", "/health").answer()
        self.assertEqual((head.status, head.body), (200, b""))
        for method in ("POST", "PUT", "DELETE"):
            answer = await caller.ask(method, "/health").answer()
            self.assertEqual((answer.status, answer.get(b"allow")), (405, b"GET, HEAD"))
            self.assertEqual(answer.get(b"content-type"), b"application/problem+json")

    async def test_a_strange_page_is_not_found(self, via: Combination) -> None:
        stage = Stage(self, via)
        for page in ("/health/none", "/gateway/none"):
            answer = await stage.get(page)
            self.assertEqual((answer.status, json.loads(answer.body)["cause"]), (404, "no-route"))


@over_all_combinations
class AdminPageTests(TestCase):
    PAGES = ("/gateway", "/gateway/stats", "/gateway/metrics")

    async def _statuses(self, caller: Caller, *fields: str) -> list[int]:
        return [(await caller.get(page, *fields)).status for page in self.PAGES]

    async def test_callers_from_this_machine_see_them(self, via: Combination) -> None:
        stage = Stage(self, via)
        self.assertEqual(await self._statuses(await stage.call()), [200] * 3)

    async def test_nobody_for_whom_a_request_was_forwarded_does(self, via: Combination) -> None:
        stage = Stage(self, via)
        caller = await stage.call()
        for field in (
            "X-Forwarded-For: 127.0.0.1",
            "X-Forwarded-Host: here",
            "Forwarded: for=127.0.0.1",
            "X-Real-IP: 127.0.0.1",
            "X_Forwarded_For: 127.0.0.1",
            "Via: 1.1 other",
        ):
            self.assertEqual(await self._statuses(caller, field), [403] * 3, field)

    @needs("problems where no route is")
    async def test_the_refusal_is_a_problem(self, via: Combination) -> None:
        stage = Stage(self, via)
        problem(self, await stage.get("/gateway/stats", "X-Forwarded-For: 127.0.0.1"), 403, "forbidden")

    async def test_the_token_opens_them_to_everybody(self, via: Combination) -> None:
        token = "0123456789abcdef0123456789abcdef"
        stage = Stage(self, via, admin={"token": token, "allow": []})
        caller = await stage.call()
        self.assertEqual(await self._statuses(caller), [403] * 3)
        self.assertEqual(await self._statuses(caller, f"Authorization: Bearer {token}"), [200] * 3)
        for wrong in ("", "x", token[:-1], token + "0"):
            self.assertEqual(await self._statuses(caller, f"Authorization: Bearer {wrong}"), [403] * 3)

    @only("channel")
    async def test_behind_a_trusted_proxy_the_client_counts(self, via: Combination) -> None:
        stage = Stage(self, via, trusted_proxies=["127.0.0.0/8"])
        caller = await stage.call()
        self.assertEqual(await self._statuses(caller, "X-Forwarded-For: 198.51.100.7"), [403] * 3)
        self.assertEqual(await self._statuses(caller, "X-Forwarded-For: 127.0.0.9"), [200] * 3)

    async def test_addresses_of_targets_are_shown_to_those_only(self, via: Combination) -> None:
        stage = Stage(self, via)
        address = f"127.0.0.1:{stage.port_of()}".encode()
        self.assertIn(address, (await stage.get("/health")).body)
        self.assertNotIn(address, (await stage.get("/health", "X-Forwarded-For: 198.51.100.7")).body)

    async def test_statistics_count_what_happened(self, via: Combination) -> None:
        stage = Stage(self, via, {"one": {"prefix": "/api", "rate_limit": {"limit": 3}}})
        caller = await stage.call()
        for _ in range(3):
            await caller.ask("POST", "/api", body=b"12345").answer()
        await caller.get("/api")
        one = shown(await caller.get("/gateway/stats"))["since_start"]["services"]["one"]
        self.assertEqual((one["requests"], one["statuses"]), (4, {"2xx": 3, "4xx": 1}))
        self.assertEqual((one["causes"], one["bytes_in"]), ({"rate-limited": 1}, 15))

    async def test_metrics_are_for_prometheus(self, via: Combination) -> None:
        stage = Stage(self, via)
        await stage.get("/api")
        answer = await stage.get("/gateway/metrics")
        self.assertTrue((answer.get(b"content-type") or b"").startswith(b"text/plain; version=0.0.4"))
        self.assertIn(b'service="one"', answer.body)

    async def test_what_is_under_way_is_seen(self, via: Combination) -> None:
        stage = Stage(self, via)
        gate = Gate()
        stage.one.does(gate)
        (await stage.call()).ask("GET", "/api")
        await until(lambda: gate.waiting, gate)
        stats = shown(await stage.get("/gateway/stats"))
        self.assertEqual(stats["services"]["one"]["in_flight"], 1)
