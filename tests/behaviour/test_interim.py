"""What comes before an answer and after it: 100 Continue, other interim answers, trailers."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from apigateway.testing.steps import Answer, Close, ReadAll, Respond
from tests.behaviour.caller import Caller, chunked
from tests.behaviour.combinations import Combination, lacks, needs, over_tls_too
from tests.behaviour.stage import Options, Stage, problem
from tests.behaviour.steps import Gate
from tests.behaviour.waiting import a_moment, until

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def expecting(caller: Caller, target: str = "/api", length: int = 5) -> Caller:
    """Announce a body and wait for the word to send it."""
    return caller.ask("POST", target, "Expect: 100-continue", f"Content-Length: {length}", "Content-Type: text/plain")


@over_tls_too
class ContinueTests(TestCase):
    async def test_a_client_that_waits_is_told_to_send_its_body(self, via: Combination) -> None:
        stage = Stage(self, via)
        caller = expecting(await stage.call())
        await caller.received(CONTINUE)
        answer = await caller.send(b"12345").answer()
        arrived = await stage.request()
        self.assertEqual((answer.status, arrived.body, arrived.get(b"expect")), (200, b"12345", None))
        self.assertEqual(caller.connection.received.count(b"100 Continue"), 1)

    @needs("continue after admission")
    async def test_it_is_told_so_when_a_connection_to_the_service_is_there(self, via: Combination) -> None:
        stage = Stage(self, via)
        caller = expecting(await stage.call())
        await caller.received(CONTINUE)
        await until(lambda: stage.one.requests, "the head at the service")

    async def test_a_client_that_does_not_wait_is_served_as_well(self, via: Combination) -> None:
        stage = Stage(self, via)
        caller = expecting(await stage.call()).send(b"12345")
        self.assertEqual((await caller.answer()).status, 200)
        self.assertEqual((await stage.request()).body, b"12345")

    async def test_the_services_own_continue_is_not_told_twice(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.does(Respond(CONTINUE), ReadAll(), Answer())
        caller = expecting(await stage.call())
        await caller.received(CONTINUE)
        await caller.send(b"12345").answer()
        self.assertEqual(caller.connection.received.count(b"100 Continue"), 1)

    @needs("continue after admission")
    async def test_a_second_attempt_does_not_tell_it_again(self, via: Combination) -> None:
        stage = Stage(self, via)
        caller = await stage.call()
        await caller.get("/api")
        stage.one.script(Close())
        caller.ask("PUT", "/api", "Expect: 100-continue", "Content-Length: 5")
        await caller.received(CONTINUE)
        await until(lambda: len(stage.one.requests) > 1, stage.one)
        await caller.send(b"12345").answer()
        self.assertEqual(caller.connection.received.count(b"100 Continue"), 1)

    async def test_after_it_the_connection_carries_on(self, via: Combination) -> None:
        stage = Stage(self, via)
        caller = await stage.call()
        for _ in range(2):
            await expecting(caller).received(CONTINUE)
            self.assertEqual((await caller.send(b"12345").answer()).status, 200)

    REFUSALS: tuple[tuple[Options, str, int, str], ...] = (
        ({}, "/elsewhere", 404, "no-route"),
        ({}, "/api/../x", 400, "ambiguous-path"),
        ({"methods": ["GET"]}, "/api", 405, "method-not-allowed"),
        ({"max_body": 4}, "/api", 413, "body-too-large"),
        ({"content_types": ["application/json"]}, "/api", 415, "unsupported-media-type"),
        ({"required_headers": ["X-Must"]}, "/api", 400, "missing-header"),
        ({"targets": ["http://127.0.0.1:1"]}, "/api", 502, "connect-failed"),
    )

    @needs("continue after admission")
    async def test_a_client_that_is_refused_is_told_so_instead(self, via: Combination) -> None:
        for options, target, status, cause in self.REFUSALS:
            stage = Stage(self, via, {"one": {"prefix": "/api", **options}})
            caller = expecting(await stage.call(), target)
            answer = await caller.answer()
            problem(self, answer, status, cause)
            self.assertEqual((caller.interims, answer.get(b"connection")), ([], b"close"))
            await caller.closed()

    @needs("continue after admission")
    async def test_a_client_above_its_limit_is_told_so_instead(self, via: Combination) -> None:
        stage = Stage(self, via, {"one": {"prefix": "/api", "rate_limit": {"limit": 1}}})
        await stage.get("/api")
        caller = expecting(await stage.call())
        problem(self, await caller.answer(), 429, "rate-limited")
        self.assertEqual(caller.interims, [])

    @lacks("continue after admission")
    async def test_a_stock_site_says_continue_before_anybody_is_asked(self, via: Combination) -> None:
        stage = Stage(self, via, {"one": {"prefix": "/api", "methods": ["GET"]}})
        caller = expecting(await stage.call())
        await caller.received(CONTINUE)
        problem(self, await caller.send(b"12345").answer(), 405, "method-not-allowed")


@over_tls_too
class InterimTests(TestCase):
    HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n"

    @needs("interim answers")
    async def test_an_interim_answer_is_passed_on_before_the_final_one_is_there(self, via: Combination) -> None:
        stage = Stage(self, via)
        gate = Gate()
        stage.one.does(ReadAll(), Respond(self.HINTS), gate, Answer(200, b"done"))
        caller = (await stage.call()).ask("GET", "/api")
        await caller.received(b"103")
        await until(lambda: gate.waiting, gate)
        self.assertEqual(caller.finals, [])
        gate.open()
        self.assertEqual((await caller.answer()).body, b"done")
        self.assertEqual([one.status for one in caller.interims], [103])
        self.assertEqual(caller.interims[0].fields, [(b"Link", b"</style.css>; rel=preload")])

    @needs("interim answers")
    async def test_all_of_them_are_passed_on(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.does(ReadAll(), Respond(b"HTTP/1.1 102 Processing\r\n\r\n" + self.HINTS * 2), Answer())
        caller = await stage.call()
        await caller.get("/api")
        self.assertEqual([one.status for one in caller.interims], [102, 103, 103])
        self.assertEqual((await caller.get("/api")).status, 200)

    async def test_http_1_0_knows_none(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.does(ReadAll(), Respond(self.HINTS), Answer(200, b"done"))
        caller = await stage.call()
        answer = await caller.ask("GET", "/api", version="HTTP/1.0").answer()
        self.assertEqual((answer.body, caller.interims), (b"done", []))

    @lacks("interim answers")
    async def test_a_stock_site_drops_them_and_passes_the_final_answer(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.does(ReadAll(), Respond(self.HINTS), Answer(200, b"done"))
        caller = await stage.call()
        answer = await caller.get("/api")
        self.assertEqual((answer.body, caller.interims), (b"done", []))

    async def test_a_switch_of_protocols_that_nobody_asked_for_is_a_failure_of_the_service(
        self, via: Combination
    ) -> None:
        stage = Stage(self, via)
        switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
        stage.one.does(ReadAll(), Respond(switch))
        problem(self, await stage.get("/api"), 502, "bad-response")


WITH_TRAILERS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
ANSWER_WITH_TRAILERS = WITH_TRAILERS + chunked(b"abc", trailers="X-Sum: 6\r\n")


@over_tls_too
class TrailerTests(TestCase):
    @needs("trailers")
    async def test_trailers_of_an_answer_reach_the_client(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.does(ReadAll(), Respond(ANSWER_WITH_TRAILERS))
        answer = await stage.get("/api", "TE: trailers", "Connection: TE")
        self.assertEqual((answer.body, answer.trailers), (b"abc", [(b"X-Sum", b"6")]))
        self.assertEqual(answer.get(b"trailer"), b"X-Sum")

    async def test_the_service_learns_that_the_client_takes_trailers(self, via: Combination) -> None:
        stage = Stage(self, via)
        await stage.get("/api", "TE: trailers, deflate;q=0.5", "Connection: TE")
        self.assertEqual((await stage.request()).get_all(b"te"), [b"trailers"])

    @needs("trailers")
    async def test_trailers_of_a_request_reach_the_service(self, via: Combination) -> None:
        stage = Stage(self, via)
        caller = await stage.call()
        caller.ask("POST", "/api", "Transfer-Encoding: chunked").send(chunked(b"abc", trailers="X-Sum: 6\r\n"))
        await caller.answer()
        arrived = await stage.request()
        self.assertEqual((arrived.body, arrived.trailers), (b"abc", [(b"X-Sum", b"6")]))

    SLY = "X-Forwarded-For: 198.51.100.7\r\nHost: evil\r\nAuthorization: x\r\nx_request_id: y\r\n"

    @needs("trailers")
    async def test_a_trailer_cannot_say_what_only_a_head_can(self, via: Combination) -> None:
        stage = Stage(self, via)
        sly = self.SLY + "Set-Cookie: a=1\r\nConnection: close\r\nX-Sum: 6\r\n"
        stage.one.does(ReadAll(), Respond(WITH_TRAILERS + chunked(b"abc", trailers=sly)))
        caller = await stage.call()
        caller.ask("POST", "/api", "Transfer-Encoding: chunked").send(chunked(b"abc", trailers=sly))
        answer, arrived = await caller.answer(), await stage.request()
        self.assertEqual((answer.trailers, arrived.trailers), ([(b"X-Sum", b"6")], [(b"X-Sum", b"6")]))

    @needs("trailers")
    async def test_nor_what_the_route_decides_by_the_head(self, via: Combination) -> None:
        services = {
            "one": {
                "routes": [{"path": "/api", "match_headers": {"X-Tier": "gold"}}, {"path": "/api"}],
                "headers": {"set_request": {"X-User": "anon"}, "remove_response": ["X-Debug"]},
            }
        }
        stage = Stage(self, via, services)
        stage.one.does(ReadAll(), Respond(WITH_TRAILERS + chunked(b"abc", trailers="X-Debug: 1\r\nX-Sum: 6\r\n")))
        caller = await stage.call()
        sly = "X-User: admin\r\nx_user: admin\r\nX-Tier: gold\r\nX-Sum: 6\r\n"
        caller.ask("POST", "/api", "Transfer-Encoding: chunked").send(chunked(b"abc", trailers=sly))
        answer, arrived = await caller.answer(), await stage.request()
        self.assertEqual((answer.trailers, arrived.trailers), ([(b"X-Sum", b"6")], [(b"X-Sum", b"6")]))
        self.assertEqual(arrived.get_all(b"x-user"), [b"anon"])

    async def test_with_or_without_their_trailers_messages_arrive_whole(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.does(ReadAll(), Respond(ANSWER_WITH_TRAILERS))
        caller = await stage.call()
        for _ in range(2):
            caller.ask("POST", "/api", "Transfer-Encoding: chunked").send(chunked(b"abc", trailers="X-Sum: 6\r\n"))
            self.assertEqual((await caller.answer()).body, b"abc")
            self.assertEqual((await stage.request()).body, b"abc")
        await a_moment()
        self.assertEqual(len(stage.one.requests), 2)

    @lacks("trailers")
    async def test_stock_sites_and_treq_drop_trailers(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.does(ReadAll(), Respond(ANSWER_WITH_TRAILERS))
        caller = await stage.call()
        caller.ask("POST", "/api", "Transfer-Encoding: chunked").send(chunked(b"abc", trailers="X-Sum: 6\r\n"))
        answer, arrived = await caller.answer(), await stage.request()
        self.assertEqual((answer.trailers, arrived.trailers), ([], []))
