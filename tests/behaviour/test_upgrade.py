"""Connections that become something else than HTTP: who may, what is passed on, and how that ends."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from twisted.trial.unittest import TestCase

from apigateway.config.model import Stop
from apigateway.downstream.relay import Relay
from apigateway.errors import CAUSES
from apigateway.testing.observer import RecordingObserver
from apigateway.testing.steps import Answer, Close, ReadAll, Reset, Respond
from tests.behaviour.caller import Caller, connect, request
from tests.behaviour.combinations import CHANNEL, Combination, lacks, needs, only, over_tls_too
from tests.behaviour.secured import SecureServices
from tests.behaviour.stage import Stage, problem
from tests.behaviour.steps import Flood, Gate
from tests.behaviour.upgraded import (
    CHAT,
    PROOF,
    SOCKET_OPEN,
    SOCKET_WISH,
    SWITCHED,
    WISH,
    Halved,
    Speaks,
    behind_head,
    hears,
    switching_service,
)
from tests.behaviour.waiting import a_moment, until, until_still

SWITCH = "another protocol"
LARGE = 32 * 1024 * 1024
HELD = 12 * 1024 * 1024
"""So much of it may be taken by the gateway, and by the kernel for the sockets behind it."""
SMUGGLED = b"GET /api/smuggled HTTP/1.1\r\nHost: here\r\n\r\n"


def stage_for(test: TestCase, via: Combination, **more: Any) -> tuple[Stage, Speaks]:
    """A gateway before a service that switches to `chat/1`."""
    top = {name: more.pop(name) for name in ("observers", "limits", "stop") if name in more}
    stage = Stage(test, via, {"one": {**CHAT, **more}}, **top)
    speaks = Speaks()
    stage.one.does(Respond(SWITCHED), speaks)
    return stage, speaks


async def switched(stage: Stage, *fields: str) -> Caller:
    """A client whose connection has switched."""
    caller = (await stage.call()).ask("GET", "/api/chat", *(fields or WISH))
    await caller.received(b"\r\n\r\n")
    assert caller.connection.received.startswith(b"HTTP/1.1 101 "), caller
    return caller


def relay_of(stage: Stage) -> Relay:
    """The only one."""
    (relay,) = stage.gateway.site.channels
    assert isinstance(relay, Relay)
    return relay


@over_tls_too
class OfferTests(TestCase):
    @needs(SWITCH)
    async def test_the_offer_reaches_the_service_and_its_answer_the_client(self, via: Combination) -> None:
        stage, _ = stage_for(self, via)
        caller = await switched(stage, "Connection: keep-alive, Upgrade", "Upgrade: Chat/1, other", "X-Mine: 1")
        asked = await stage.request()
        self.assertEqual((asked.get(b"upgrade"), asked.get(b"connection")), (b"chat/1", b"Upgrade"))
        self.assertEqual((asked.get(b"x-mine"), asked.get(b"x-forwarded-for")), (b"1", b"127.0.0.1"))
        head = caller.connection.received
        self.assertIn(b"\r\nConnection: Upgrade\r\nUpgrade: chat/1\r\n", head)
        self.assertIn(b"\r\nX-Request-Id: ", head)
        self.assertNotIn(b"ontent-", head)

    @needs(SWITCH)
    async def test_the_fields_of_a_websocket_pass_both_ways(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.does(Respond(SOCKET_OPEN.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: b\r\n\r\n")), Speaks())
        caller = await switched(stage, *SOCKET_WISH, "Sec-WebSocket-Protocol: a, b", "Sec-WebSocket-Extensions: x")
        asked = await stage.request()
        self.assertEqual(asked.get(b"sec-websocket-protocol"), b"a, b")
        self.assertEqual(asked.get(b"sec-websocket-extensions"), b"x")
        self.assertEqual(asked.get(b"sec-websocket-version"), b"13")
        self.assertIn(b"\r\nUpgrade: websocket\r\n", caller.connection.received)
        self.assertIn(PROOF.encode(), caller.connection.received)
        self.assertIn(b"\r\nSec-WebSocket-Protocol: b\r\n", caller.connection.received)

    async def _is_plain(self, stage: Stage, *fields: str, method: str = "GET", body: bytes = b"") -> None:
        stage.one.does(ReadAll(), Answer(200, b"plain"))
        stage.one.requests.clear()
        caller = (await stage.call()).ask(method, "/api", *fields, body=body)
        self.assertEqual((await caller.answer()).status, 200)
        asked = await stage.request()
        self.assertEqual((asked.get(b"upgrade"), asked.get(b"connection")), (None, None))
        self.assertEqual((await caller.get("/api")).status, 200)

    async def test_a_protocol_that_is_not_named_is_passed_over(self, via: Combination) -> None:
        stage, _ = stage_for(self, via)
        for name in ("chat", "chat/2", "h2c", "TLS/1.2", "HTTP/2.0", ""):
            await self._is_plain(stage, "Connection: Upgrade", f"Upgrade: {name}")

    async def test_so_is_one_that_the_connection_does_not_name(self, via: Combination) -> None:
        stage, _ = stage_for(self, via)
        await self._is_plain(stage, "Upgrade: chat/1")
        await self._is_plain(stage, "Connection: keep-alive", "Upgrade: chat/1")

    async def test_so_is_one_in_a_request_with_a_body(self, via: Combination) -> None:
        stage, _ = stage_for(self, via)
        await self._is_plain(stage, *WISH, method="POST", body=b"body")

    async def test_so_is_one_where_it_is_switched_off(self, via: Combination) -> None:
        stage = Stage(self, via, {"one": {"prefix": "/api", "upgrades": False}})
        await self._is_plain(stage, *SOCKET_WISH)

    async def test_so_is_one_that_wants_the_connection_to_end(self, via: Combination) -> None:
        stage, _ = stage_for(self, via)
        stage.one.answers(200)
        answer = await stage.get("/api", "Connection: Upgrade, close", "Upgrade: chat/1")
        self.assertEqual((answer.status, (await stage.request()).get(b"upgrade")), (200, None))

    @lacks(SWITCH)
    async def test_so_is_any_where_one_of_the_ends_cannot(self, via: Combination) -> None:
        stage, _ = stage_for(self, via)
        await self._is_plain(stage, *WISH)
        await self._is_plain(stage, *SOCKET_WISH)

    async def test_http_1_0_has_no_such_thing(self, via: Combination) -> None:
        stage, _ = stage_for(self, via)
        stage.one.answers(200)
        caller = (await stage.call()).ask("GET", "/api", *WISH, version="HTTP/1.0")
        self.assertEqual((await caller.answer()).status, 200)
        self.assertEqual((await stage.request()).get(b"upgrade"), None)

    @needs(SWITCH)
    async def test_a_route_may_say_something_else_than_its_service(self, via: Combination) -> None:
        routes = [{"path": "/api", "upgrades": {"protocols": ["chat/1"]}}, {"path": "/api/not", "upgrades": False}]
        stage = Stage(self, via, {"one": {"routes": routes}})
        stage.one.does(Respond(SWITCHED), Speaks())
        await switched(stage)
        stage.one.answers(200)
        self.assertEqual((await stage.get("/api/not", *WISH)).status, 200)

    @needs(SWITCH)
    async def test_policies_judge_it_as_any_request(self, via: Combination) -> None:
        stage, _ = stage_for(
            self, via, rate_limit={"limit": 2, "window": "60s"}, required_headers=["X-Key"],
            headers={"set_request": {"X-Set": "1"}, "set_response": {"X-Back": "2"}, "remove_request": ["X-Not"]},
        )  # fmt: skip
        problem(self, await stage.get("/api", *WISH), 400, "missing-header")
        caller = await switched(stage, *WISH, "X-Key: a", "X-Not: b")
        self.assertIn(b"\r\nX-Back: 2\r\n", caller.connection.received)
        asked = await stage.request()
        self.assertEqual((asked.get(b"x-set"), asked.get(b"x-not")), (b"1", None))
        problem(self, await stage.get("/api", *WISH, "X-Key: a"), 429, "rate-limited")
        self.assertEqual(len(stage.one.requests), 1)


@over_tls_too
class AnswerTests(TestCase):
    async def _refused(self, via: Combination, answer: bytes, *fields: str) -> None:
        stage, _ = stage_for(self, via)
        stage.one.does(Respond(answer))
        problem(self, await stage.get("/api", *(fields or WISH)), 502, "bad-response")
        await until(lambda: not stage.one.open_connections, "the end of the connection to the service")

    @needs(SWITCH)
    async def test_a_switch_to_what_was_not_offered_is_a_bad_response(self, via: Combination) -> None:
        for name in (b"chat/2", b"websocket", b"h2c", b"chat/1, x", b""):
            await self._refused(via, SWITCHED.replace(b"chat/1", name))

    @needs(SWITCH)
    async def test_so_is_one_that_does_not_say_what_it_is(self, via: Combination) -> None:
        await self._refused(via, SWITCHED.replace(b"Connection: Upgrade\r\n", b""))
        await self._refused(via, SWITCHED.replace(b"Upgrade: chat/1\r\n", b""))
        await self._refused(via, SWITCHED.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n"))
        await self._refused(via, SWITCHED.replace(b"\r\n\r\n", b"\r\nContent-Length: 3\r\n\r\nabc"))

    async def test_so_is_one_without_an_offer(self, via: Combination) -> None:
        for fields in (("Accept: x",), ("Connection: Upgrade", "Upgrade: h2c")):
            await self._refused(via, SWITCHED, *fields)

    @needs(SWITCH)
    async def test_so_is_a_websocket_that_does_not_prove_to_be_the_one(self, via: Combination) -> None:
        for proof in (
            b"",
            PROOF.encode().replace(b"s3", b"S3") + b"\r\n",
            PROOF.encode() + b"\r\n" + PROOF.encode() + b"\r\n",
        ):
            await self._refused(via, SOCKET_OPEN.replace(PROOF.encode() + b"\r\n", proof), *SOCKET_WISH)

    @needs(SWITCH)
    async def test_a_service_may_refuse(self, via: Combination) -> None:
        stage, _ = stage_for(self, via)
        for status in (400, 401, 403, 404, 426, 500, 200, 204):
            stage.one.does(Answer(status, b"" if status == 204 else b"no", {"Upgrade": "chat/1"}))
            caller = (await stage.call()).ask("GET", "/api", *WISH)
            answer = await caller.answer()
            self.assertEqual((answer.status, answer.get(b"connection")), (status, b"close"))
            await caller.closed()

    @needs(SWITCH)
    async def test_a_connection_to_the_service_that_made_an_offer_carries_no_other_exchange(
        self, via: Combination
    ) -> None:
        stage, _ = stage_for(self, via)
        stage.one.script(Answer(200, b"no")).script(Respond(SWITCHED))
        await stage.get("/api", *WISH)
        problem(self, await stage.get("/api"), 502, "bad-response")
        self.assertEqual(len(stage.one.connections), 2)

    @needs(SWITCH)
    async def test_interim_answers_come_first(self, via: Combination) -> None:
        stage, _ = stage_for(self, via)
        stage.one.does(Respond(b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + SWITCHED), Speaks())
        caller = (await stage.call()).ask("GET", "/api", *WISH)
        await caller.received(b"HTTP/1.1 103 \r\nLink: x\r\n\r\nHTTP/1.1 101 ")

    @needs(SWITCH)
    async def test_a_service_that_says_nothing_has_its_time(self, via: Combination) -> None:
        stage, _ = stage_for(self, via)
        stage.one.does(Speaks())
        caller = (await stage.call()).ask("GET", "/api", *WISH)
        await until(lambda: stage.one.requests)
        stage.advance(31)
        problem(self, await caller.answer(), 504, "response-timeout")


@over_tls_too
class EarlyTests(TestCase):
    @needs(SWITCH)
    async def test_what_a_client_sends_before_the_answer_waits_for_it(self, via: Combination) -> None:
        stage, speaks = stage_for(self, via)
        stage.one.does(speaks)
        caller = (await stage.call()).send(request("GET", "/api/chat", *WISH) + SMUGGLED)
        await until(lambda: speaks.connection)
        caller.send(b"more")
        await a_moment()
        self.assertEqual(speaks.received, b"")
        speaks.write(SWITCHED + b"hello")
        await speaks.has(SMUGGLED + b"more")
        await hears(caller, b"hello")
        self.assertEqual(len(stage.one.requests), 1)

    @needs(SWITCH)
    async def test_it_is_never_read_as_a_request_where_the_service_does_not_switch(self, via: Combination) -> None:
        observer = RecordingObserver()
        stage, _ = stage_for(self, via, observers=[observer])
        for answer in (Answer(200, b"plain"), Answer(426, b""), Answer(200, chunks=(b"plain",))):
            stage.one.does(answer)
            caller = (await stage.call()).send(request("GET", "/api/chat", *WISH) + SMUGGLED)
            await caller.closed()
            self.assertEqual([len(caller.finals), caller.finals[0].status], [1, answer.status])
        self.assertEqual({one.target for one in stage.one.requests}, {"/api/chat"})
        self.assertEqual({one.target for one in observer.summary()}, {"/api/chat"})

    @needs(SWITCH)
    async def test_nor_what_comes_after_the_answer(self, via: Combination) -> None:
        stage, _ = stage_for(self, via)
        stage.one.does(Respond(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab"), Speaks())
        caller = (await stage.call()).send(request("GET", "/api/chat", *WISH))
        await caller.received(b"ab")
        caller.send(SMUGGLED)
        await a_moment()
        stage.one.connections[0].write(b"cd")
        await caller.closed()
        self.assertEqual((caller.finals[0].body, len(stage.one.requests)), (b"abcd", 1))

    @needs(SWITCH)
    async def test_a_client_can_send_no_more_ahead_than_it_is_held_back(self, via: Combination) -> None:
        stage, speaks = stage_for(self, via)
        stage.one.does(speaks)
        caller = (await stage.call()).send(request("GET", "/api/chat", *WISH))
        await until(lambda: speaks.connection)
        caller.send(b"x" * 20_000_000)
        (channel,) = stage.gateway.site.channels
        held: Any = channel
        await until_still(lambda: len(held._intake.reader.put_off))
        self.assertLess(len(held._intake.reader.put_off), 1_000_000)
        speaks.write(SWITCHED)
        await until(lambda: len(speaks.received) == 20_000_000, "all of it")

    async def test_requests_behind_a_wish_that_is_passed_over_are_served(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.answers(200, b"x")
        ask = request("GET", "/api", "Connection: Upgrade", "Upgrade: chat/1")
        caller = (await stage.call()).send(ask * 3 + request("GET", "/api/last"))
        await until(lambda: len(caller.finals) == 4 and caller.finals[3].is_complete, caller)
        self.assertEqual([one.target for one in stage.one.requests][-1], "/api/last")

    @needs(SWITCH)
    async def test_requests_before_it_on_the_same_connection_are_served_first(self, via: Combination) -> None:
        stage, speaks = stage_for(self, via)
        stage.one.script(ReadAll(), Answer(200, b"first")).script(ReadAll(), Answer(200, b"second"))
        caller = await stage.call()
        await caller.get("/api")
        caller.send(request("GET", "/api") + request("GET", "/api", *WISH) + b"early")
        await speaks.has(b"early")
        speaks.write(b"reply")
        await caller.received(b"reply")
        self.assertEqual(caller.connection.received.count(b"HTTP/1.1 "), 3)


@over_tls_too
class RelayTests(TestCase):
    @needs(SWITCH)
    async def test_bytes_pass_both_ways_as_they_are(self, via: Combination) -> None:
        stage, speaks = stage_for(self, via)
        caller = await switched(stage)
        every = bytes(range(256)) * 1000
        caller.send(every)
        await speaks.has(every)
        speaks.write(every)
        await hears(caller, every)

    @needs(SWITCH)
    async def test_each_piece_is_passed_on_before_the_next_one_comes(self, via: Combination) -> None:
        stage, speaks = stage_for(self, via)
        caller = await switched(stage)
        for number in range(5):
            caller.send(b"%d" % number)
            await speaks.has(b"01234"[: number + 1])
            speaks.write(b"%d" % number)
            await hears(caller, b"01234"[: number + 1])

    @needs(SWITCH)
    async def test_a_client_that_does_not_read_holds_the_service_back(self, via: Combination) -> None:
        stage, gate, flood = Stage(self, via, {"one": CHAT}), Gate(), Flood(LARGE)
        stage.one.does(Respond(SWITCHED), gate, flood, Close())
        caller = await switched(stage)
        caller.connection.stop_reading()
        gate.open()
        self.assertLess(await until_still(lambda: relay_of(stage).bytes_out), HELD)
        caller.connection.read_again()
        await caller.closed()
        self.assertEqual((len(behind_head(caller)), flood.sent), (LARGE, LARGE))

    @needs(SWITCH)
    async def test_a_service_that_does_not_read_holds_the_client_back(self, via: Combination) -> None:
        observer = RecordingObserver()
        stage, speaks = stage_for(self, via, observers=[observer])
        caller = await switched(stage)
        assert speaks.connection is not None
        speaks.connection.read(False)
        caller.send(b"x" * 40_000_000)
        self.assertLess(await until_still(lambda: relay_of(stage).bytes_in), HELD)
        speaks.connection.read(True)
        await until(lambda: len(speaks.received) == 40_000_000, "all of it")

    @needs(SWITCH)
    @only(CHANNEL)
    async def test_half_of_a_connection_may_be_closed(self, via: Combination) -> None:
        url, services = switching_service(self)
        observer = RecordingObserver()
        stage = Stage(self, via, {"one": {**CHAT, "targets": [url]}}, observers=[observer])
        client = await connect(stage.port, Halved)
        client.transport.write(request("GET", "/api", *WISH) + b"question")
        await until(lambda: services and services[0].heard == b"question")
        client.transport.loseWriteConnection()
        await until(lambda: services[0].is_over, services)
        services[0].transport.write(b"answer")
        await until(lambda: client.received.endswith(b"answer"), client)
        services[0].transport.loseConnection()
        await until(lambda: client.lost is not None or client.is_over, client)
        client.transport.loseConnection()
        await until(lambda: observer.exchanges, observer)
        self.assertEqual([one[2:4] for one in observer.summary()], [(101, None)])

    @needs(SWITCH)
    @only(CHANNEL)
    async def test_the_service_may_close_its_half(self, via: Combination) -> None:
        url, services = switching_service(self)
        stage = Stage(self, via, {"one": {**CHAT, "targets": [url]}})
        client = await connect(stage.port, Halved)
        client.transport.write(request("GET", "/api", *WISH))
        await until(lambda: b"\r\n\r\n" in client.received)
        services[0].transport.loseWriteConnection()
        await until(lambda: client.is_over, client)
        client.transport.write(b"last")
        await until(lambda: services[0].heard == b"last", services)
        client.transport.loseConnection()
        await until(lambda: services[0].lost is not None or services[0].is_over, services)

    @needs(SWITCH)
    async def test_it_is_the_same_with_a_service_behind_tls(self, via: Combination) -> None:
        secure, speaks = SecureServices(self), Speaks()
        service, url = secure.service()
        service.does(Respond(SWITCHED + b"hello"), speaks)
        observer = RecordingObserver()
        tls = {"tls": {"ca": secure.ca}}
        stage = Stage(self, via, {"one": {**CHAT, **tls, "targets": [url]}}, observers=[observer])
        caller = (await stage.call()).send(request("GET", "/api", *WISH) + b"early")
        await speaks.has(b"early")
        every = bytes(range(256)) * 20_000
        caller.send(every)
        await speaks.has(b"early" + every)
        speaks.write(every)
        await hears(caller, b"hello" + every)
        assert speaks.connection is not None
        speaks.connection.close()
        await caller.closed()
        await until(lambda: observer.exchanges, observer)
        self.assertEqual([one[2:4] for one in observer.summary()], [(101, None)])

    @needs(SWITCH)
    async def test_what_was_sent_before_an_end_arrives(self, via: Combination) -> None:
        stage, _ = stage_for(self, via)
        stage.one.does(Respond(SWITCHED + b"x" * 3_000_000), Close())
        caller = (await stage.call()).ask("GET", "/api", *WISH)
        await caller.closed()
        self.assertEqual(len(caller.connection.received.partition(b"\r\n\r\n")[2]), 3_000_000)

    @needs(SWITCH)
    async def test_who_went_away_without_a_word_is_told(self, via: Combination) -> None:
        observer = RecordingObserver()
        stage, speaks = stage_for(self, via, observers=[observer])
        caller = await switched(stage)
        caller.connection.reset()
        await until(lambda: observer.exchanges, observer)
        await until(lambda: not speaks.is_open, speaks)
        stage.one.does(Respond(SWITCHED), Reset())
        await (await stage.call()).ask("GET", "/api", *WISH).closed()
        await until(lambda: len(observer.exchanges) == 2, observer)
        self.assertEqual([one.cause for one in observer.summary()], ["client-gone", "connection-lost"])

    @needs(SWITCH)
    async def test_its_record_tells_of_all_that_passed(self, via: Combination) -> None:
        observer = RecordingObserver()
        stage, speaks = stage_for(self, via, observers=[observer])
        caller = await switched(stage)
        caller.send(b"12345")
        await speaks.has(b"12345")
        speaks.write(b"123")
        await hears(caller, b"123")
        self.assertEqual(observer.exchanges, [])
        stage.advance(100)
        caller.connection.close()
        await until(lambda: observer.exchanges, observer)
        (one,) = observer.exchanges
        self.assertEqual((one.status, one.cause, one.bytes_in, one.bytes_out), (101, None, 5, 3))
        self.assertEqual((one.service, one.target, one.attempts), ("one", stage.target().url, 1))
        self.assertGreater(one.ended - one.started, 100)
        self.assertLess(one.answered - one.started, 100)


@over_tls_too
class BoundTests(TestCase):
    @needs(SWITCH)
    async def test_it_takes_no_place_of_an_exchange(self, via: Combination) -> None:
        stage, _ = stage_for(self, via, pool={"connections": 1, "waiting": 0}, max_in_flight=1, limits={"exchanges": 1})
        for _ in range(3):
            await switched(stage)
        stage.one.answers(200)
        self.assertEqual((await stage.get("/api")).status, 200)
        self.assertEqual(stage.target().transport.statistics()["open"], 1)
        self.assertEqual(stage.gateway.snapshot.services["one"].in_flight, 0)

    @needs(SWITCH)
    async def test_but_its_target_has_it_in_flight(self, via: Combination) -> None:
        stage, _ = stage_for(self, via)
        callers = [await switched(stage) for _ in range(3)]
        self.assertEqual(stage.target().in_flight, 3)
        for caller in callers:
            caller.connection.close()
        await until(lambda: stage.target().in_flight == 0, stage.target())

    @needs(SWITCH)
    async def test_there_are_as_many_as_there_may_be(self, via: Combination) -> None:
        stage, _ = stage_for(self, via, upgrades={"protocols": ["chat/1"], "most": 2})
        first, _ = await switched(stage), await switched(stage)
        refused = await stage.get("/api", *WISH)
        problem(self, refused, 503, "service-overloaded")
        self.assertEqual((refused.get(b"retry-after"), len(stage.one.requests)), (b"30", 2))
        first.connection.close()
        await until(lambda: stage.target().in_flight == 1, stage.target())
        await switched(stage)

    @needs(SWITCH)
    async def test_with_a_split_they_count_where_they_lead(self, via: Combination) -> None:
        rules = [{"service": "next", "headers": {"X-Canary": "always"}}]
        own = {**CHAT, "split": rules, "upgrades": {"protocols": ["chat/1"], "most": 1}}
        stage = Stage(self, via, {"one": own, "next": {}})
        for service in stage.services.values():
            service.does(Respond(SWITCHED), Speaks())
        await switched(stage, *WISH, "X-Canary: always")
        problem(self, await stage.get("/api", *WISH, "X-Canary: always"), 503, "service-overloaded")
        services = stage.gateway.snapshot.services
        self.assertEqual([len(services[name].relays.open) for name in ("one", "next")], [0, 1])
        await switched(stage)
        self.assertEqual([len(services[name].relays.open) for name in ("one", "next")], [1, 1])

    @needs(SWITCH)
    async def test_those_that_are_answered_at_once_are_no_more_than_that(self, via: Combination) -> None:
        stage, _ = stage_for(self, via, upgrades={"protocols": ["chat/1"], "most": 1})
        stage.one.does(Speaks())
        callers = [(await stage.call()).ask("GET", "/api", *WISH) for _ in range(2)]
        await until(lambda: len(stage.one.requests) == 2)
        stage.one.connections[0].write(SWITCHED)
        stage.one.connections[1].write(SWITCHED)
        await until(lambda: all(caller.connection.received for caller in callers), callers)
        self.assertEqual(sorted(caller.connection.received[9:12] for caller in callers), [b"101", b"503"])

    @needs(SWITCH)
    async def test_it_counts_among_the_connections_of_clients(self, via: Combination) -> None:
        stage, _ = stage_for(self, via, limits={"connections_per_client": 2})
        callers = [await switched(stage) for _ in range(2)]
        self.assertEqual(stage.gateway.site.connections.describe()["open"], 2)
        third = await stage.call()
        await third.closed()
        self.assertTrue(all(caller.is_open for caller in callers))
        callers[0].connection.close()
        await until(lambda: stage.gateway.site.connections.describe()["open"] == 1)
        await switched(stage)

    @needs(SWITCH)
    async def test_the_pages_tell_how_many_there_are(self, via: Combination) -> None:
        stage, speaks = stage_for(self, via)
        await (first := await switched(stage)).received(b"101")
        first.send(b"12345")
        await speaks.has(b"12345")
        speaks.write(b"123")
        await hears(first, b"123")
        expected = {"open": 1, "total": 1, "bytes_in": 5, "bytes_out": 3}
        for is_open in (1, 0):
            stats = json.loads((await stage.get("/gateway/stats")).body)
            self.assertEqual(stats["services"]["one"]["relays"], {**expected, "open": is_open})
            metrics = (await stage.get("/gateway/metrics")).body.decode()
            self.assertIn(f'apigateway_relays{{service="one"}} {is_open}\n', metrics)
            self.assertIn('apigateway_relays_total{service="one"} 1\n', metrics)
            self.assertIn('apigateway_relay_bytes_total{service="one",direction="in"} 5\n', metrics)
            self.assertIn('apigateway_relay_bytes_total{service="one",direction="out"} 3\n', metrics)
            first.connection.close()
            await until(lambda: stage.target().in_flight == 0)

    @needs(SWITCH)
    async def test_how_long_it_lasted_is_no_latency(self, via: Combination) -> None:
        stage, _ = stage_for(self, via)
        caller = await switched(stage)
        stage.advance(100)
        caller.connection.close()
        await until(lambda: stage.target().in_flight == 0)
        stats = json.loads((await stage.get("/gateway/stats")).body)["since_start"]["services"]["one"]
        self.assertEqual(stats["statuses"], {"1xx": 1})
        self.assertLess(stats["latency_ms"]["total"]["max"], 50_000)


@over_tls_too
class EndTests(TestCase):
    @needs(SWITCH)
    async def test_one_that_is_idle_for_too_long_ends(self, via: Combination) -> None:
        observer = RecordingObserver()
        stage, speaks = stage_for(self, via, upgrades={"protocols": ["chat/1"], "idle": "8s"}, observers=[observer])
        stage.hold_time()
        caller = await switched(stage)
        for step in range(20):
            stage.advance(3)
            (caller.send if step % 2 else speaks.write)(b".")
            await until(lambda: len(speaks.received) >= (step + 1) // 2, speaks)  # noqa: B023
            await a_moment()
        self.assertTrue(caller.is_open)
        # It may look at the last byte now or with the next sweep but a second later.
        for seconds in (1, 6):
            stage.advance(seconds)
            await a_moment()
        self.assertTrue(caller.is_open)
        for _ in range(3):
            stage.advance(1)
            await a_moment()
        await caller.closed()
        await until(lambda: observer.exchanges, observer)
        self.assertEqual(observer.summary()[0].cause, "idle-timeout")

    @needs(SWITCH)
    async def test_a_stop_waits_for_it_and_then_cuts_it(self, via: Combination) -> None:
        observer = RecordingObserver()
        stage, speaks = stage_for(self, via, observers=[observer], stop={"accept": "0s", "drain": "20s"})
        caller = await switched(stage)
        stopping = stage.gateway.stopService()
        await a_moment()
        caller.send(b"still there")
        await speaks.has(b"still there")
        stage.advance(21)
        await stopping
        await caller.closed()
        self.assertEqual([one[2:4] for one in observer.summary()], [(101, "stopping")])

    @needs(SWITCH)
    async def test_a_stop_does_not_wait_where_there_is_none(self, via: Combination) -> None:
        stage, _ = stage_for(self, via, stop={"accept": "0s", "drain": "3600s"})
        caller = await switched(stage)
        stopping = stage.gateway.stopService()
        await a_moment()
        caller.connection.close()
        await stopping

    @needs(SWITCH)
    @only(CHANNEL)
    async def test_it_lives_through_reloads_that_leave_nothing_of_its_service(self, via: Combination) -> None:
        stage, speaks = stage_for(self, via)
        caller = await switched(stage)
        before = stage.configuration
        other = replace(before.services[0], name="other", targets=(replace(before.services[0].targets[0]),))
        listen = tuple(replace(one, endpoint="tcp:0:interface=127.0.0.2") for one in before.listen)
        for _ in range(2):
            self.assertEqual(await stage.gateway.change(replace(before, services=(other,), listen=listen)), ())
            stage.advance(1)
            await a_moment()
            caller.send(b"a")
            self.assertEqual(await stage.gateway.change(replace(before, stop=Stop(0.0, 0.0))), ())
        await speaks.has(b"aa")
        speaks.write(b"b")
        await hears(caller, b"b")

    @needs(SWITCH)
    @only(CHANNEL)
    async def test_it_keeps_nothing_of_an_old_configuration(self, via: Combination) -> None:
        stage, _ = stage_for(self, via)
        caller = await switched(stage)
        other = replace(stage.configuration.services[0], name="other")
        await stage.gateway.change(replace(stage.configuration, services=(other,)))
        registry = stage.gateway._assembly.registry
        await until(lambda: "snapshots=1" in repr(registry), registry)
        (left,) = registry.left("relays")
        self.assertEqual(len(left.open), 1)
        caller.connection.close()
        await until(lambda: not registry.left("relays"), registry)


class CauseTests(TestCase):
    def test_all_causes_that_a_relay_ends_with_are_explained(self) -> None:
        self.assertLessEqual({"client-gone", "connection-lost", "idle-timeout", "stopping"}, CAUSES.keys())
