"""The ordered stop: not ready, no new connections, the running exchanges' time, and then the end."""

from __future__ import annotations

import json

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.trial.unittest import TestCase

from apigateway.testing.steps import Answer, ReadAll, Respond
from tests.behaviour.combinations import Combination, lacks, needs, over_tls_too
from tests.behaviour.stage import Stage, logged, problem
from tests.behaviour.steps import Gate
from tests.behaviour.waiting import a_moment, until


def begin_to_stop(stage: Stage) -> list[object]:
    """Begin to stop; the list that comes back holds something when that is done."""
    done: list[object] = []
    stopping: Deferred[None] = stage.gateway.stopService()
    stopping.addCallback(done.append)
    return done


@over_tls_too
class StopTests(TestCase):
    @needs("connections that end with the stop")
    async def test_at_first_it_only_stops_being_ready(self, via: Combination) -> None:
        stage = Stage(self, via, stop={"accept": "10s", "drain": "30s"}).hold_time()
        kept, resting = await stage.call(), await stage.call()
        self.assertEqual((await kept.get("/health/ready")).status, 200)
        await resting.get("/api")
        done = begin_to_stop(stage)
        self.assertEqual((await kept.get("/health/ready")).status, 503)
        self.assertEqual(json.loads((await stage.get("/")).body)["status"], "stopping")
        self.assertEqual((await stage.get("/api")).status, 200)
        self.assertEqual((done, resting.is_open), ([], True))
        stage.advance(10)
        await until(lambda: done, "the end of the stop")
        await resting.closed()

    @needs("connections that end with the stop")
    async def test_from_its_beginning_answers_ask_clients_to_leave(self, via: Combination) -> None:
        stage = Stage(self, via, stop={"accept": "1h", "drain": "1h"})
        kept, other, busy = await stage.call(), await stage.call(), await stage.call()
        self.assertIsNone((await kept.get("/api")).get(b"connection"))
        gate = Gate()
        stage.one.does(ReadAll(), gate, Answer())
        busy.ask("GET", "/api")
        await until(lambda: gate.waiting, gate)
        stage.one.does(ReadAll(), Answer())
        done = begin_to_stop(stage)
        for caller, target in ((kept, "/api"), (other, "/health/ready")):
            self.assertEqual((await caller.get(target)).get(b"connection"), b"close")
            await caller.closed()
        gate.open()
        self.assertEqual((await busy.answer()).get(b"connection"), b"close")
        stage.gateway.hurry()
        await until(lambda: done, "the end of the stop")

    @needs("connections that end with the stop")
    async def test_a_connection_whose_answer_could_not_say_so_is_kept_for_another(self, via: Combination) -> None:
        stage = Stage(self, via, stop={"accept": "1h", "drain": "1h"})
        gate = Gate()
        stage.one.does(ReadAll(), Respond(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab"), gate, Respond(b"cd"))
        running = (await stage.call()).ask("GET", "/api")
        await running.received(b"ab")
        done = begin_to_stop(stage)
        gate.open()
        self.assertEqual((await running.answer()).get(b"connection"), None)
        stage.one.does(ReadAll(), Answer())
        self.assertEqual((await running.get("/api")).get(b"connection"), b"close")
        stage.gateway.hurry()
        await until(lambda: done, "the end of the stop")

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
        services = {"one": {"prefix": "/api", "timeouts": {"response": "1h"}}}
        stage = Stage(self, via, services, stop={"accept": 0}).hold_time()
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
        problem(self, await running.answer(), 503, "stopping")
        await running.closed()
        await until(lambda: done, "the end of the stop")
        await until(lambda: not stage.one.open_connections, "the end of the request to the service")

    @needs("connections that end with the stop")
    async def test_an_answer_that_is_cut_in_the_middle_is_logged_with_the_cause(self, via: Combination) -> None:
        log = self.mktemp()
        stage = Stage(self, via, stop={"accept": 0, "drain": 0}, access_log={"file": log})
        gate = Gate()
        stage.one.does(ReadAll(), Respond(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab"), gate)
        running = (await stage.call()).ask("GET", "/api")
        await running.received(b"ab")
        done = begin_to_stop(stage)
        await running.broken()
        await until(lambda: done, "the end of the stop")
        (record,) = await logged(log, 1)
        self.assertEqual((record["status"], record["cause"]), (200, "stopping"))

    async def test_a_request_that_goes_on_without_its_client_gets_the_same_time(self, via: Combination) -> None:
        services = {"one": {"prefix": "/api", "finish_abandoned": True}}
        stage = Stage(self, via, services, stop={"accept": 0, "drain": "1h"})
        gate = Gate()
        stage.one.does(ReadAll(), gate, Answer())
        gone = (await stage.call()).ask("GET", "/api")
        await until(lambda: gate.waiting, gate)
        gone.connection.transport.abortConnection()  # type: ignore[union-attr]  # a real socket's has it
        await gone.closed()
        done = begin_to_stop(stage)
        await a_moment()
        self.assertEqual(done, [])
        gate.open()
        await until(lambda: done, "the end of the stop")

    async def test_asked_twice_to_stop_it_tells_both_of_the_same_end(self, via: Combination) -> None:
        stage = Stage(self, via, stop={"accept": 0, "drain": 0})
        ends = [begin_to_stop(stage), begin_to_stop(stage)]
        await until(lambda: all(ends), "both ends")

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
