"""Traffic that is split: canaries by field, by cookie and by share, and what is theirs and what the route's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import TestCase

from apigateway.config.model import SplitRule
from tests.behaviour.combinations import CHANNEL, Combination, only, over_all_combinations
from tests.behaviour.load import Load
from tests.behaviour.stage import Options, Stage, logged, problem

NATIVE = Combination("channel", "native")

RULES: list[dict[str, Any]] = [
    {"service": "next", "headers": {"X-Canary": "always"}},
    {"service": "one", "headers": {"X-Canary": "never"}},
    {"service": "next", "cookie": {"canary": "yes"}},
]


def split(
    test: TestCase,
    via: Combination,
    rules: list[dict[str, Any]],
    next: Options | None = None,
    one: Options | None = None,
    **top: Any,
) -> Stage:
    """A service `one` at `/api`, and a service `next` without a route; each answers with its name."""
    services: dict[str, Options] = {"one": {"prefix": "/api", "split": rules, **(one or {})}, "next": next or {}}
    stage = Stage(test, via, services, **top)
    for name, service in stage.services.items():
        service.answers(200, name.encode())
    return stage


async def change(stage: Stage, *rules: SplitRule, **next: Any) -> None:
    """Reload with another split, and other options for the other service."""
    one, other = stage.configuration.services
    routes = (replace(one.routes[0], split=rules),)
    services = (replace(one, routes=routes), replace(other, **next))
    assert await stage.gateway.change(replace(stage.configuration, services=services)) == ()


@over_all_combinations
class CanaryTests(TestCase):
    async def test_a_field_or_a_cookie_leads_to_the_canary_and_nothing_else_does(self, via: Combination) -> None:
        stage = split(self, via, RULES)
        caller = await stage.call()
        for fields, expected in (
            ([], b"one"),
            (["X-Canary: always"], b"next"),
            (["x-canary: always"], b"next"),
            (["X-Canary: sometimes"], b"one"),
            (["Cookie: a=b; canary=yes; c=d"], b"next"),
            (["Cookie: canary=no"], b"one"),
            (["Cookie: canary=yes", "X-Canary: never"], b"one"),
        ):
            self.assertEqual((await caller.get("/api/x", *fields)).body, expected, fields)

    async def test_the_canary_gets_the_same_request(self, via: Combination) -> None:
        stage = split(self, via, RULES)
        await stage.ask("POST", "/api/x?y", "X-Canary: always", body=b"order")
        (request,) = stage.services["next"].requests
        self.assertEqual((request.method, request.target, request.body), ("POST", "/api/x?y", b"order"))
        self.assertEqual(request.get(b"host"), b"127.0.0.1:%d" % stage.port_of("next"))

    async def test_what_clients_must_not_say_it_does_not_hear(self, via: Combination) -> None:
        stage = split(self, via, RULES, one={"deadline_header": "X-Left-Ms"})
        await stage.get("/api", "X-Canary: always", "X-Left-Ms: 1", "X_Left_Ms: 1")
        (request,) = stage.services["next"].requests
        self.assertNotIn(b"left", b" ".join(name.lower() for name, _ in request.fields))

    async def test_the_log_and_the_statistics_name_the_service_that_answered_and_the_route_that_led_to_it(
        self, via: Combination
    ) -> None:
        log = self.mktemp()
        stage = split(self, via, RULES, access_log={"file": log})
        await stage.get("/api")
        await stage.get("/api", "X-Canary: always")
        entries = await logged(log, 2)
        self.assertEqual([(entry["service"], entry["route"]) for entry in entries], [("one", "/api"), ("next", "/api")])
        counted = stage.gateway.telemetry.statistics.since_start()
        self.assertEqual({key[:2] for key in counted}, {("one", "/api"), ("next", "/api")})

    async def test_the_routes_limits_count_both_together(self, via: Combination) -> None:
        services: dict[str, Options] = {
            "one": {"prefix": "/api", "split": RULES, "rate_limit": {"limit": 2, "window": "60s"}},
            "next": {},
        }
        stage = Stage(self, via, services)
        statuses = [(await stage.get("/api", *fields)).status for fields in ([], ["X-Canary: always"], [])]
        self.assertEqual(statuses, [200, 200, 429])

    async def test_a_canary_that_fails_opens_its_own_breaker_and_leaves_the_others_alone(
        self, via: Combination
    ) -> None:
        stage = split(self, via, RULES, {"circuit_breaker": {"failures": 2}})
        await stage.close_service("next")
        for cause in ("connect-failed", "connect-failed", "breaker-open"):
            answer = await stage.get("/api", "X-Canary: always")
            problem(self, answer, 503 if cause == "breaker-open" else 502, cause)
        self.assertEqual((await stage.get("/api")).body, b"one")

    async def test_a_canary_that_fails_may_fall_back_to_where_its_requests_came_from(self, via: Combination) -> None:
        stage = split(self, via, RULES, {"fallback": {"service": "one"}})
        await stage.close_service("next")
        for _ in range(8):
            answer = await stage.get("/api", "X-Canary: always")
            self.assertEqual((answer.status, answer.body, answer.get(b"x-gateway-fallback")), (200, b"one", b"one"))

    async def test_a_client_stays_where_its_share_has_put_it(self, via: Combination) -> None:
        stage = split(self, via, [{"service": "next", "share": "50%", "by": "header:X-User"}])
        caller = await stage.call()
        seen: dict[int, set[bytes]] = {}
        for _ in range(3):
            for user in range(20):
                seen.setdefault(user, set()).add((await caller.get("/api", f"X-User: {user}")).body)
        self.assertTrue(all(len(variants) == 1 for variants in seen.values()), seen)
        self.assertEqual({variant for variants in seen.values() for variant in variants}, {b"one", b"next"})


class ShareTests(TestCase):
    timeout = 600

    async def test_of_ten_thousand_requests_the_canary_gets_its_share(self) -> None:
        stage = split(self, NATIVE, [{"service": "next", "share": "10%"}])
        load = Load("/api")
        load.begin(lambda: stage.port, 20, keep=True)
        await load.more(10_000)
        await load.end()
        self.assertEqual(load.lost, [])
        # Six standard deviations on either side.
        share = len(stage.services["next"].requests)
        self.assertLess(abs(share - load.answered * 0.1), 6 * (load.answered * 0.09) ** 0.5)
        self.assertEqual(share + len(stage.one.requests), load.answered)


@over_all_combinations
class ReloadTests(TestCase):
    @only(CHANNEL)  # a stock site stays with the tree that it was given
    async def test_a_share_that_grows_takes_in_clients_and_lets_none_go(self, via: Combination) -> None:
        stage = split(self, via, [{"service": "next", "share": "0%", "by": "header:X-User"}])
        caller = await stage.call()
        before: set[int] = set()
        for share in (0.0, 0.1, 0.3, 0.6, 1.0):
            await change(stage, SplitRule("next", share=share, by="header:X-User"))
            now = {user for user in range(30) if (await caller.get("/api", f"X-User: {user}")).body == b"next"}
            self.assertLessEqual(before, now)
            before = now
        self.assertEqual(before, set(range(30)))


class RolloutTests(TestCase):
    async def test_a_rollout_from_nobody_to_everybody_and_back_loses_nothing(self) -> None:
        for transport in ("native", "treq"):
            stage = split(self, Combination("channel", transport), [{"service": "next", "share": "0%"}])
            load = Load("/api")
            load.begin(lambda stage=stage: stage.port, 4, keep=True)  # type: ignore[misc]  # a default binds the loop's value
            load.begin(lambda stage=stage: stage.port, 2, keep=False)  # type: ignore[misc]  # as above
            for number, share in enumerate((0.01, 0.1, 0.5, 1.0, 0.5, 0.0), 1):
                await change(stage, SplitRule("next", share=share), max_in_flight=500 + number)
                await load.more(50)
            await load.end()
            self.assertEqual(load.lost, [])
            self.assertTrue(stage.services["next"].requests)
