"""What is refused on the way to a service, and pages of other origins."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from apigateway.testing.steps import Stall
from tests.behaviour.caller import chunked
from tests.behaviour.combinations import Combination, lacks, needs, over_all_combinations
from tests.behaviour.stage import Stage, logged, problem
from tests.behaviour.waiting import a_moment, until

JSON = "Content-Type: application/json"


@over_all_combinations
class FilterTests(TestCase):
    async def test_a_body_that_announces_too_much_gets_413(self, via: Combination) -> None:
        stage = Stage(self, via, {"one": {"prefix": "/api", "max_body": "10B"}})
        self.assertEqual((await stage.ask("POST", "/api", body=b"x" * 10)).status, 200)
        problem(self, await stage.ask("POST", "/api", body=b"x" * 11), 413, "body-too-large")
        self.assertEqual(len(stage.one.requests), 1)

    async def test_a_body_that_turns_out_too_large_gets_413(self, via: Combination) -> None:
        stage = Stage(self, via, {"one": {"prefix": "/api", "max_body": 10}})
        caller = await stage.call()
        caller.ask("POST", "/api", "Transfer-Encoding: chunked").send(chunked(b"x" * 8, b"x" * 8))
        problem(self, await caller.answer(), 413, "body-too-large")
        await a_moment()
        self.assertEqual([request for request in stage.one.requests if request.is_complete], [])

    async def test_the_bound_holds_for_what_has_no_length_too(self, via: Combination) -> None:
        stage = Stage(self, via, {"one": {"prefix": "/api", "max_body": 10}})
        caller = await stage.call()
        caller.ask("POST", "/api", "Transfer-Encoding: chunked").send(chunked(b"x" * 5, b"x" * 5))
        self.assertEqual((await caller.answer()).status, 200)

    @needs("streamed uploads")
    async def test_the_request_to_the_service_is_cut_then(self, via: Combination) -> None:
        stage = Stage(self, via, {"one": {"prefix": "/api", "max_body": 10}})
        caller = (await stage.call()).ask("POST", "/api", "Transfer-Encoding: chunked").send(b"5\r\nxxxxx\r\n")
        await until(lambda: stage.one.requests and stage.one.requests[0].size == 5, stage.one)
        caller.send(b"6\r\nxxxxxx\r\n")
        problem(self, await caller.answer(), 413, "body-too-large")
        await until(lambda: not stage.one.open_connections, "the end of the request to the service")
        await caller.closed()

    @lacks("streamed uploads")
    async def test_behind_a_stock_site_the_length_is_always_known(self, via: Combination) -> None:
        stage = Stage(self, via, {"one": {"prefix": "/api", "max_body": 10}})
        caller = await stage.call()
        caller.ask("POST", "/api", "Transfer-Encoding: chunked").send(chunked(b"x" * 8, b"x" * 8))
        problem(self, await caller.answer(), 413, "body-too-large")
        self.assertEqual(stage.one.requests, [])

    async def test_other_content_types_get_415(self, via: Combination) -> None:
        stage = Stage(self, via, {"one": {"prefix": "/api", "content_types": ["application/json", "image/*"]}})
        for accepted in (JSON, "content-type: Application/JSON; charset=utf-8", "Content-Type: image/png"):
            self.assertEqual((await stage.ask("POST", "/api", accepted, body=b"{}")).status, 200, accepted)
        for refused in ("Content-Type: text/plain", "Content-Type: application/jsonx", "X-None: 1"):
            answer = await stage.ask("POST", "/api", refused, body=b"{}")
            problem(self, answer, 415, "unsupported-media-type")
        self.assertEqual((await stage.get("/api")).status, 200)

    async def test_missing_fields_get_400_and_are_named(self, via: Combination) -> None:
        stage = Stage(self, via, {"one": {"prefix": "/api", "required_headers": ["X-Tenant", "X-Version"]}})
        self.assertEqual((await stage.get("/api", "x-tenant: a", "X-VERSION: 1")).status, 200)
        members = problem(self, await stage.get("/api", "X-Tenant: a"), 400, "missing-header")
        self.assertIn("X-Version", members["detail"])
        self.assertNotIn("X-Tenant", members["detail"])

    async def test_after_a_refusal_the_connection_carries_on(self, via: Combination) -> None:
        stage = Stage(self, via, {"one": {"prefix": "/api", "methods": ["GET"]}})
        caller = await stage.call()
        problem(self, await caller.ask("DELETE", "/api").answer(), 405, "method-not-allowed")
        self.assertEqual((await caller.get("/api")).status, 200)

    async def test_after_a_refused_body_that_is_all_there_it_carries_on_too(self, via: Combination) -> None:
        stage = Stage(self, via, {"one": {"prefix": "/api", "methods": ["GET"]}})
        caller = await stage.call()
        problem(self, await caller.ask("POST", "/api", body=b"12345").answer(), 405, "method-not-allowed")
        self.assertEqual((await caller.get("/api")).status, 200)

    async def test_a_refused_head_gets_no_body(self, via: Combination) -> None:
        stage = Stage(self, via, {"one": {"prefix": "/api", "methods": ["POST"]}})
        caller = await stage.call()
        answer = await caller.ask("HEAD", "/api").answer()
        self.assertEqual((answer.status, answer.body, answer.get(b"allow")), (405, b"", b"POST"))
        self.assertEqual((await caller.ask("POST", "/api").answer()).status, 200)


@over_all_combinations
class ProblemTests(TestCase):
    async def test_problems_come_in_the_form_that_is_asked_for(self, via: Combination) -> None:
        stage = Stage(self, via, {"one": {"prefix": "/api", "methods": ["GET"]}})
        for accept, content_type in (
            ("*/*", b"application/problem+json"),
            ("application/json", b"application/problem+json"),
            ("text/plain", b"text/plain; charset=utf-8"),
            ("text/html,application/xhtml+xml,*/*;q=0.8", b"text/html; charset=utf-8"),
        ):
            answer = await stage.ask("POST", "/api", f"Accept: {accept}")
            self.assertEqual((answer.status, answer.get(b"content-type")), (405, content_type))
            self.assertIn(b"method-not-allowed", answer.body)

    async def test_a_problem_carries_the_id_of_its_request(self, via: Combination) -> None:
        stage = Stage(self, via, {"one": {"prefix": "/api", "methods": ["GET"]}}, trusted_proxies=["127.0.0.0/8"])
        members = problem(
            self, await stage.ask("POST", "/api", "X-Request-Id: from-outside"), 405, "method-not-allowed"
        )
        self.assertEqual(members["request_id"], "from-outside")

    async def test_a_problem_is_not_kept_by_caches_and_echoes_nothing(self, via: Combination) -> None:
        stage = Stage(self, via, {"one": {"prefix": "/api", "methods": ["GET"]}})
        answer = await stage.ask("POST", "/api?<script>", "X-Evil: <script>", "Accept: text/html")
        self.assertEqual(answer.get(b"cache-control"), b"no-store")
        self.assertNotIn(b"<script>", answer.body)

    async def test_the_log_tells_the_cause(self, via: Combination) -> None:
        log = self.mktemp()
        stage = Stage(self, via, {"one": {"prefix": "/api", "methods": ["GET"]}}, access_log={"file": log})
        answer = await stage.ask("POST", "/api")
        entry = (await logged(log, 1))[0]
        self.assertEqual((entry["status"], entry["cause"], entry["route"]), (405, "method-not-allowed", None))
        self.assertEqual(entry["request_id"].encode(), answer.get(b"x-request-id"))


@over_all_combinations
class CorsTests(TestCase):
    PAGE = "https://shop.example.com"
    PREFLIGHT = (f"Origin: {PAGE}", "Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: x-token")

    def _stage(self, via: Combination, **cors: object) -> Stage:
        stage = Stage(self, via, {"one": {"prefix": "/api", "cors": {"origins": [self.PAGE], **cors}}})
        stage.one.answers(200, b"x", {"Access-Control-Allow-Origin": "*", "X-Total": "7"})
        return stage

    async def test_it_is_off_by_default(self, via: Combination) -> None:
        stage = Stage(self, via)
        answer = await stage.ask("OPTIONS", "/api", *self.PREFLIGHT)
        self.assertEqual((answer.status, answer.get(b"access-control-allow-origin")), (200, None))
        self.assertEqual((await stage.request()).method, "OPTIONS")

    async def test_preflights_are_answered_by_the_gateway(self, via: Combination) -> None:
        stage = self._stage(via, headers=["X-Token"], methods=["GET", "PUT"], max_age="10m")
        answer = await stage.ask("OPTIONS", "/api", *self.PREFLIGHT)
        self.assertEqual(answer.status, 204)
        self.assertEqual(answer.get_all(b"access-control-allow-origin"), [self.PAGE.encode()])
        self.assertEqual(answer.get(b"access-control-allow-methods"), b"GET, PUT")
        self.assertIn(b"X-Token", answer.get(b"access-control-allow-headers") or b"")
        self.assertEqual(answer.get(b"access-control-max-age"), b"600")
        self.assertEqual(stage.one.requests, [])

    async def test_preflights_are_answered_where_options_is_not_allowed(self, via: Combination) -> None:
        cors = {"origins": [self.PAGE]}
        stage = Stage(self, via, {"one": {"prefix": "/api", "methods": ["GET", "PUT"], "cors": cors}})
        answer = await stage.ask("OPTIONS", "/api", *self.PREFLIGHT)
        self.assertEqual((answer.status, answer.get(b"access-control-allow-origin")), (204, self.PAGE.encode()))

    async def test_pages_of_other_origins_get_no_leave(self, via: Combination) -> None:
        stage = self._stage(via)
        other = ("Origin: https://evil.example", *self.PREFLIGHT[1:])
        answer = await stage.ask("OPTIONS", "/api", *other)
        self.assertEqual(answer.get_all(b"access-control-allow-origin"), [])
        self.assertEqual((await stage.get("/api", other[0])).get_all(b"access-control-allow-origin"), [])

    async def test_answers_give_leave_to_pages_of_the_origin_only(self, via: Combination) -> None:
        stage = self._stage(via, expose=["X-Total"], credentials=True)
        answer = await stage.get("/api", f"Origin: {self.PAGE}")
        self.assertEqual(answer.get_all(b"access-control-allow-origin"), [self.PAGE.encode()])
        self.assertEqual(answer.get(b"access-control-allow-credentials"), b"true")
        self.assertEqual(answer.get(b"access-control-expose-headers"), b"X-Total")
        self.assertEqual(answer.get(b"vary"), b"Origin")

    async def test_refusals_can_be_read_by_the_page_too(self, via: Combination) -> None:
        stage = Stage(
            self, via, {"one": {"prefix": "/api", "cors": {"origins": [self.PAGE]}, "rate_limit": {"limit": 1}}}
        )
        await stage.get("/api", f"Origin: {self.PAGE}")
        answer = await stage.get("/api", f"Origin: {self.PAGE}")
        problem(self, answer, 429, "rate-limited")
        self.assertEqual(answer.get_all(b"access-control-allow-origin"), [self.PAGE.encode()])

    async def test_so_can_refusals_that_come_before_all_policies(self, via: Combination) -> None:
        options = {"methods": ["GET"], "cors": {"origins": [self.PAGE]}, "headers": {"security": True}}
        stage = Stage(self, via, {"one": {"prefix": "/api", **options}}, limits={"exchanges": 1})
        stage.one.does(Stall())
        (await stage.call()).ask("GET", "/api")
        await until(lambda: stage.one.requests, stage.one)
        for method, target, status, cause in (
            ("PUT", "/api", 405, "method-not-allowed"),
            ("GET", "/api/%2e%2e/x", 400, "ambiguous-path"),
            ("GET", "/api", 503, "overloaded"),
        ):
            answer = await stage.ask(method, target, f"Origin: {self.PAGE}")
            problem(self, answer, status, cause)
            self.assertEqual(answer.get_all(b"access-control-allow-origin"), [self.PAGE.encode()], cause)
            self.assertEqual(answer.get_all(b"x-frame-options"), [b"DENY"], cause)
            self.assertEqual(answer.get_all(b"x-content-type-options"), [b"nosniff"], cause)
            other = await stage.ask(method, target, "Origin: https://evil.example")
            self.assertEqual(other.get_all(b"access-control-allow-origin"), [], cause)

    async def test_preflights_are_not_counted(self, via: Combination) -> None:
        stage = Stage(
            self, via, {"one": {"prefix": "/api", "cors": {"origins": [self.PAGE]}, "rate_limit": {"limit": 1}}}
        )
        for _ in range(3):
            self.assertEqual((await stage.ask("OPTIONS", "/api", *self.PREFLIGHT)).status, 204)
        self.assertEqual((await stage.get("/api")).status, 200)
