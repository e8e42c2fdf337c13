"""Connections to services: kept and used again, bounded, waited for, given up, and repeated on when they were stale."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from apigateway.testing.steps import Answer, Close, ReadAll, Reset, Respond
from tests.behaviour.combinations import Combination, lacks, needs, only, over_all_combinations
from tests.behaviour.stage import Options, Stage, problem
from tests.behaviour.steps import Gate
from tests.behaviour.waiting import a_moment, until


def pool(**options: object) -> dict[str, Options]:
    """The usual service with these options for its pool."""
    return {"one": {"prefix": "/api", "pool": options}}


@over_all_combinations
class ReuseTests(TestCase):
    async def test_a_connection_to_a_service_is_used_again_whoever_asks(self, via: Combination) -> None:
        stage = Stage(self, via)
        for method in ("GET", "POST", "HEAD", "DELETE"):
            await stage.ask(method, "/api")
        self.assertEqual(len(stage.one.connections), 1)

    async def test_after_bodies_too(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.script(ReadAll(), Answer(200, b"x" * 100_000)).script(ReadAll(), Answer(200, chunks=(b"a", b"b")))
        for _ in range(3):
            await stage.ask("POST", "/api", body=b"x" * 100_000)
        self.assertEqual(len(stage.one.connections), 1)

    async def test_exchanges_at_once_get_connections_of_their_own(self, via: Combination) -> None:
        stage = Stage(self, via)
        gate = Gate()
        stage.one.does(ReadAll(), gate, Answer())
        callers = [(await stage.call()).ask("GET", "/api") for _ in range(3)]
        await until(lambda: len(gate.waiting) == 3, gate)
        gate.open()
        for caller in callers:
            await caller.answer()
        self.assertEqual(len(stage.one.connections), 3)

    async def _two_idle(self, stage: Stage) -> list[object]:
        """Two connections become idle, the second one first; returns them, that which became idle last at the end."""
        gate = Gate()
        stage.one.does(ReadAll(), gate, Answer())
        first = (await stage.call()).ask("GET", "/api")
        await until(lambda: len(gate.waiting) == 1, gate)
        second = (await stage.call()).ask("GET", "/api")
        await until(lambda: len(gate.waiting) == 2, gate)
        gate.waiting.reverse()
        became_idle: list[object] = [gate.let_one()]
        await second.answer()
        became_idle.append(gate.let_one())
        await first.answer()
        gate.open()
        return became_idle

    @needs("newest idle connection first")
    async def test_the_one_that_became_idle_last_is_used_first(self, via: Combination) -> None:
        stage = Stage(self, via)
        older, newer = await self._two_idle(stage)
        await stage.get("/api")
        self.assertEqual([len(one.requests) for one in stage.one.connections if one in (older, newer)], [2, 1])
        self.assertEqual(len(newer.requests), 2)  # type: ignore[attr-defined]  # a scripted connection

    @lacks("newest idle connection first")
    async def test_twisteds_pool_uses_the_one_that_became_idle_first(self, via: Combination) -> None:
        stage = Stage(self, via)
        older, _ = await self._two_idle(stage)
        await stage.get("/api")
        self.assertEqual(len(older.requests), 2)  # type: ignore[attr-defined]  # a scripted connection

    async def test_a_connection_that_the_service_wants_to_close_is_not_used_again(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.answers(200, b"x", {"connection": "X-Other, Close"})
        for _ in range(3):
            self.assertEqual((await stage.get("/api")).status, 200)
        self.assertEqual(len(stage.one.connections), 3)

    TOO_MUCH = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"

    async def test_a_connection_that_said_too_much_is_not_used_again(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.does(ReadAll(), Respond(self.TOO_MUCH))
        for _ in range(3):
            self.assertEqual((await stage.get("/api")).body, b"x")
        self.assertEqual(len(stage.one.connections), 3)


@over_all_combinations
class BoundTests(TestCase):
    async def test_no_more_connections_are_opened_than_allowed_and_the_rest_waits_in_order(
        self, via: Combination
    ) -> None:
        stage = Stage(self, via, pool(connections=2))
        gate = Gate()
        stage.one.does(ReadAll(), gate, Answer())
        callers, active = [], stage.gateway.snapshot.services["one"].active
        for number in range(1, 6):
            callers.append((await stage.call()).ask("GET", f"/api/{number - 1}"))
            await until(lambda: len(active) == number, active)  # noqa: B023  # called at once
        await until(lambda: len(gate.waiting) == 2, gate)
        await a_moment()
        self.assertEqual(stage.target().transport.statistics()["waiting"], 3)
        self.assertEqual({request.target for request in stage.one.requests}, {"/api/0", "/api/1"})
        for number in range(3, 6):
            gate.let_one()
            await until(lambda: len(stage.one.requests) == number, stage.one)  # noqa: B023  # as above
            await until(lambda: len(gate.waiting) == 2, gate)
        gate.open()
        for caller in callers:
            self.assertEqual((await caller.answer()).status, 200)
        self.assertEqual(len(stage.one.connections), 2)
        self.assertEqual([request.target for request in stage.one.requests[2:]], ["/api/2", "/api/3", "/api/4"])

    async def test_when_the_line_is_full_the_next_is_refused_at_once(self, via: Combination) -> None:
        stage = Stage(self, via, pool(connections=1, waiting=1))
        gate = Gate()
        stage.one.does(ReadAll(), gate, Answer())
        first, second = (await stage.call()).ask("GET", "/api/1"), (await stage.call()).ask("GET", "/api/2")
        await until(lambda: stage.target().transport.statistics()["waiting"] == 1 and gate.waiting, stage.target())
        refused = await stage.get("/api/3")
        problem(self, refused, 503, "pool-exhausted")
        self.assertEqual(refused.get(b"retry-after"), b"1")
        gate.open()
        self.assertEqual([(await caller.answer()).status for caller in (first, second)], [200, 200])

    async def test_who_goes_away_leaves_the_line(self, via: Combination) -> None:
        stage = Stage(self, via, pool(connections=1))
        gate = Gate()
        stage.one.does(ReadAll(), gate, Answer())
        first, second = (await stage.call()).ask("GET", "/api/1"), (await stage.call()).ask("GET", "/api/2")
        await until(lambda: stage.target().transport.statistics()["waiting"] == 1 and gate.waiting, stage.target())
        second.connection.reset()
        await until(lambda: stage.target().transport.statistics()["waiting"] == 0, stage.target())
        gate.open()
        await first.answer()
        self.assertEqual([request.target for request in stage.one.requests], ["/api/1"])

    async def test_who_waits_in_line_for_a_service_that_is_not_there_learns_so(self, via: Combination) -> None:
        service = {"prefix": "/api", "pool": {"connections": 1}, "circuit_breaker": False}
        stage = Stage(self, via, {"one": service})
        await stage.close_service()
        callers = [(await stage.call()).ask("GET", "/api") for _ in range(5)]
        for caller in callers:
            problem(self, await caller.answer(), 502, "connect-failed")

    async def test_a_full_pool_is_no_failure_of_the_service(self, via: Combination) -> None:
        service = {"prefix": "/api", "pool": {"connections": 1, "waiting": 0}, "circuit_breaker": {"failures": 1}}
        stage = Stage(self, via, {"one": service})
        gate = Gate()
        stage.one.does(ReadAll(), gate, Answer())
        first = (await stage.call()).ask("GET", "/api")
        await until(lambda: gate.waiting, gate)
        for _ in range(3):
            problem(self, await stage.get("/api"), 503, "pool-exhausted")
        gate.open()
        self.assertEqual((await first.answer()).status, 200)
        self.assertEqual((await stage.get("/api")).status, 200)


@over_all_combinations
class IdleTests(TestCase):
    async def test_connections_that_nobody_uses_are_closed_after_a_while(self, via: Combination) -> None:
        stage = Stage(self, via, pool(idle="50ms"))
        await stage.get("/api")
        await until(lambda: not stage.one.open_connections, "the end of the idle connection")
        self.assertEqual((await stage.get("/api")).status, 200)
        self.assertEqual(len(stage.one.connections), 2)

    @only("native")
    async def test_half_a_minute_is_a_while(self, via: Combination) -> None:
        stage = Stage(self, via).hold_time()
        await stage.get("/api")
        stage.advance(29)
        await a_moment()
        self.assertEqual(len(stage.one.open_connections), 1)
        stage.advance(2)
        await until(lambda: not stage.one.open_connections, "the end of the idle connection")

    async def test_a_connection_that_the_service_closes_while_idle_is_gone_at_once(self, via: Combination) -> None:
        stage = Stage(self, via)
        caller = await stage.call()
        for number in range(1, 4):
            self.assertEqual((await caller.ask("POST", "/api").answer()).status, 200)
            stage.one.open_connections[0].close()
            await until(lambda: stage.target().transport.statistics()["open"] == 0, stage.target())
            self.assertEqual(len(stage.one.connections), number)
        self.assertEqual(len(stage.one.requests), 3)

    async def test_bytes_on_an_idle_connection_end_it(self, via: Combination) -> None:
        stage = Stage(self, via)
        caller = await stage.call()
        await caller.get("/api")
        stage.one.open_connections[0].write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        await until(lambda: not stage.one.open_connections, "the end of the connection")
        self.assertEqual((await caller.get("/api")).body, b"")


@over_all_combinations
class StaleTests(TestCase):
    """A service closes an idle connection just when a request is sent on it."""

    async def stale(self, via: Combination, *ends: object) -> Stage:
        """A connection that has carried an exchange and dies of the next one."""
        stage = Stage(self, via, {"one": {"prefix": "/api", "retries": False, "circuit_breaker": {"failures": 1}}})
        await stage.get("/api/first")
        stage.one.script(*ends)  # type: ignore[arg-type]  # steps
        return stage

    async def test_a_request_that_may_be_repeated_is_repeated_once_on_a_fresh_connection(
        self, via: Combination
    ) -> None:
        for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE"):
            for end in (Close(), Reset()):
                stage = await self.stale(via, end)
                self.assertEqual((await stage.ask(method, "/api/second")).status, 200, method)
                self.assertEqual(
                    [(one.method, one.target) for one in stage.one.requests[1:]], [(method, "/api/second")] * 2
                )
                self.assertEqual(len(stage.one.connections), 2)

    async def test_a_post_is_not_repeated(self, via: Combination) -> None:
        stage = await self.stale(via, Close())
        problem(self, await stage.ask("POST", "/api/second"), 502, "connection-lost")
        self.assertEqual(len(stage.one.requests), 2)

    async def test_a_request_whose_body_is_on_its_way_is_not_repeated(self, via: Combination) -> None:
        stage = await self.stale(via, ReadAll(), Close())
        problem(self, await stage.ask("PUT", "/api/second", body=b"x"), 502, "connection-lost")
        self.assertEqual(len(stage.one.requests), 2)

    async def test_it_is_repeated_once_only(self, via: Combination) -> None:
        stage = await self.stale(via, Close())
        stage.one.script(Close())
        problem(self, await stage.get("/api/second"), 502, "connection-lost")
        self.assertEqual(len(stage.one.requests), 3)

    async def test_it_is_not_repeated_when_some_of_an_answer_came(self, via: Combination) -> None:
        stage = await self.stale(via, Respond(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12"), Close())
        message = await (await stage.call()).ask("GET", "/api/second").broken()
        self.assertEqual((message.body, len(stage.one.requests)), (b"12", 2))

    async def test_on_a_fresh_connection_it_is_a_failure(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.does(Close())
        problem(self, await stage.get("/api"), 502, "connection-lost")
        self.assertEqual(len(stage.one.requests), 1)

    async def test_a_stale_connection_is_no_failure_of_the_service(self, via: Combination) -> None:
        stage = await self.stale(via, Close())
        await stage.get("/api/second")
        self.assertEqual((await stage.get("/api/third")).status, 200)


@over_all_combinations
class NameTests(TestCase):
    async def test_a_service_may_have_a_name(self, via: Combination) -> None:
        stage = Stage(self, via, {"two": {"prefix": "/two"}})
        port = stage.port_of("two")
        named = Stage(self, via, {"one": {"prefix": "/api", "targets": [f"http://localhost:{port}"]}})
        for _ in range(3):
            self.assertEqual((await named.get("/api")).status, 200)
        self.assertEqual(stage.one.requests[0].get(b"host"), f"localhost:{port}".encode())
        self.assertEqual(len(stage.one.connections), 1)

    async def test_a_name_that_nobody_has_is_a_failure_of_its_own(self, via: Combination) -> None:
        stage = Stage(self, via, {"one": {"prefix": "/api", "targets": ["http://no-such-name.invalid:80"]}})
        problem(self, await stage.get("/api"), 502, "name-not-resolved")
