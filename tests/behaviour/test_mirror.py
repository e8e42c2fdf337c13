"""Requests that are sent a second time: whatever becomes of the copies, those who sent the originals never notice."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from twisted.trial.unittest import TestCase

from apigateway.testing.parts import Garbage, Head, ReadSome
from apigateway.testing.steps import Answer, Close, ReadAll, Reset, Respond, Stall, Step, StopReading
from apigateway.upstream.mirroring.mirror import MOST_READ, Mirror
from tests.behaviour.caller import MIB, held_on_the_way
from tests.behaviour.combinations import Combination, needs, over_all_combinations
from tests.behaviour.load import Load
from tests.behaviour.stage import Options, Stage, logged
from tests.behaviour.steps import Flood, Gate, HoldLittle
from tests.behaviour.waiting import a_moment, until

NATIVE = Combination("channel", "native")


def mirrored(
    test: TestCase, via: Combination, mirror: Options | None = None, shadow: Options | None = None, **top: Any
) -> Stage:
    """A service `one` at `/api`, all of whose requests are sent again to `shadow`."""
    whole = {"service": "shadow", "methods": ["*"], **(mirror or {})}
    stage = Stage(test, via, {"one": {"prefix": "/api", "mirror": whole}, "shadow": shadow or {}}, **top)
    stage.services["one"].answers(200, b"mine")
    stage.services["shadow"].answers(404, b"nobody's")
    return stage


def mirror_of(stage: Stage) -> Mirror:
    """The first mirror of the first route."""
    return stage.gateway.snapshot.routes[0].mirrors[0]


async def over(stage: Stage) -> dict[str, int]:
    """What is counted, once no copy is under way; without what is zero."""
    counts = mirror_of(stage).counts
    await until(lambda: not counts.in_flight, counts)
    return {name: count for name, count in counts.describe().items() if count}


@over_all_combinations
class CopyTests(TestCase):
    async def test_the_shadow_gets_the_same_request_and_nobody_its_answer(self, via: Combination) -> None:
        stage = mirrored(self, via)
        answer = await stage.ask("POST", "/api/x?y", "X-A: 1", body=b"order")
        self.assertEqual((answer.status, answer.body), (200, b"mine"))
        shadow = stage.services["shadow"]
        await until(lambda: shadow.requests and shadow.requests[0].is_complete, shadow)
        (request,) = shadow.requests
        self.assertEqual((request.method, request.target, request.body), ("POST", "/api/x?y", b"order"))
        self.assertEqual((request.get(b"x-a"), request.get(b"x-gateway-mirror")), (b"1", b"one"))
        self.assertEqual(request.get(b"host"), b"127.0.0.1:%d" % stage.port_of("shadow"))
        self.assertEqual(request.get(b"x-request-id"), answer.get(b"x-request-id"))
        self.assertIsNone(stage.one.requests[0].get(b"x-gateway-mirror"))
        self.assertEqual(await over(stage), {"sent": 1})

    async def test_what_marks_a_copy_is_never_the_clients_word(self, via: Combination) -> None:
        stage = mirrored(self, via)
        spelled = ("X-Gateway-Mirror: me", "x_gateway_mirror: me", "X-Gateway_Mirror: me")
        caller = (await stage.call()).ask("PUT", "/api", *spelled, "Transfer-Encoding: chunked")
        caller.send(b"1\r\nx\r\n0\r\nX-Gateway-Mirror: me\r\nX_Gateway_Mirror: me\r\n\r\n")
        self.assertEqual((await caller.answer()).status, 200)
        self.assertEqual(await over(stage), {"sent": 1})
        (copy,) = stage.services["shadow"].requests
        fields = [*copy.fields, *copy.trailers]
        marks = [value for name, value in fields if name.lower().replace(b"_", b"-") == b"x-gateway-mirror"]
        self.assertEqual(marks, [b"one"])

    async def test_a_kept_connection_carries_on_with_and_without_bodies(self, via: Combination) -> None:
        stage = mirrored(self, via)
        caller = await stage.call()
        for number in range(10):
            body = b"x" * (number % 3)
            self.assertEqual((await caller.ask("PUT", f"/api/{number}", body=body).answer()).body, b"mine")
        self.assertEqual(await over(stage), {"sent": 10})
        shadow = stage.services["shadow"]
        self.assertEqual(
            [(request.target, request.body) for request in shadow.requests],
            [(f"/api/{number}", b"x" * (number % 3)) for number in range(10)],
        )
        self.assertLess(len(shadow.connections), 10, "its connections are used again")

    async def test_safe_methods_only_unless_told_otherwise(self, via: Combination) -> None:
        services: dict[str, Options] = {"one": {"prefix": "/api", "mirror": {"service": "shadow"}}, "shadow": {}}
        stage = Stage(self, via, services)
        for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
            self.assertEqual((await stage.ask(method, "/api")).status, 200)
        self.assertEqual(await over(stage), {"sent": 2})
        self.assertEqual([request.method for request in stage.services["shadow"].requests], ["GET", "OPTIONS"])

    async def test_a_body_above_the_bound_goes_to_the_service_only(self, via: Combination) -> None:
        stage = mirrored(self, via, {"max_body": "1KiB"})
        caller = await stage.call()
        for size in (1024, 1025, 300_000):
            self.assertEqual((await caller.ask("PUT", "/api", body=b"x" * size).answer()).status, 200)
        self.assertEqual(await over(stage), {"sent": 1, "too_large": 2})
        self.assertEqual([len(request.body) for request in stage.one.requests], [1024, 1025, 300_000])

    @needs("streamed uploads")
    async def test_a_body_of_unknown_length_is_sent_again_when_it_is_complete_or_not_at_all(
        self, via: Combination
    ) -> None:
        stage = mirrored(self, via, {"max_body": "1KiB"})
        await self.upload(stage, 1000)
        self.assertEqual(await over(stage), {"sent": 1})
        await self.upload(stage, 2000)
        self.assertEqual(await over(stage), {"sent": 1, "too_large": 1})
        self.assertEqual([request.body for request in stage.services["shadow"].requests], [b"x" * 1000])

    async def upload(self, stage: Stage, size: int) -> None:
        """Send a body in chunks of 100 bytes, and its end when the service has all the rest."""
        requests, before = stage.one.requests, len(stage.one.requests)
        caller = await stage.call()
        caller.send(b"PUT /api HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        caller.send((b"64\r\n" + b"x" * 100 + b"\r\n") * (size // 100))
        await until(lambda: len(requests) > before and requests[-1].size == size, stage.one)
        self.assertEqual(len(stage.services["shadow"].requests), before, "nothing is sent before the end")
        caller.send(b"0\r\n\r\n")
        self.assertEqual((await caller.answer()).status, 200)

    async def test_the_access_log_has_only_what_clients_asked_for_and_the_statistics_tell_both_apart(
        self, via: Combination
    ) -> None:
        log = self.mktemp()
        stage = mirrored(self, via, access_log={"file": log})
        for _ in range(3):
            await stage.get("/api")
        await over(stage)
        self.assertEqual([entry["service"] for entry in await logged(log, 3)], ["one"] * 3)
        told = json.loads((await stage.get("/gateway/stats")).body)
        self.assertEqual(told["services"]["shadow"]["mirrored"]["/api (mirrored)"]["sent"], 3)
        since = told["since_start"]
        self.assertEqual(since["services"]["shadow"]["routes"]["/api (mirrored)"]["statuses"], {"4xx": 3})
        self.assertEqual(since["services"]["one"]["routes"]["/api"]["statuses"], {"2xx": 3})
        self.assertEqual(since["all"]["statuses"], {"2xx": 3})
        metrics = (await stage.get("/gateway/metrics")).body
        self.assertIn(b'apigateway_mirror_sent_total{service="shadow",route="/api (mirrored)"} 3', metrics)

    async def test_a_client_that_goes_away_leaves_the_copy_alone(self, via: Combination) -> None:
        stage = mirrored(self, via)
        gates = [Gate(), Gate()]
        for service, gate in zip(stage.services.values(), gates, strict=True):
            service.does(ReadAll(), gate, Answer())
        caller = (await stage.call()).ask("GET", "/api")
        await until(lambda: all(gate.waiting for gate in gates), gates)
        caller.connection.transport.abortConnection()  # type: ignore[union-attr]  # a real socket's has it
        await until(lambda: not stage.gateway.snapshot.services["one"].in_flight, stage.one)
        self.assertEqual(mirror_of(stage).counts.in_flight, 1)
        gates[1].open()
        self.assertEqual(await over(stage), {"sent": 1})


TROUBLE: dict[str, Callable[[], tuple[Step, ...]]] = {
    "hangs": lambda: (Stall(),),
    "hangs after the request": lambda: (ReadAll(), Stall()),
    "reads slowly": lambda: (HoldLittle(), StopReading(), Stall()),
    "reads a little": lambda: (ReadSome(1), StopReading(), Stall()),
    "closes": lambda: (Close(),),
    "resets": lambda: (Reset(),),
    "dies in the middle of a body": lambda: (ReadAll(), Head(200, length=10), Respond(b"12345"), Reset()),
    "stops in the middle of a body": lambda: (ReadAll(), Head(200, length=10), Respond(b"12345"), Stall()),
    "answers garbage": lambda: (ReadAll(), Garbage()),
    "answers before the body": lambda: (Answer(413), Close()),
}
"""What a shadow may do."""


@over_all_combinations
class TroubleTests(TestCase):
    """Whatever the shadow does, each client gets its answer, and of the copies nothing is left when time is up."""

    async def test_whatever_the_shadow_does_clients_get_their_answers(self, via: Combination) -> None:
        stage = mirrored(self, via, {"in_flight": 8}, {"circuit_breaker": False}, limits={"lag": False})
        for trouble, steps in TROUBLE.items():
            stage.services["shadow"].does(*steps())
            caller = await stage.call()
            for method, body in (("GET", b""), ("POST", b"x" * 20_000)):
                for _ in range(5):
                    answer = await caller.ask(method, "/api", body=body).answer()
                    self.assertEqual((answer.status, answer.body), (200, b"mine"), trouble)
            stage.advance(100)
            await over(stage)
        counts = mirror_of(stage).counts
        self.assertEqual(counts.sent + counts.too_many, len(TROUBLE) * 10)
        self.assertEqual(len(stage.one.requests), len(TROUBLE) * 10)
        service = stage.gateway.snapshot.services["shadow"]
        self.assertEqual((service.in_flight, stage.target("shadow").in_flight), (0, 0))
        self.assertEqual((stage.target().failures, stage.target().in_flight), (0, 0))

    async def test_a_shadow_that_is_not_there_is_nobodys_business(self, via: Combination) -> None:
        stage = mirrored(self, via)
        await stage.close_service("shadow")
        caller = await stage.call()
        for _ in range(8):
            self.assertEqual((await caller.get("/api")).status, 200)
        self.assertEqual(await over(stage), {"sent": 8, "failed": 8})
        self.assertEqual(stage.target("shadow").attempts, 5, "its breaker is open")

    async def test_copies_above_the_bound_are_dropped_and_originals_are_not(self, via: Combination) -> None:
        stage = mirrored(self, via, {"in_flight": 5}, limits={"exchanges": 6})
        stage.services["shadow"].does(Stall())
        caller = await stage.call()
        for _ in range(20):
            self.assertEqual((await caller.get("/api")).status, 200)
        counts = mirror_of(stage).counts
        self.assertEqual((counts.sent, counts.too_many, counts.in_flight), (5, 15, 5))
        self.assertEqual(stage.gateway.snapshot.services["one"].everyone, set(), "copies take nobody's room")
        stage.advance(31)
        self.assertEqual(await over(stage), {"sent": 5, "failed": 5, "too_many": 15})

    async def test_of_an_answer_without_end_little_is_read(self, via: Combination) -> None:
        stage = mirrored(self, via)
        flood = Flood(1024 * MIB)
        stage.services["shadow"].does(ReadAll(), Head(200, length=1024 * MIB), flood)
        caller = await stage.call()
        self.assertEqual((await caller.get("/api")).body, b"mine")
        self.assertEqual(await over(stage), {"sent": 1})
        self.assertLess(flood.sent, MOST_READ + held_on_the_way())
        self.assertGreater(flood.sent, MOST_READ // 2)
        await until(lambda: not stage.services["shadow"].open_connections, "the end of its connection")

    async def test_neither_a_retry_nor_a_fallback_is_made_of_a_copy(self, via: Combination) -> None:
        services: dict[str, Options] = {
            "one": {"prefix": "/api", "mirror": {"service": "shadow"}},
            "shadow": {"targets": ["a", "b"], "fallback": {"service": "one"}, "retries": {"attempts": 3}},
        }
        stage = Stage(self, via, services)
        for name in ("a", "b"):
            stage.services[name].does(ReadAll(), Close())
        self.assertEqual((await stage.get("/api")).status, 200)
        self.assertEqual(await over(stage), {"sent": 1, "failed": 1})
        self.assertEqual(len(stage.services["a"].requests) + len(stage.services["b"].requests), 1)
        await a_moment()
        self.assertEqual(len(stage.one.requests), 1)


class ShareTests(TestCase):
    timeout = 600

    async def test_of_ten_thousand_requests_just_those_are_sent_again_that_the_numbers_say(self) -> None:
        stage = mirrored(self, NATIVE, {"share": "10%", "in_flight": 10_000})
        mirror_of(stage)._random = Random(7).random
        load = Load("/api")
        load.begin(lambda: stage.port, 20, keep=True)
        await load.more(10_000)
        await load.end()
        self.assertEqual(load.lost, [])
        again = Random(7)
        expected = sum(again.random() < 0.1 for _ in range(load.answered))
        self.assertEqual(await over(stage), {"sent": expected})
        self.assertLess(abs(expected - load.answered * 0.1), 6 * (load.answered * 0.09) ** 0.5)


class StopTests(TestCase):
    async def test_a_stop_does_not_wait_for_copies(self) -> None:
        for transport in ("native", "treq"):
            stage = mirrored(self, Combination("channel", transport), stop={"accept": "0s", "drain": "1h"})
            stage.services["shadow"].does(Stall())
            self.assertEqual((await stage.get("/api")).status, 200)
            counts = mirror_of(stage).counts
            await until(lambda stage=stage: stage.services["shadow"].requests, counts)  # type: ignore[misc]  # a default binds the loop's value
            self.assertEqual(counts.in_flight, 1)
            await stage.stop()
            self.assertEqual(counts.in_flight, 0)
            await until(lambda stage=stage: not stage.services["shadow"].open_connections, counts)  # type: ignore[misc]  # as above

    async def test_copies_survive_a_reload_and_are_counted_on(self) -> None:
        stage = mirrored(self, NATIVE)
        gate = Gate()
        stage.services["shadow"].does(ReadAll(), gate, Answer())
        await stage.get("/api")
        before = mirror_of(stage).counts
        await until(lambda: gate.waiting, gate)
        one, shadow = stage.configuration.services
        changed = replace(stage.configuration, services=(one, replace(shadow, max_in_flight=7)))
        self.assertEqual(await stage.gateway.change(changed), ())
        self.assertIs(mirror_of(stage).counts, before)
        gate.open()
        await stage.get("/api")
        self.assertEqual(await over(stage), {"sent": 2})

    async def test_copies_to_a_service_that_is_gone_after_a_reload_have_their_time_and_no_more(self) -> None:
        stage = mirrored(self, NATIVE)
        stage.services["shadow"].does(Stall())
        await stage.get("/api")
        mirror, shadow = mirror_of(stage), stage.services["shadow"]
        await until(lambda: shadow.requests, shadow)
        one, _ = stage.configuration.services
        plain = replace(one, routes=(replace(one.routes[0], mirror=()),))
        self.assertEqual(await stage.gateway.change(replace(stage.configuration, services=(plain,))), ())
        self.assertEqual((await stage.get("/api")).status, 200)
        self.assertEqual((len(shadow.requests), mirror.counts.in_flight), (1, 1))
        stage.advance(31)
        await until(lambda: not mirror.counts.in_flight, mirror)
        await until(lambda: not shadow.open_connections, shadow)
