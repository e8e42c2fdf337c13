"""Clients' connections: kept, pipelined, closed; the forms of HTTP/1 requests; and what is refused before routing."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from apigateway.testing.steps import Answer, Close, ReadAll, Respond
from tests.behaviour.caller import chunked, request
from tests.behaviour.combinations import Combination, lacks, needs, over_tls_too
from tests.behaviour.stage import Stage, problem
from tests.behaviour.steps import Gate
from tests.behaviour.waiting import a_moment, a_turn, until


@over_tls_too
class KeepAliveTests(TestCase):
    async def test_a_connection_carries_one_exchange_after_the_other(self, via: Combination) -> None:
        stage = Stage(self, via)
        caller = await stage.call()
        for number in range(5):
            answer = await caller.get(f"/api/{number}")
            self.assertEqual((answer.status, answer.get(b"connection")), (200, None))
        self.assertTrue(caller.is_open)

    async def test_it_closes_when_the_client_says_so(self, via: Combination) -> None:
        stage = Stage(self, via)
        caller = await stage.call()
        answer = await caller.get("/api", "Connection: close")
        self.assertEqual((answer.get(b"connection") or b"").lower(), b"close")
        await caller.closed()

    @needs("several options in Connection")
    async def test_it_closes_when_close_is_one_option_of_several(self, via: Combination) -> None:
        stage = Stage(self, via)
        caller = await stage.call()
        await caller.get("/api", "Connection: X-Other, CLOSE")
        await caller.closed()

    @lacks("several options in Connection")
    async def test_a_stock_site_sees_close_only_where_it_stands_alone(self, via: Combination) -> None:
        stage = Stage(self, via)
        caller = await stage.call()
        await caller.get("/api", "Connection: close, X-Other")
        self.assertEqual((await caller.get("/api")).status, 200)

    async def test_it_stays_open_though_the_service_closes_its_own(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.answers(200, b"x", {"Connection": "close"})
        caller = await stage.call()
        for _ in range(3):
            answer = await caller.get("/api")
            self.assertEqual((answer.status, answer.get(b"connection")), (200, None))

    async def test_http_1_0_gets_one_answer_and_the_end(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.answers(200, b"hello")
        caller = await stage.call()
        answer = await caller.ask("GET", "/api", version="HTTP/1.0").answer()
        self.assertEqual((answer.status, answer.body), (200, b"hello"))
        await caller.closed()

    async def test_http_1_0_without_a_host_is_served(self, via: Combination) -> None:
        stage = Stage(self, via)
        caller = await stage.call()
        self.assertEqual((await caller.send(b"GET /api HTTP/1.0\r\n\r\n").answer()).status, 200)

    async def test_http_1_0_can_send_a_body_without_a_host(self, via: Combination) -> None:
        stage = Stage(self, via)
        caller = await stage.call()
        await caller.send(b"POST /api HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc").answer()
        self.assertEqual((await stage.request()).body, b"abc")

    @needs("kept connections in HTTP/1.0")
    async def test_http_1_0_can_ask_to_keep_the_connection(self, via: Combination) -> None:
        stage = Stage(self, via)
        caller = await stage.call()
        for _ in range(2):
            answer = await caller.ask("GET", "/api", "Connection: keep-alive", version="HTTP/1.0").answer()
            self.assertEqual((answer.get(b"connection") or b"").lower(), b"keep-alive")

    @lacks("kept connections in HTTP/1.0")
    async def test_a_stock_site_closes_http_1_0_connections_anyway(self, via: Combination) -> None:
        stage = Stage(self, via)
        caller = await stage.call()
        await caller.ask("GET", "/api", "Connection: keep-alive", version="HTTP/1.0").answer()
        await caller.closed()

    async def test_http_1_0_gets_no_chunks(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.answers(200, chunks=[b"one", b"two"])
        caller = await stage.call()
        answer = await caller.ask("GET", "/api", "Connection: keep-alive", version="HTTP/1.0").answer()
        self.assertEqual((answer.body, answer.get(b"transfer-encoding")), (b"onetwo", None))
        await caller.closed()

    async def test_the_service_is_asked_in_http_1_1_whatever_the_client_speaks(self, via: Combination) -> None:
        stage = Stage(self, via)
        caller = await stage.call()
        await caller.ask("GET", "/api", version="HTTP/1.0").answer()
        self.assertTrue((await stage.request()).raw_head.startswith(b"GET /api HTTP/1.1\r\n"))

    @needs("limits on connections")
    async def test_above_the_bound_one_at_rest_makes_room_for_a_new_one(self, via: Combination) -> None:
        stage = Stage(self, via, limits={"connections": 2}, trusted_proxies=["127.0.0.0/8"])
        first, second = await stage.call(), await stage.call()
        await first.get("/api")
        await second.get("/api")
        self.assertEqual((await stage.get("/api")).status, 200)
        await first.closed()
        self.assertFalse(first.was_reset)
        self.assertEqual((await second.get("/api")).status, 200)

    @lacks("limits on connections")
    async def test_a_stock_site_takes_any_number_of_connections(self, via: Combination) -> None:
        stage = Stage(self, via, limits={"connections": 2}, trusted_proxies=["127.0.0.0/8"])
        callers = [await stage.call() for _ in range(4)]
        self.assertEqual([(await caller.get("/api")).status for caller in callers], [200] * 4)


@over_tls_too
class PipelineTests(TestCase):
    async def test_pipelined_requests_are_answered_in_order(self, via: Combination) -> None:
        stage = Stage(self, via)
        gate = Gate()
        stage.one.script(ReadAll(), gate, Answer(200, b"first")).script(ReadAll(), Answer(200, b"second"))
        caller = await stage.call()
        caller.ask("GET", "/api/1").ask("GET", "/api/2")
        await until(lambda: gate.waiting, gate)
        await a_moment()
        self.assertEqual(len(stage.one.requests), 1)
        gate.open()
        bodies = [(await caller.answer()).body for _ in range(2)]
        self.assertEqual(bodies, [b"first", b"second"])

    async def test_many_requests_in_one_segment_are_all_answered(self, via: Combination) -> None:
        stage = Stage(self, via)
        caller = await stage.call()
        caller.send(b"".join(request("GET", f"/api/{number}") for number in range(100)))
        for _ in range(100):
            await caller.answer()
        self.assertEqual([one.target for one in stage.one.requests], [f"/api/{number}" for number in range(100)])

    async def test_bodies_and_heads_in_one_segment_are_kept_apart(self, via: Combination) -> None:
        stage = Stage(self, via)
        caller = await stage.call()
        caller.ask("POST", "/api/1", body=b"GET /api/wrong HTTP/1.1\r\n\r\n").ask("HEAD", "/api/2").ask("GET", "/api/3")
        for _ in range(3):
            await caller.answer()
        self.assertEqual([one.target for one in stage.one.requests], ["/api/1", "/api/2", "/api/3"])
        self.assertEqual(stage.one.requests[0].body, b"GET /api/wrong HTTP/1.1\r\n\r\n")

    async def test_a_request_may_arrive_byte_by_byte(self, via: Combination) -> None:
        stage = Stage(self, via)
        caller = await stage.call()
        for byte in request("POST", "/api/x", body=b"abc"):
            caller.send(bytes((byte,)))
            await a_turn()
        await caller.answer()
        self.assertEqual((await stage.request()).body, b"abc")

    async def test_nothing_after_the_announced_end_is_served(self, via: Combination) -> None:
        stage = Stage(self, via)
        caller = await stage.call()
        caller.ask("GET", "/api/1", "Connection: close").ask("GET", "/api/2")
        await caller.answer()
        await caller.closed()
        self.assertEqual([one.target for one in stage.one.requests], ["/api/1"])


@over_tls_too
class MethodTests(TestCase):
    async def test_head_gets_the_head_only(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.answers(200, b"not for you", {"X-Kind": "page"})
        caller = await stage.call()
        answer = await caller.ask("HEAD", "/api").answer()
        self.assertEqual((answer.get(b"content-length"), answer.get(b"x-kind")), (b"11", b"page"))
        self.assertEqual(answer.body, b"")
        self.assertEqual((await caller.get("/api")).body, b"not for you")

    async def test_after_head_of_something_the_connection_to_the_service_is_not_used_again(
        self, via: Combination
    ) -> None:
        """A service that announced a body may send it late, and it must answer nobody."""
        stage = Stage(self, via)
        for body, connections in ((b"", 1), (b"", 1), (b"page", 1), (b"", 2), (b"page", 2), (b"", 3)):
            stage.one.answers(200, body)
            self.assertEqual((await stage.ask("HEAD", "/api")).status, 200)
            self.assertEqual(len(stage.one.connections), connections)

    async def test_head_of_a_chunked_answer_is_no_trouble(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.answers(200, chunks=[b"x"])
        caller = await stage.call()
        self.assertEqual((await caller.ask("HEAD", "/api").answer()).status, 200)
        self.assertEqual((await caller.get("/api")).body, b"x")

    async def test_options_is_the_services_business(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.answers(204, headers={"Allow": "GET"})
        answer = await stage.ask("OPTIONS", "/api")
        self.assertEqual((answer.status, answer.get(b"allow")), (204, b"GET"))

    @needs("asterisk form")
    async def test_options_asterisk_reaches_the_service_that_has_the_root(self, via: Combination) -> None:
        stage = Stage(self, via, {"one": {"prefix": "/"}})
        self.assertEqual((await stage.ask("OPTIONS", "*")).status, 200)
        self.assertEqual((await stage.request()).target, "*")

    @needs("asterisk form")
    async def test_options_asterisk_has_no_route_where_no_service_has_the_root(self, via: Combination) -> None:
        problem(self, await (Stage(self, via)).ask("OPTIONS", "*"), 404, "no-route")

    @lacks("asterisk form")
    async def test_a_stock_site_answers_options_asterisk_itself(self, via: Combination) -> None:
        stage = Stage(self, via, {"one": {"prefix": "/"}})
        self.assertEqual((await stage.ask("OPTIONS", "*")).status, 200)
        self.assertEqual(stage.one.requests, [])

    async def test_a_post_without_a_body_says_so_to_the_service(self, via: Combination) -> None:
        stage = Stage(self, via)
        await stage.ask("POST", "/api", "Content-Length: 0")
        self.assertEqual((await stage.request()).get_all(b"content-length"), [b"0"])

    async def test_a_get_without_a_body_says_nothing_of_one(self, via: Combination) -> None:
        stage = Stage(self, via)
        await stage.get("/api")
        arrived = await stage.request()
        self.assertEqual((arrived.get(b"content-length"), arrived.get(b"transfer-encoding")), (None, None))

    async def test_a_get_with_a_body_keeps_it(self, via: Combination) -> None:
        stage = Stage(self, via)
        await stage.ask("GET", "/api", body=b"query")
        self.assertEqual((await stage.request()).body, b"query")


@over_tls_too
class TargetFormTests(TestCase):
    @needs("absolute form")
    async def test_the_absolute_form_is_routed_by_its_path_and_named_by_its_host(self, via: Combination) -> None:
        stage = Stage(self, via)
        answer = await stage.get("http://shop.example.com/api/x?y=1")
        arrived = await stage.request()
        self.assertEqual((answer.status, arrived.target), (200, "/api/x?y=1"))
        self.assertEqual(arrived.get(b"x-forwarded-host"), b"shop.example.com")

    @lacks("absolute form")
    async def test_a_stock_site_finds_nothing_at_the_absolute_form(self, via: Combination) -> None:
        self.assertEqual((await Stage(self, via).get("http://shop.example.com/api/x")).status, 404)


@over_tls_too
class FramingTests(TestCase):
    async def test_a_body_of_known_length_keeps_it(self, via: Combination) -> None:
        stage = Stage(self, via)
        await stage.ask("POST", "/api", body=b"12345")
        arrived = await stage.request()
        self.assertEqual((arrived.get_all(b"content-length"), arrived.body), ([b"5"], b"12345"))
        self.assertEqual(arrived.get(b"transfer-encoding"), None)

    @needs("streamed uploads")
    async def test_a_body_in_chunks_reaches_the_service_in_chunks(self, via: Combination) -> None:
        stage = Stage(self, via)
        caller = await stage.call()
        caller.ask("POST", "/api", "Transfer-Encoding: chunked").send(b"3;name=value\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        await caller.answer()
        arrived = await stage.request()
        self.assertEqual((arrived.get_all(b"transfer-encoding"), arrived.body), ([b"chunked"], b"abcde"))
        self.assertEqual(arrived.get(b"content-length"), None)

    @lacks("streamed uploads")
    async def test_from_a_stock_site_a_body_in_chunks_arrives_with_a_length(self, via: Combination) -> None:
        stage = Stage(self, via)
        caller = await stage.call()
        caller.ask("POST", "/api", "Transfer-Encoding: chunked").send(chunked(b"abc", b"de"))
        await caller.answer()
        arrived = await stage.request()
        self.assertEqual((arrived.get_all(b"content-length"), arrived.body), ([b"5"], b"abcde"))

    async def test_an_answer_in_chunks_reaches_the_client_in_chunks(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.answers(200, chunks=[b"abc", b"de"])
        caller = await stage.call()
        answer = await caller.get("/api")
        self.assertEqual((answer.get_all(b"transfer-encoding"), answer.body), ([b"chunked"], b"abcde"))
        self.assertEqual(answer.get(b"content-length"), None)
        self.assertEqual((await caller.get("/api")).body, b"abcde")

    async def test_an_answer_of_known_length_keeps_it(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.answers(200, b"abcde")
        answer = await stage.get("/api")
        self.assertEqual((answer.get_all(b"content-length"), answer.body), ([b"5"], b"abcde"))

    async def test_an_answer_that_ends_with_the_connection_is_framed_for_the_client(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.does(ReadAll(), Respond(b"HTTP/1.0 200 OK\r\nX-Old: yes\r\n\r\nold but good"), Close())
        caller = await stage.call()
        for _ in range(2):
            answer = await caller.get("/api")
            self.assertEqual((answer.body, answer.get(b"transfer-encoding")), (b"old but good", b"chunked"))

    async def test_answers_without_bodies_leave_both_connections_fit(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.script(ReadAll(), Respond(b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n\r\n'))
        stage.one.script(ReadAll(), Respond(b"HTTP/1.1 204 No Content\r\n\r\n"))
        stage.one.script(ReadAll(), Answer(200, b"body"))
        caller = await stage.call()
        unmodified, empty, full = [await caller.get("/api") for _ in range(3)]
        self.assertEqual((unmodified.status, unmodified.get(b"etag"), unmodified.body), (304, b'"1"', b""))
        self.assertEqual((empty.status, empty.body), (204, b""))
        self.assertEqual((empty.get(b"content-length"), empty.get(b"transfer-encoding")), (None, None))
        self.assertEqual((full.status, full.body), (200, b"body"))
        self.assertEqual(len(stage.one.connections), 1)

    async def test_reason_phrases_of_services_pass(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.does(ReadAll(), Respond(b"HTTP/1.1 299 Quite Fine\r\nContent-Length: 0\r\n\r\n"))
        self.assertEqual((await stage.get("/api")).raw_head.split(b"\r\n")[0], b"HTTP/1.1 299 Quite Fine")

    @lacks("another protocol")
    async def test_an_upgrade_is_not_passed_on_and_the_request_is_served_as_it_is(self, via: Combination) -> None:
        stage = Stage(self, via)
        caller = await stage.call()
        answer = await caller.get("/api", "Connection: Upgrade", "Upgrade: websocket")
        self.assertEqual(answer.status, 200)
        self.assertEqual((await stage.request()).get(b"upgrade"), None)
        self.assertEqual((await caller.get("/api")).status, 200)


MALFORMED = {
    "no Host": b"GET /api HTTP/1.1\r\n\r\n",
    "no such version": b"GET /api HTTP/2.0\r\nHost: here\r\n\r\n",
    "no version": b"GET /api\r\nHost: here\r\n\r\n",
    "a Host that is none": b"GET /api HTTP/1.1\r\nHost: a b\r\n\r\n",
    "two framings": b"POST /api HTTP/1.1\r\nHost: here\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
    "two lengths": b"POST /api HTTP/1.1\r\nHost: here\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "no length": b"POST /api HTTP/1.1\r\nHost: here\r\nContent-Length: +3\r\n\r\nabc",
    "another coding": b"POST /api HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": b"POST /api HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and a host in HTTP/1.0": b"POST /api HTTP/1.0\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a folded field": b"GET /api HTTP/1.1\r\nHost: here\r\nX: a\r\n b\r\n\r\n",
    "a space before the colon": b"GET /api HTTP/1.1\r\nHost: here\r\nX : a\r\n\r\n",
    "a NUL": b"GET /api HTTP/1.1\r\nHost: here\r\nX: a\0b\r\n\r\n",
    "a line end that is none": b"GET /api HTTP/1.1\nHost: here\n\n",
    "a fragment": b"GET /api#top HTTP/1.1\r\nHost: here\r\n\r\n",
    "a target that is no path": b"GET api HTTP/1.1\r\nHost: here\r\n\r\n",
    "a tunnel": b"CONNECT here:80 HTTP/1.1\r\nHost: here\r\n\r\n",
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}


@over_tls_too
class MalformedTests(TestCase):
    @needs("refusals of malformed heads")
    async def test_what_is_malformed_gets_a_problem_and_the_end(self, via: Combination) -> None:
        stage = Stage(self, via)
        for what, data in MALFORMED.items():
            caller = await stage.call()
            answer = await caller.send(data).answer()
            problem(self, answer, 400, "bad-request")
            self.assertEqual(answer.get(b"connection"), b"close", what)
            await caller.closed()
        self.assertEqual(stage.one.requests, [])

    @needs("refusals of malformed heads")
    async def test_what_came_before_is_answered_first(self, via: Combination) -> None:
        stage = Stage(self, via)
        caller = await stage.call()
        caller.send(request("GET", "/api") + b"NONSENSE\r\n\r\n")
        self.assertEqual((await caller.answer()).status, 200)
        problem(self, await caller.answer(), 400, "bad-request")
        await caller.closed()

    @lacks("refusals of malformed heads")
    async def test_what_a_stock_site_lets_through_is_refused_where_it_is_adapted(self, via: Combination) -> None:
        stage = Stage(self, via)
        for fields in ("X: y", "Host: a\r\nHost: b", "Host: a b"):
            caller = await stage.call()
            caller.send(f"GET /api HTTP/1.1\r\n{fields}\r\n\r\n".encode())
            problem(self, await caller.answer(), 400, "bad-request")
        self.assertEqual(stage.one.requests, [])

    async def test_two_hosts_are_refused(self, via: Combination) -> None:
        stage = Stage(self, via)
        problem(self, await stage.get("/api", "Host: other"), 400, "bad-request")

    async def test_an_expectation_that_nobody_knows_is_refused(self, via: Combination) -> None:
        stage = Stage(self, via)
        problem(self, await stage.get("/api", "Expect: a-miracle"), 417, "expectation-failed")

    @needs("refusals of malformed heads")
    async def test_a_broken_chunk_ends_the_exchange(self, via: Combination) -> None:
        stage = Stage(self, via)
        caller = await stage.call()
        caller.ask("POST", "/api", "Transfer-Encoding: chunked").send(b"3\r\nabc\r\nnonsense\r\n")
        problem(self, await caller.answer(), 400, "bad-request")
        await caller.closed()
        await until(lambda: not stage.one.open_connections, "the end of the request to the service")


@over_tls_too
class HeadLimitTests(TestCase):
    @needs("limits on heads")
    async def test_a_target_that_is_too_long_gets_414(self, via: Combination) -> None:
        stage = Stage(self, via)
        self.assertEqual((await stage.get("/api/" + "x" * 8000)).status, 200)
        problem(self, await stage.get("/api/" + "x" * 9000), 414, "uri-too-long")
        problem(self, await stage.get("/api/" + "x" * 200_000), 414, "uri-too-long")

    @needs("limits on heads")
    async def test_a_head_that_is_too_large_gets_431(self, via: Combination) -> None:
        stage = Stage(self, via)
        self.assertEqual((await stage.get("/api", "X: " + "x" * 30_000)).status, 200)
        problem(self, await stage.get("/api", "X: " + "x" * 40_000), 431, "head-too-large")
        problem(self, await stage.get("/api", "X: " + "x" * 300_000), 431, "head-too-large")

    @needs("limits on heads")
    async def test_too_many_fields_get_431(self, via: Combination) -> None:
        stage = Stage(self, via)
        self.assertEqual((await stage.get("/api", *["X: y"] * 99)).status, 200)
        problem(self, await stage.get("/api", *["X: y"] * 100), 431, "head-too-large")

    @needs("limits on heads")
    async def test_the_limits_are_configurable(self, via: Combination) -> None:
        stage = Stage(self, via, limits={"uri": 64, "head": 1024, "fields": 3})
        problem(self, await stage.get("/api/" + "x" * 64), 414, "uri-too-long")
        problem(self, await stage.get("/api", "X: " + "x" * 1024), 431, "head-too-large")
        problem(self, await stage.get("/api", "A: a", "B: b", "C: c"), 431, "head-too-large")

    @lacks("limits on heads")
    async def test_a_stock_site_has_limits_of_its_own(self, via: Combination) -> None:
        stage = Stage(self, via, limits={"uri": 64, "fields": 3})
        self.assertEqual((await stage.get("/api/" + "x" * 100, "A: a", "B: b", "C: c")).status, 200)
        caller = await stage.call()
        caller.ask("GET", "/api/" + "x" * 20_000)
        await caller.closed()
        self.assertEqual(caller.finals, [])
