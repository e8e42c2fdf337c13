"""The ordered stop: not ready, no new connections, the running exchanges' time, and then the end."""

from __future__ import annotations

import json

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.trial.unittest import TestCase

from apigateway.testing.steps import Answer, ReadAll, Respond
from tests.behaviour.combinations import Combination, lacks, needs, over_all_combinations
from tests.behaviour.stage import Stage
from tests.behaviour.steps import Gate
from tests.behaviour.waiting import a_moment, until


def begin_to_stop(stage: Stage) -> list[object]:
    """Begin to stop; the list that comes back holds something when that is done."""
    done: list[object] = []
    stopping: Deferred[None] = stage.gateway.stopService()
    stopping.addCallback(done.append)
    return done


@over_all_combinations
class StopTests(TestCase):
    @needs("connections that end with the stop")
    async def test_at_first_it_only_stops_being_ready(self, via: Combination) -> None:
        stage = Stage(self, via, stop={"accept": "150ms", "drain": "30s"})
        kept = await stage.call()
        self.assertEqual((await kept.get("/health/ready")).status, 200)
        done = begin_to_stop(stage)
        self.assertEqual((await kept.get("/health/ready")).status, 503)
        self.assertEqual(json.loads((await kept.get("/")).body)["status"], "stopping")
        new = await stage.call()
        self.assertEqual((await new.get("/api")).status, 200)
        self.assertEqual(done, [])
        await until(lambda: done, "the end of the stop")
        await kept.closed()
        await new.closed()

    @needs("connections that end with the stop")
    async def test_then_new_connections_are_refused(self, via: Combination) -> None:
        stage = Stage(self, via, stop={"accept": 0, "drain": "30s"})
        gate = Gate()
        stage.one.does(ReadAll(), gate, Answer())
        running = (await stage.call()).ask("GET", "/api")
        await until(lambda: gate.waiting, gate)
        done = begin_to_stop(stage)
        await until(lambda: not stage.gateway.ports, "the end of the ports")
        with self.assertRaises(Refused):
            await stage.call()
        gate.open()
        self.assertEqual((await running.answer()).status, 200)
        await until(lambda: done, "the end of the stop")

    @needs("connections that end with the stop")
    async def test_running_exchanges_finish_and_say_that_the_connection_ends(self, via: Combination) -> None:
        stage = Stage(self, via, stop={"accept": 0, "drain": "30s"})
        gate = Gate()
        stage.one.does(ReadAll(), gate, Answer(200, b"in the end"))
        running = (await stage.call()).ask("POST", "/api", body=b"x")
        await until(lambda: gate.waiting, gate)
        done = begin_to_stop(stage)
        await a_moment()
        self.assertTrue(running.is_open)
        gate.open()
        answer = await running.answer()
        self.assertEqual((answer.body, answer.get(b"connection")), (b"in the end", b"close"))
        await running.closed()
        await until(lambda: done, "the end of the stop")

    @needs("connections that end with the stop")
    async def test_answers_that_have_begun_finish_too(self, via: Combination) -> None:
        stage = Stage(self, via, stop={"accept": 0, "drain": "30s"})
        gate = Gate()
        stage.one.does(ReadAll(), Respond(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab"), gate, Respond(b"cd"))
        running = (await stage.call()).ask("GET", "/api")
        await running.received(b"ab")
        done = begin_to_stop(stage)
        await a_moment()
        gate.open()
        self.assertEqual((await running.answer()).body, b"abcd")
        await running.closed()
        await until(lambda: done, "the end of the stop")

    @needs("connections that end with the stop")
    async def test_connections_without_an_exchange_end_at_once(self, via: Combination) -> None:
        stage = Stage(self, via, stop={"accept": 0, "drain": "30s"})
        idle, silent = await stage.call(), await stage.call()
        await idle.get("/api")
        done = begin_to_stop(stage)
        await idle.closed()
        await silent.closed()
        await until(lambda: done, "the end of the stop")

    @needs("connections that end with the stop")
    async def test_a_pipelined_request_behind_the_last_is_not_begun(self, via: Combination) -> None:
        stage = Stage(self, via, stop={"accept": 0, "drain": "30s"})
        gate = Gate()
        stage.one.does(ReadAll(), gate, Answer())
        running = (await stage.call()).ask("GET", "/api/1").ask("GET", "/api/2")
        await until(lambda: gate.waiting, gate)
        done = begin_to_stop(stage)
        await a_moment()
        gate.open()
        await running.closed()
        await until(lambda: done, "the end of the stop")
        self.assertEqual([one.target for one in stage.one.requests], ["/api/1"])

    @needs("connections that end with the stop")
    async def test_after_30_s_the_rest_is_cut(self, via: Combination) -> None:
        stage = Stage(self, via, {"one": {"prefix": "/api", "timeouts": {"response": "1h"}}}, stop={"accept": 0})
        gate = Gate()
        stage.one.does(ReadAll(), gate)
        running = (await stage.call()).ask("GET", "/api")
        await until(lambda: gate.waiting, gate)
        done = begin_to_stop(stage)
        await a_moment()
        stage.advance(29)
        await a_moment()
        self.assertEqual((done, running.is_open), ([], True))
        stage.advance(2)
        await running.closed()
        await until(lambda: done, "the end of the stop")
        await until(lambda: not stage.one.open_connections, "the end of the request to the service")

    async def test_connections_to_services_end_with_it(self, via: Combination) -> None:
        stage = Stage(self, via)
        await stage.get("/api")
        await stage.stop()
        await until(lambda: not stage.one.open_connections, "the end of the idle connection")

    async def test_a_gateway_that_nobody_talks_to_has_nothing_to_drain(self, via: Combination) -> None:
        stage = Stage(self, via, stop={"accept": 0, "drain": "1h"})
        await stage.stop()

    @lacks("connections that end with the stop")
    async def test_a_stock_site_is_stopped_by_whoever_started_it(self, via: Combination) -> None:
        stage = Stage(self, via, stop={"accept": 0, "drain": "1h"})
        caller = await stage.call()
        await caller.get("/api")
        await stage.stop()
        self.assertTrue(caller.is_open)
