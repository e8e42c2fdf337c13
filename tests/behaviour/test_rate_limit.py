"""Rate limits as clients meet them: who is counted, where, what a refusal says and when it is over."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase

from tests.behaviour.caller import Caller
from tests.behaviour.combinations import Combination, over_all_combinations
from tests.behaviour.stage import Stage, problem

TRUSTING = ["127.0.0.0/8"]


def limited(test: TestCase, via: Combination, **limit: Any) -> Stage:
    """The usual service with a rate limit, behind a proxy that is believed."""
    return Stage(test, via, {"one": {"prefix": "/api", "rate_limit": limit}}, trusted_proxies=TRUSTING).hold_time()


async def statuses(caller: Caller, count: int, target: str = "/api", *fields: str) -> list[int]:
    """What so many requests are answered."""
    return [(await caller.get(target, *fields)).status for _ in range(count)]


@over_all_combinations
class RateLimitTests(TestCase):
    async def test_by_default_a_client_may_ask_a_service_100_times_a_minute(self, via: Combination) -> None:
        stage = Stage(self, via, {"one": {"prefix": "/api", "rate_limit": {}}}).hold_time()
        caller = await stage.call()
        self.assertEqual(await statuses(caller, 100), [200] * 100)
        answer = await caller.get("/api")
        problem(self, answer, 429, "rate-limited")
        self.assertEqual(len(stage.one.requests), 100)

    async def test_retry_after_is_true(self, via: Combination) -> None:
        stage = limited(self, via, limit=3, window="60s")
        caller = await stage.call()
        for _ in range(3):
            await caller.get("/api")
            stage.advance(10)
        answer = await caller.get("/api")
        problem(self, answer, 429, "rate-limited")
        wait = int(answer.get(b"retry-after") or b"")
        self.assertLessEqual(wait, 31)
        stage.advance(wait)
        self.assertEqual(await statuses(caller, 2), [200, 429])

    async def test_it_recovers_gradually(self, via: Combination) -> None:
        stage = limited(self, via, limit=2, window="60s")
        caller = await stage.call()
        await caller.get("/api")
        stage.advance(40)
        self.assertEqual(await statuses(caller, 2), [200, 429])
        stage.advance(25)
        self.assertEqual(await statuses(caller, 2), [200, 429])

    async def test_what_is_refused_does_not_count(self, via: Combination) -> None:
        stage = limited(self, via, limit=1, window="60s")
        caller = await stage.call()
        await caller.get("/api")
        for _ in range(5):
            stage.advance(11)
            await caller.get("/api")
        stage.advance(10)
        self.assertEqual((await caller.get("/api")).status, 200)

    async def test_answers_tell_what_is_left(self, via: Combination) -> None:
        stage = limited(self, via, limit=2, window="60s")
        caller = await stage.call()
        first, second, third = [await caller.get("/api") for _ in range(3)]
        for answer, left in ((first, b"r=1"), (second, b"r=0"), (third, b"r=0")):
            self.assertEqual(answer.get(b"ratelimit-policy"), b'"60s";q=2;w=60')
            self.assertIn(left, answer.get(b"ratelimit") or b"")

    async def test_each_client_is_counted_for_itself(self, via: Combination) -> None:
        stage = limited(self, via, limit=1)
        caller = await stage.call()
        for client in ("198.51.100.1", "198.51.100.2", "2001:db8::1", "2001:db8:0:1::1"):
            self.assertEqual(await statuses(caller, 2, "/api", f"X-Forwarded-For: {client}"), [200, 429])

    async def test_addresses_of_one_ipv6_network_are_one_client(self, via: Combination) -> None:
        stage = limited(self, via, limit=1)
        caller = await stage.call()
        self.assertEqual(await statuses(caller, 1, "/api", "X-Forwarded-For: 2001:db8::1"), [200])
        self.assertEqual(await statuses(caller, 1, "/api", "X-Forwarded-For: 2001:db8::2:3:4"), [429])

    async def test_nobody_can_be_somebody_else_by_saying_so(self, via: Combination) -> None:
        stage = Stage(self, via, {"one": {"prefix": "/api", "rate_limit": {"limit": 1}}}).hold_time()
        caller = await stage.call()
        self.assertEqual(await statuses(caller, 1, "/api", "X-Forwarded-For: 198.51.100.1"), [200])
        self.assertEqual(await statuses(caller, 1, "/api", "X-Forwarded-For: 198.51.100.2"), [429])

    async def test_all_connections_of_a_client_count_together(self, via: Combination) -> None:
        stage = limited(self, via, limit=2)
        self.assertEqual([(await stage.get("/api")).status for _ in range(3)], [200, 200, 429])

    async def test_a_field_can_be_what_is_counted(self, via: Combination) -> None:
        stage = limited(self, via, limit=1, key="header:X-Api-Key")
        caller = await stage.call()
        self.assertEqual(await statuses(caller, 2, "/api", "X-Api-Key: a"), [200, 429])
        self.assertEqual(await statuses(caller, 2, "/api", "X-Api-Key: b"), [200, 429])
        self.assertEqual(await statuses(caller, 2), [200, 429])

    async def test_each_service_counts_for_itself(self, via: Combination) -> None:
        limit = {"rate_limit": {"limit": 1}}
        stage = Stage(self, via, {"one": {"prefix": "/one", **limit}, "two": {"prefix": "/two", **limit}}).hold_time()
        caller = await stage.call()
        self.assertEqual(await statuses(caller, 2, "/one"), [200, 429])
        self.assertEqual(await statuses(caller, 2, "/two"), [200, 429])

    async def test_a_route_with_a_limit_of_its_own_counts_for_itself(self, via: Combination) -> None:
        routes = [{"path": "/api"}, {"path": "/api/dear", "rate_limit": {"limit": 1}}]
        stage = Stage(self, via, {"one": {"routes": routes, "rate_limit": {"limit": 3}}}).hold_time()
        caller = await stage.call()
        self.assertEqual(await statuses(caller, 2, "/api/dear"), [200, 429])
        self.assertEqual(await statuses(caller, 4), [200, 200, 200, 429])

    async def test_several_windows_hold_at_once(self, via: Combination) -> None:
        windows = [{"limit": 2, "window": "1s"}, {"limit": 3, "window": "1h"}]
        stage = Stage(self, via, {"one": {"prefix": "/api", "rate_limit": windows}}).hold_time()
        caller = await stage.call()
        self.assertEqual(await statuses(caller, 3), [200, 200, 429])
        stage.advance(2)
        self.assertEqual(await statuses(caller, 2), [200, 429])
        refused = await caller.get("/api")
        self.assertGreater(int(refused.get(b"retry-after") or b""), 3500)

    async def test_a_refusal_needs_no_service(self, via: Combination) -> None:
        stage = limited(self, via, limit=1)
        await stage.get("/api")
        await stage.close_service()
        problem(self, await stage.get("/api"), 429, "rate-limited")

    async def test_a_refused_body_is_not_awaited(self, via: Combination) -> None:
        stage = limited(self, via, limit=1)
        await stage.get("/api")
        caller = await stage.call()
        problem(self, await caller.ask("POST", "/api", body=b"x" * 100).answer(), 429, "rate-limited")
