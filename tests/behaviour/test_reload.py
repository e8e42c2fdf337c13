"""A gateway that is given another configuration while it works, on real sockets: nothing is lost, nothing breaks."""

from __future__ import annotations

import json
from pathlib import Path
from time import monotonic
from typing import Any

from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.trial.unittest import TestCase

from apigateway.gateway import Gateway
from apigateway.lifecycle import watch
from apigateway.lifecycle.source import Source
from apigateway.testing.client import MemoryClient
from apigateway.testing.ports import free_port
from apigateway.testing.scripted_service import ScriptedService
from apigateway.testing.steps import Answer, ReadAll, Respond
from tests.behaviour.caller import Caller, connect, request
from tests.behaviour.load import Load
from tests.behaviour.steps import Gate
from tests.behaviour.waiting import a_moment, reactor, until

TRANSPORTS = ("native", "treq")

FILE = """
listen: [LISTEN]
access_log: {file: LOG, format: FORMAT}
limits: {head: HEAD, lag: false}
stop: {accept: 0s, drain: 30s}
watch: WATCH
defaults:
  transport: TRANSPORT
  health_check: false
  rate_limit: {limit: LIMIT, window: 60s}
services:
  shop:
    prefix: /shop
    targets: [TARGET]
    headers: {set_response: {X-Version: VERSION}}
  stream:
    prefix: /stream
    targets: [STREAM]
    timeouts: {response: RESPONSE}
"""


class Running:
    """A gateway whose file is written anew again and again, before three scripted services."""

    def __init__(self, test: TestCase, transport: str = "native") -> None:
        test.addCleanup(self._close)
        self.services = {name: ScriptedService() for name in ("one", "two", "stream")}
        self._listeners: dict[str, Any] = {name: one.listen(reactor) for name, one in self.services.items()}
        self._connections: list[MemoryClient] = []
        folder = Path(test.mktemp()).absolute()
        folder.mkdir()
        self.path, self.log = folder / "gateway.yaml", folder / "access.log"
        self.port, self.other_port = free_port(), free_port()
        self._words = {
            "LISTEN": self.endpoint(self.port), "LOG": str(self.log), "FORMAT": "json", "HEAD": "32KiB",
            "LIMIT": "1000000", "TARGET": self.url("one"), "VERSION": "a", "STREAM": self.url("stream"),
            "RESPONSE": "30s", "TRANSPORT": transport, "WATCH": "false",
        }  # fmt: skip
        self.write()
        source = Source(str(self.path), {})
        self._ahead_s = 0.0
        self.gateway = Gateway(source.read(), reactor, lambda: monotonic() + self._ahead_s, source=source)
        self.gateway.startService()

    def advance(self, seconds: float) -> None:
        """Let time pass for the gateway."""
        self._ahead_s += seconds

    def endpoint(self, port: int) -> str:
        return f"tcp:{port}:interface=127.0.0.1"

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self._listeners[name].getHost().port}"

    def write(self, **words: str) -> None:
        """Write the file with these words in their places, and all others as at first."""
        text = FILE
        for place, word in (self._words | words).items():
            text = text.replace(place, word)
        self.path.write_text(text)

    async def reload(self, **words: str) -> dict[str, Any]:
        """Write the file and reload."""
        self.write(**words)
        described: dict[str, Any] = (await self.gateway.reload("test")).describe()
        return described

    def other(self, **words: str) -> dict[str, str]:
        """A configuration that differs in limits, a policy, a target, a listener, and more."""
        both = f"{self.endpoint(self.port)}, {self.endpoint(self.other_port)}"
        return {
            "LISTEN": both, "HEAD": "16KiB", "LIMIT": "2000000", "TARGET": self.url("two"), "VERSION": "b",
            "RESPONSE": "20s", "FORMAT": "combined", **words,
        }  # fmt: skip

    @property
    def open_ports(self) -> set[int]:
        ports: list[Any] = self.gateway.ports
        return {port.getHost().port for port in ports}

    async def call(self, port: int | None = None) -> Caller:
        """A new connection."""
        connection: MemoryClient = await connect(port or self.port, MemoryClient)
        self._connections.append(connection)
        return Caller(connection)

    async def _close(self) -> None:
        for connection in self._connections:
            transport: Any = connection.transport
            if connection.lost is None and transport is not None:
                transport.abortConnection()
        stopping = self.gateway.stopService()
        self.gateway.hurry()
        await stopping
        for name, listener in self._listeners.items():
            await listener.stopListening()
            for one in self.services[name].open_connections:
                one.reset()
        await until(lambda: not any(one.open_connections for one in self.services.values()), "the services' ends")
        await until(lambda: all(one.lost is not None for one in self._connections), "the clients' ends")


class UnderLoadTests(TestCase):
    """A hundred reloads in a row, while clients ask on kept and on new connections, and streams run both ways."""

    timeout = 600

    async def test_no_exchange_is_lost_and_no_stream_breaks_native(self) -> None:
        await self.reload_under_load("native")

    async def test_no_exchange_is_lost_and_no_stream_breaks_treq(self) -> None:
        await self.reload_under_load("treq")

    async def reload_under_load(self, transport: str) -> None:
        running = Running(self, transport)
        stream = running.services["stream"]
        gate = Gate()
        stream.does(
            ReadAll(), Respond(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), gate, Respond(b"0\r\n\r\n")
        )
        download = (await running.call()).ask("GET", "/stream/down")
        await until(lambda: gate.waiting, gate)
        stream.does(ReadAll(), Answer(201))
        upload = (await running.call()).send(request("PUT", "/stream/up", "Transfer-Encoding: chunked"))
        load = Load("/shop/1")
        load.begin(lambda: running.port, 4, keep=True)
        load.begin(lambda: running.port, 2, keep=False)
        load.begin(lambda: running.other_port if running.other_port in running.open_ports else None, 2, keep=True)
        load.begin(lambda: running.other_port if running.other_port in running.open_ports else None, 1, keep=False)
        for number in range(100):
            told = await running.reload(**(running.other() if number % 2 == 0 else {}))
            self.assertEqual(told["outcome"], "reloaded", told)
            stream.open_connections[0].write(b"1\r\n%d\r\n" % (number % 10))
            upload.send(b"1\r\n%d\r\n" % (number % 10))
            enough = load.answered + 5
            await until(lambda enough=enough: load.lost or load.answered >= enough, load)  # type: ignore[misc]  # bound
        await load.end()
        self.assertEqual(load.lost, [], load)
        gate.open()
        upload.send(b"0\r\n\r\n")
        self.assertEqual((await download.answer()).body, b"0123456789" * 10)
        self.assertEqual((await upload.answer()).status, 201)
        self.assertEqual(stream.requests[-1].body, b"0123456789" * 10)
        shops = [running.services[name].requests for name in ("one", "two")]
        self.assertTrue(all(shops), "both targets had their share")
        self.assertEqual(running.gateway._reloading.reloads.describe()["good"], 100)
        await self.is_forgotten(running)

    async def is_forgotten(self, running: Running) -> None:
        """What the hundred reloads have left behind: nothing."""
        registry = running.gateway._assembly.registry
        await until(lambda: not any(registry.left(kind) for kind in ("transport", "target", "bulkhead")), registry)
        self.assertLessEqual(len(registry._kept), 30)


class ReloadTests(TestCase):
    """What changes with a reload, and what does not."""

    async def test_new_exchanges_go_by_the_new_configuration_and_those_that_run_by_the_old(self) -> None:
        running = Running(self)
        gate = Gate()
        running.services["one"].does(ReadAll(), gate, Answer())
        old, new = await running.call(), await running.call()
        old.ask("GET", "/shop")
        await until(lambda: gate.waiting, gate)
        told = await running.reload(TARGET=running.url("two"), VERSION="b")
        self.assertEqual((told["outcome"], told["changes"]), ("reloaded", ["service shop: routes, targets"]))
        self.assertEqual((await new.get("/shop")).get(b"x-version"), b"b")
        gate.open()
        self.assertEqual((await old.answer()).get(b"x-version"), b"a")
        self.assertEqual((await old.get("/shop")).get(b"x-version"), b"b", "the connection goes on")

    async def test_a_service_that_is_gone_finishes_its_exchange_within_its_time_limit(self) -> None:
        running = Running(self)
        gate = Gate()
        running.services["stream"].does(ReadAll(), gate)
        running.write(RESPONSE="20s")
        await running.gateway.reload("test")
        old = (await running.call()).ask("GET", "/stream")
        await until(lambda: gate.waiting, gate)
        text = running.path.read_text()
        running.path.write_text(text[: text.index("  stream:")])
        self.assertEqual((await running.gateway.reload("test")).changes, ("service stream: removed",))
        self.assertEqual((await (await running.call()).get("/stream")).status, 404)
        self.assertEqual(old.finals, [])
        running.advance(20)
        self.assertEqual((await old.answer()).status, 504)
        registry = running.gateway._assembly.registry
        await until(lambda: not registry.left("bulkhead"), registry)

    async def test_limits_are_counted_on_where_they_have_not_changed(self) -> None:
        running = Running(self)
        await running.reload(LIMIT="1")
        caller = await running.call()
        self.assertEqual((await caller.get("/shop")).status, 200)
        await running.reload(LIMIT="1", TARGET=running.url("two"), VERSION="b", HEAD="16KiB")
        self.assertEqual((await caller.get("/shop")).status, 429)
        await running.reload(LIMIT="2")
        self.assertEqual((await caller.get("/shop")).status, 200)

    async def test_a_new_limit_on_heads_holds_for_new_connections(self) -> None:
        running = Running(self)
        self.assertEqual((await (await running.call()).get("/shop", "X: " + "x" * 2000)).status, 200)
        await running.reload(HEAD="1KiB")
        self.assertEqual((await (await running.call()).get("/shop", "X: " + "x" * 2000)).status, 431)

    async def test_a_listener_that_is_gone_takes_nobody_and_its_clients_leave_with_their_next_answer(self) -> None:
        running = Running(self)
        await running.reload(**running.other())
        kept, stays = await running.call(running.other_port), await running.call()
        self.assertIsNone((await kept.get("/shop")).get(b"connection"))
        ports = list(running.gateway.ports)
        await running.reload()
        self.assertIs(running.gateway.ports[0], ports[0], "what has not changed is not touched")
        with self.assertRaises(Refused):
            await running.call(running.other_port)
        self.assertEqual((await kept.get("/shop")).get(b"connection"), b"close")
        await kept.closed()
        self.assertIsNone((await stays.get("/shop")).get(b"connection"))

    async def test_the_access_log_goes_on_in_another_file_without_losing_a_line(self) -> None:
        running = Running(self)
        caller = await running.call()
        other = running.log.with_name("other.log")
        await caller.get("/shop/1")
        await running.reload(LOG=str(other))
        await caller.get("/shop/2")
        await running.reload(LOG=str(other), FORMAT="combined")
        await caller.get("/shop/3")
        await until(lambda: other.exists() and other.read_text().count("\n") == 2, "two lines in the other file")
        await until(running.log.read_text, "the line in the first file")
        self.assertEqual([json.loads(line)["path"] for line in running.log.read_text().splitlines()], ["/shop/1"])
        first, second = other.read_text().splitlines()
        self.assertEqual((json.loads(first)["path"], "GET /shop/3 HTTP/1.1" in second), ("/shop/2", True))

    async def test_a_log_that_was_moved_away_is_opened_again_though_nothing_has_changed(self) -> None:
        running = Running(self)
        caller = await running.call()
        await caller.get("/shop/1")
        await until(running.log.read_text, "the first line")
        running.log.rename(running.log.with_suffix(".1"))
        self.assertEqual((await running.gateway.reload("test")).outcome, "unchanged")
        await caller.get("/shop/2")
        await until(lambda: running.log.exists() and running.log.read_text(), "a line in the new file")

    async def test_a_changed_file_is_read_by_itself_where_that_is_asked_for(self) -> None:
        self.patch(watch, "EVERY_S", 0.02)
        running = Running(self)
        await running.reload(WATCH="true")
        running.write(WATCH="true", VERSION="b")
        caller = await running.call()
        reloads = running.gateway._reloading.reloads
        await until(lambda: reloads.last is not None and reloads.last.asked_by == "file", reloads)
        self.assertEqual((await caller.get("/shop")).get(b"x-version"), b"b")
        await running.reload(VERSION="c")
        running.write(VERSION="d")
        await a_moment()
        self.assertEqual((await caller.get("/shop")).get(b"x-version"), b"c", "it is not watched any more")

    async def test_all_who_ask_at_once_share_two_reloads(self) -> None:
        running = Running(self)
        asked = [running.gateway.reload(f"test {number}") for number in range(50)]
        told = [await one for one in asked]
        self.assertEqual({one.asked_by for one in told}, {"test 0", "test 1"})


class RefusedTests(TestCase):
    """A configuration that can't be used changes nothing, and says why."""

    async def refused(self, running: Running, **words: str) -> list[str]:
        """The problems of a reload that fails; all goes on as before."""
        running.write(**words)
        before = (running.gateway.snapshot, running.gateway.configuration, running.open_ports)
        answer = await (await running.call()).ask("POST", "/gateway/reload", "Content-Length: 0").answer()
        self.assertEqual((answer.status, answer.get(b"content-type")), (422, b"application/problem+json"), answer.body)
        self.assertEqual((running.gateway.snapshot, running.gateway.configuration, running.open_ports), before)
        self.assertEqual((await (await running.call()).get("/shop")).status, 200)
        problems: list[str] = json.loads(answer.body)["problems"]
        stats = json.loads((await (await running.call()).get("/gateway/stats")).body)["reload"]
        self.assertEqual((stats["last"]["outcome"], stats["last"]["problems"]), ("failed", problems))
        self.assertEqual((stats["last"]["asked_by"], stats["bad"]), ("page", 1))
        return problems

    async def test_every_problem_of_the_file_is_told_with_its_place(self) -> None:
        running = Running(self)
        problems = await self.refused(running, LIMIT="none", HEAD="much")
        self.assertEqual(len(problems), 2)
        self.assertTrue(all(problem.startswith(f"{running.path}:") for problem in problems), problems)

    async def test_so_is_every_listener_and_log_that_cannot_be_opened_and_the_others_are_closed_again(
        self,
    ) -> None:
        running = Running(self)
        taken = reactor.listenTCP(0, running.gateway.site, interface="127.0.0.1")
        self.addCleanup(taken.stopListening)
        ports = [running.endpoint(port) for port in (running.port, running.other_port, taken.getHost().port)]
        problems = await self.refused(running, LISTEN=f"{', '.join(ports)}, 'tpc:1'", LOG="/nowhere/access.log")
        places = [problem.split(" cannot be opened")[0] for problem in problems]
        expected = [
            "access_log.file: '/nowhere/access.log'",
            f"{running.path}:2: listen[2]: {ports[2]!r}",
            f"{running.path}:2: listen[3]: 'tpc:1'",
        ]
        self.assertEqual(places, expected)

    async def test_a_file_that_is_gone(self) -> None:
        running = Running(self)
        running.path.unlink()
        told = await running.gateway.reload("test")
        self.assertEqual(
            (told.outcome, told.problems), ("failed", (f"{running.path}: cannot be read: No such file or directory",))
        )

    async def test_once_the_gateway_stops_it_is_too_late(self) -> None:
        running = Running(self)
        running.write(VERSION="b")
        stopping = running.gateway.stopService()
        told = await running.gateway.reload("test")
        self.assertEqual((told.outcome, told.problems), ("refused", ("the gateway is stopping",)))
        await stopping

    async def test_a_reload_that_is_overtaken_by_the_stop_opens_nothing(self) -> None:
        running = Running(self)
        running.write(**running.other())
        reloading = running.gateway.reload("test")
        await running.gateway.stopService()
        self.assertEqual((await reloading).outcome, "refused")
        self.assertEqual(running.open_ports, set())
