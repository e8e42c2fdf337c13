"""Streams of events and long polls: nothing is held back, quiet is no fault, and comments keep a stream alive."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase

from apigateway.testing.observer import RecordingObserver
from apigateway.testing.steps import Answer, ReadAll, Respond
from tests.behaviour.caller import Caller
from tests.behaviour.combinations import Combination, needs, over_tls_too
from tests.behaviour.stage import Stage, problem
from tests.behaviour.steps import Gate
from tests.behaviour.upgraded import Speaks
from tests.behaviour.waiting import a_moment, until

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-store\r\n"
CHUNKED = STREAM + b"Transfer-Encoding: chunked\r\n\r\n"
UNFRAMED = STREAM + b"Connection: close\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """One chunk of a body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def stage_for(test: TestCase, via: Combination, head: bytes = CHUNKED, **options: Any) -> tuple[Stage, Speaks]:
    """A gateway before a service that begins a stream."""
    top = {name: options.pop(name) for name in ("observers", "stop", "limits") if name in options}
    stage, speaks = Stage(test, via, {"one": {"prefix": "/api", **options}}, **top).hold_time(), Speaks()
    stage.one.does(ReadAll(), Respond(head), speaks)
    return stage, speaks


async def subscribed(stage: Stage, speaks: Speaks) -> Caller:
    """A client whose stream has begun."""
    caller = (await stage.call()).ask("GET", "/api/events", "Accept: text/event-stream")
    await caller.head()
    await until(lambda: speaks.connection)
    return caller


@over_tls_too
class EventStreamTests(TestCase):
    async def test_each_event_is_passed_on_when_it_comes(self, via: Combination) -> None:
        for head, framed in ((CHUNKED, chunk), (UNFRAMED, bytes)):
            stage, speaks = stage_for(self, via, head)
            caller = await subscribed(stage, speaks)
            self.assertEqual(caller.finals[0].get(b"cache-control"), b"no-store")
            for number in range(10):
                event = b"id: %d\ndata: {}\n\n" % number
                speaks.write(framed(event))
                await caller.received(event)

    async def test_a_piece_of_an_event_is_not_held_back_for_the_rest(self, via: Combination) -> None:
        stage, speaks = stage_for(self, via)
        caller = await subscribed(stage, speaks)
        for byte in (b"d", b"a", b"t", b"a", b":"):
            speaks.write(chunk(byte))
            await until(lambda: caller.finals[0].body.endswith(byte), caller)  # noqa: B023

    async def _last(self, stage: Stage, speaks: Speaks, data: bytes, seconds: float, times: int) -> Caller:
        """A stream on which the same comes again and again, so many seconds apart."""
        caller = await subscribed(stage, speaks)
        for number in range(times):
            stage.advance(seconds)
            await a_moment()
            speaks.write(chunk(data + b"%d\n\n" % number))
            await caller.received(data + b"%d\n\n" % number)
        return caller

    async def test_a_stream_may_be_quiet_for_longer_than_another_body(self, via: Combination) -> None:
        stage, speaks = stage_for(self, via)
        await self._last(stage, speaks, b"data: x", 280, 20)

    async def test_its_type_may_be_written_in_any_case(self, via: Combination) -> None:
        stage, speaks = stage_for(self, via, CHUNKED.replace(b"text/event-stream", b"Text/Event-Stream"))
        await self._last(stage, speaks, b"data: x", 280, 2)

    async def test_comments_keep_it_alive(self, via: Combination) -> None:
        stage, speaks = stage_for(self, via, timeouts={"event_stream": "20s"})
        await self._last(stage, speaks, b": still here", 19, 20)

    async def test_one_that_is_quiet_for_too_long_is_cut(self, via: Combination) -> None:
        observer = RecordingObserver()
        stage, speaks = stage_for(self, via, observers=[observer])
        caller = await self._last(stage, speaks, b"data: x", 1, 1)
        stage.advance(301)
        await caller.closed()
        await until(lambda: observer.exchanges, observer)
        self.assertEqual(observer.summary()[0][2:4], (200, "idle-timeout"))
        await until(lambda: not speaks.is_open, speaks)

    async def test_a_route_may_have_a_time_of_its_own(self, via: Combination) -> None:
        routes = [{"path": "/api", "timeouts": {"event_stream": "1h"}}]
        stage, speaks = Stage(self, via, {"one": {"routes": routes}}).hold_time(), Speaks()
        stage.one.does(ReadAll(), Respond(CHUNKED), speaks)
        await self._last(stage, speaks, b"data: x", 3500, 3)

    async def test_other_bodies_have_the_usual_time(self, via: Combination) -> None:
        stage, speaks = stage_for(self, via, CHUNKED.replace(b"text/event-stream", b"text/event-streams"))
        caller = await subscribed(stage, speaks)
        stage.advance(61)
        await caller.closed()

    @needs("time limits of clients")
    async def test_a_rate_that_clients_must_keep_does_not_end_a_quiet_stream(self, via: Combination) -> None:
        stage, speaks = stage_for(self, via, limits={"min_rate": "1MiB", "body_timeout": "10s"})
        caller = await self._last(stage, speaks, b"data: x", 60, 5)
        self.assertTrue(caller.is_open)

    async def test_the_service_learns_that_its_client_is_gone(self, via: Combination) -> None:
        stage, speaks = stage_for(self, via)
        (await subscribed(stage, speaks)).connection.reset()
        await until(lambda: not speaks.is_open, speaks)

    @needs("connections that end with the stop")
    async def test_a_stop_gives_it_the_time_to_drain_and_no_more(self, via: Combination) -> None:
        stage, speaks = stage_for(self, via, stop={"accept": "0s", "drain": "20s"})
        caller = await subscribed(stage, speaks)
        stopping = stage.gateway.stopService()
        await a_moment()
        speaks.write(chunk(b"data: last\n\n"))
        await caller.received(b"data: last\n\n")
        stage.advance(21)
        await stopping
        await caller.closed()


@over_tls_too
class LongPollTests(TestCase):
    async def test_it_waits_as_long_as_its_route_lets_it(self, via: Combination) -> None:
        routes = [{"path": "/api/poll", "timeouts": {"response": "2m"}}, {"path": "/api"}]
        stage, gate = Stage(self, via, {"one": {"routes": routes}}).hold_time(), Gate()
        stage.one.does(ReadAll(), gate, Answer(200, b"news"))
        for target, late, status in (("poll", 100, 200), ("poll", 121, 504), ("other", 31, 504)):
            caller = (await stage.call()).ask("GET", f"/api/{target}")
            await until(gate.waiting.copy, gate)
            stage.advance(late)
            await a_moment()
            gate.let_one()
            if status == 200:
                self.assertEqual((await caller.answer()).body, b"news")
            else:
                problem(self, await caller.answer(), 504, "response-timeout")

    async def test_many_wait_at_once(self, via: Combination) -> None:
        stage, speaks = stage_for(self, via)
        callers = [await subscribed(stage, speaks) for _ in range(20)]
        for connection in stage.one.connections:
            connection.write(chunk(b"data: x\n\n"))
        for caller in callers:
            await caller.received(b"data: x\n\n")
