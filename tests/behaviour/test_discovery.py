"""Targets that are discovered, on real sockets: traffic follows them, and nothing is lost while they change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.trial.unittest import TestCase

from apigateway.discovery import name_servers
from apigateway.gateway import Gateway
from apigateway.lifecycle import discovering, watch
from apigateway.lifecycle.source import Source
from apigateway.testing.client import MemoryClient
from apigateway.testing.ports import free_port
from apigateway.testing.scripted_service import ScriptedService
from apigateway.testing.steps import ReadAll, Respond
from tests.behaviour.caller import Caller, connect
from tests.behaviour.load import Load
from tests.behaviour.secured import SecureServices
from tests.behaviour.stage import problem
from tests.behaviour.steps import Gate
from tests.behaviour.waiting import reactor, until
from tests.discovery.names import ServedZone, Zone

FILE = """
listen: ["tcp:0:interface=127.0.0.1"]
access_log: false
stop: {accept: 0s, drain: 0s}
limits: {lag: false}
defaults: {rate_limit: false, health_check: false, transport: TRANSPORT}
services:
  orders:
    prefix: /orders
    discovery: DISCOVERY
"""


class Running:
    """A gateway that discovers the targets of one service, before scripted services at addresses of 127.0.0.0/8.

    `zone` is what the name server knows that the gateway asks.
    """

    def __init__(self, test: TestCase, discovery: dict[str, Any], transport: str = "native", text: str = FILE) -> None:
        test.addCleanup(self._close)
        test.patch(watch, "EVERY_S", 0.02)
        self.zone = Zone()
        self.names = ServedZone(reactor, self.zone)
        self.gateway: Any = None
        self.services: dict[str, ScriptedService] = {}
        self._listeners: list[Any] = []
        self._connections: list[MemoryClient] = []
        self.folder = Path(test.mktemp()).absolute()
        self.folder.mkdir()
        self.path = self.folder / "gateway.yaml"
        self.port_of_services = free_port()
        self._text, self._transport = text, transport
        self.write(discovery)
        self._source = Source(str(self.path), {})

    def write(self, discovery: dict[str, Any], **words: str) -> None:
        """Write the configuration with this discovery."""
        if "file" not in discovery:
            discovery = {"nameservers": [self.names.server], "min_ttl": "20ms", **discovery}
        text = self._text.replace("DISCOVERY", json.dumps(discovery)).replace("TRANSPORT", self._transport)
        for word, other in words.items():
            text = text.replace(word, other)
        self.path.write_text(text)

    def start(self) -> None:
        """Start the gateway."""
        self.gateway = Gateway(self._source.read(), reactor, source=self._source)
        self.gateway.privilegedStartService()
        self.gateway.startService()

    def serve(self, address: str, port: int | None = None) -> ScriptedService:
        """A service at an address, which answers with it."""
        service = self.services[address] = ScriptedService()
        service.answers(200, address.encode())
        self._listeners.append(service.listen(reactor, port or self.port_of_services, address))
        return service

    def url(self, address: str) -> str:
        return f"http://{address}:{self.port_of_services}"

    @property
    def port(self) -> int:
        port: Any = self.gateway.ports[0]
        number: int = port.getHost().port
        return number

    @property
    def targets(self) -> list[str]:
        """What the gateway has for targets now."""
        return [target.url for target in self.gateway.snapshot.services["orders"].targets]

    async def has(self, *addresses: str) -> None:
        """Wait until the targets are at these addresses."""
        await until(lambda: self.targets == [self.url(address) for address in addresses], self.gateway._discovering)

    async def call(self) -> Caller:
        connection: MemoryClient = await connect(self.port, MemoryClient)
        self._connections.append(connection)
        return Caller(connection)

    async def get(self, target: str = "/orders") -> Any:
        """The answer on a new connection."""
        return await (await self.call()).get(target)

    async def stats(self) -> dict[str, Any]:
        """What `/gateway/stats` tells of the discovery."""
        page = json.loads((await self.get("/gateway/stats")).body)
        told: dict[str, Any] = page["services"]["orders"]["discovery"]
        return told

    async def _close(self) -> None:
        for connection in self._connections:
            transport: Any = connection.transport
            if connection.lost is None and transport is not None:
                transport.abortConnection()
        if self.gateway is not None:
            stopping = self.gateway.stopService()
            self.gateway.hurry()
            await stopping
        for listener in self._listeners:
            await listener.stopListening()
        for service in self.services.values():
            for one in service.open_connections:
                one.reset()
        await self.names.stop()
        await until(lambda: not any(one.open_connections for one in self.services.values()), "the services' ends")
        await until(lambda: all(one.lost is not None for one in self._connections), "the clients' ends")


NAME = "orders.internal"


class NameTests(TestCase):
    """The addresses of a name."""

    def running(self, *addresses: str, ttl: int = 0, **options: Any) -> Running:
        running = Running(self, {}, **options)
        running.write({"dns": f"http://{NAME}:{running.port_of_services}"})
        for address in addresses:
            running.serve(address)
        running.zone.has(NAME, "A", *addresses, ttl=ttl)
        running.start()
        return running

    async def test_traffic_goes_to_each_address_and_asks_for_the_name(self) -> None:
        for transport in ("native", "treq"):
            running = self.running("127.0.0.2", "127.0.0.3", transport=transport)
            await running.has("127.0.0.2", "127.0.0.3")
            bodies = {(await running.get()).body for _ in range(20)}
            self.assertEqual(bodies, {b"127.0.0.2", b"127.0.0.3"})
            host = f"{NAME}:{running.port_of_services}".encode()
            for service in running.services.values():
                self.assertEqual({request.get(b"host") for request in service.requests}, {host})

    async def test_health_is_asked_for_at_each_address_by_the_name(self) -> None:
        running = Running(self, {}, text=FILE.replace("health_check: false", "health_check: {interval: 50ms}"))
        running.write({"dns": f"http://{NAME}:{running.port_of_services}"})
        services = [running.serve("127.0.0.2"), running.serve("127.0.0.3")]
        running.zone.has(NAME, "A", "127.0.0.2", "127.0.0.3", ttl=30)
        running.start()
        await until(lambda: all(service.requests for service in services), "checks of both")
        host = f"{NAME}:{running.port_of_services}".encode()
        self.assertEqual({one.requests[0].get(b"host") for one in services}, {host})
        targets = running.gateway.snapshot.services["orders"].targets
        await until(lambda: all(target.health.checked for target in targets), targets)

    async def test_traffic_moves_when_the_answer_holds_no_more(self) -> None:
        self.patch(discovering, "EVERY_S", 0.05)
        running = self.running("127.0.0.2", ttl=1)
        running.serve("127.0.0.3")
        await running.has("127.0.0.2")
        asked = len(running.zone.asked)
        running.zone.has(NAME, "A", "127.0.0.3", ttl=1)
        answer = await running.get()
        self.assertTrue(answer.body == b"127.0.0.2" or len(running.zone.asked) > asked, "the answer still holds")
        await running.has("127.0.0.3")
        self.assertEqual((await running.get()).body, b"127.0.0.3")

    async def test_traffic_goes_on_when_the_name_server_dies_and_moves_when_it_is_back(self) -> None:
        self.patch(discovering, "EVERY_S", 0.05)
        times = name_servers.TIMES_S
        running = self.running("127.0.0.2")
        running.serve("127.0.0.3")
        await running.has("127.0.0.2")
        self.patch(name_servers, "TIMES_S", (0.05,))
        await running.names.stop()
        discovery = running.gateway._discovering
        await until(lambda: discovery.describe()["orders"]["error"], discovery)
        self.assertEqual((await running.get()).body, b"127.0.0.2")
        told = await running.stats()
        self.assertEqual((told["targets"], told["by"]), (1, f"dns http://{NAME}:{running.port_of_services}"))
        self.assertIn(f"no answer from the name server {running.names.server}", told["error"])
        self.patch(name_servers, "TIMES_S", times)
        running.zone.has(NAME, "A", "127.0.0.3")
        running.names.start()
        await running.has("127.0.0.3")
        self.assertEqual((await running.get()).body, b"127.0.0.3")
        self.assertIsNone((await running.stats())["error"])

    async def test_a_name_without_addresses_empties_the_service_only_after_a_while(self) -> None:
        self.patch(discovering, "EVERY_S", 0.05)
        running = self.running("127.0.0.2")
        await running.has("127.0.0.2")
        running.zone.lacks(NAME)
        discovery = running.gateway._discovering
        await until(lambda: discovery.describe()["orders"]["error"], discovery)
        self.assertEqual((await running.get()).status, 200)
        running.write({"dns": f"http://{NAME}:{running.port_of_services}", "hold": "2h"})
        await running.gateway.reload("test")
        self.assertEqual((await running.get()).status, 200, "a discovery that is new has the targets of the old one")

    async def test_targets_are_given_up_when_the_name_has_none_for_too_long(self) -> None:
        self.patch(discovering, "EVERY_S", 0.05)
        running = Running(self, {})
        running.write({"dns": f"http://{NAME}:{running.port_of_services}", "hold": "100ms"})
        running.serve("127.0.0.2")
        running.zone.has(NAME, "A", "127.0.0.2", ttl=0)
        running.start()
        await running.has("127.0.0.2")
        running.zone.lacks(NAME)
        await running.has()
        answer = await running.get()
        problem(self, answer, 503, "no-targets")
        running.zone.has(NAME, "A", "127.0.0.2", ttl=0)
        await running.has("127.0.0.2")
        self.assertEqual((await running.get()).body, b"127.0.0.2")

    async def test_a_gateway_starts_without_its_name_server_and_says_what_it_lacks(self) -> None:
        running = Running(self, {})
        running.write({"dns": f"http://{NAME}:{running.port_of_services}"})
        running.zone.silent.add(NAME)
        running.start()
        answer = await running.get()
        members = problem(self, answer, 503, "no-targets")
        self.assertEqual(answer.get(b"retry-after"), b"1")
        self.assertEqual(members["detail"], "No target of the service 'orders' has been found.")
        ready = await running.get("/health/ready")
        self.assertEqual((ready.status, json.loads(ready.body)["reason"]), (503, "targets are looked for: orders"))

    async def test_many_addresses_are_asked_for_again_over_tcp(self) -> None:
        running = self.running()
        addresses = [f"127.0.1.{number}" for number in range(1, 101)]
        running.zone.has(NAME, "A", *addresses)
        await until(lambda: len(running.targets) == 100, running.gateway._discovering)
        self.assertGreaterEqual(running.names.over_tcp, 1)


class SecureTests(TestCase):
    """A name whose targets speak TLS: it is the name that they must be certified for."""

    def running(self, transport: str, certified: str, **options: Any) -> Running:
        secure = SecureServices(self)
        service, url = secure.service(secure.authority.server(certified))
        service.answers(200, b"secret")
        text = FILE.replace("health_check: false", options.get("check", "health_check: false"))
        running = Running(self, {}, transport, f"{text}    tls: {{ca: {secure.ca}}}\n")
        running.services["127.0.0.1"] = service
        running.write({"dns": url.replace("localhost", NAME)})
        running.zone.has(NAME, "A", "127.0.0.1", ttl=30)
        return running

    async def targets(self, running: Running) -> Any:
        running.start()
        services = running.gateway.snapshot.services
        await until(lambda: running.gateway.snapshot.services["orders"].targets, services)
        return running.gateway.snapshot.services["orders"].targets[0]

    async def test_who_is_certified_for_the_name_is_trusted_at_its_address(self) -> None:
        for transport in ("native", "treq"):
            running = self.running(transport, NAME)
            await self.targets(running)
            self.assertEqual((await running.get()).body, b"secret", transport)

    async def test_who_is_certified_for_the_address_alone_is_not(self) -> None:
        for transport in ("native", "treq"):
            running = self.running(transport, "127.0.0.1")
            await self.targets(running)
            problem(self, await running.get(), 502, "tls-untrusted")

    async def test_health_checks_trust_the_same(self) -> None:
        for certified, is_well in ((NAME, True), ("127.0.0.1", False)):
            check = "health_check: {interval: 20ms, unhealthy_after: 1}"
            target = await self.targets(self.running("native", certified, check=check))
            await until(lambda target=target: target.health.checked, target)  # type: ignore[misc]  # bound
            self.assertEqual(target.health.healthy, is_well, target.health.last_error)


class ServiceTests(TestCase):
    """SRV records."""

    async def test_hosts_get_their_shares_by_weight_and_their_own_names(self) -> None:
        running = Running(self, {"srv": "_http._tcp.orders.internal"}, text=FILE + "    balance: round-robin\n")
        first, second = running.serve("127.0.0.2"), running.serve("127.0.0.3")
        port = running.port_of_services
        running.zone.has("_http._tcp.orders.internal", "SRV", (0, 30, port, "a.internal"), (0, 10, port, "b.internal"))
        running.zone.has("a.internal", "A", "127.0.0.2")
        running.zone.has("b.internal", "A", "127.0.0.3")
        running.start()
        await running.has("127.0.0.2", "127.0.0.3")
        for _ in range(40):
            await running.get()
        self.assertEqual((len(first.requests), len(second.requests)), (30, 10))
        self.assertEqual(first.requests[0].get(b"host"), f"a.internal:{port}".encode())
        self.assertEqual(second.requests[0].get(b"host"), f"b.internal:{port}".encode())

    async def test_the_next_priority_is_used_when_the_first_has_no_address(self) -> None:
        self.patch(discovering, "EVERY_S", 0.05)
        running = Running(self, {"srv": "_http._tcp.orders.internal"})
        running.serve("127.0.0.2")
        running.serve("127.0.0.3")
        port = running.port_of_services
        running.zone.has("_http._tcp.orders.internal", "SRV", (1, 1, port, "a.internal"), (2, 1, port, "b.internal"))
        running.zone.has("a.internal", "A", "127.0.0.2", ttl=0)
        running.zone.has("b.internal", "A", "127.0.0.3", ttl=0)
        running.start()
        await running.has("127.0.0.2")
        running.zone.lacks("a.internal")
        await running.has("127.0.0.3")


class FileTests(TestCase):
    """A file that others write."""

    timeout = 600

    def running(self, transport: str = "native") -> Running:
        self.patch(discovering, "EVERY_S", 0.05)
        running = Running(self, {"file": "targets.yaml"}, transport)
        running.serve("127.0.0.2")
        running.serve("127.0.0.3")
        return running

    def lists(self, running: Running, *addresses: str) -> None:
        (running.folder / "targets.yaml").write_text(json.dumps([running.url(address) for address in addresses]))

    async def test_its_targets_are_there_before_the_first_client(self) -> None:
        running = self.running()
        self.lists(running, "127.0.0.2")
        running.start()
        self.assertEqual(running.targets, [running.url("127.0.0.2")])
        self.assertEqual((await running.get()).body, b"127.0.0.2")

    async def test_traffic_moves_when_it_changes_and_stays_where_it_is_broken_or_gone(self) -> None:
        running = self.running()
        file = running.folder / "targets.yaml"
        self.lists(running, "127.0.0.2")
        running.start()
        discovery = running.gateway._discovering
        for text in ("", "[]", "[http://127.0.0.3", "- nonsense\n"):
            file.write_text(text)
            await until(lambda: discovery.describe()["orders"]["error"], discovery)
            self.assertEqual((await running.get()).body, b"127.0.0.2", text)
            self.lists(running, "127.0.0.2")
            await until(lambda: not discovery.describe()["orders"]["error"], discovery)
        file.unlink()
        await until(lambda: discovery.describe()["orders"]["error"], discovery)
        self.assertEqual((await running.stats())["error"], f"{file} cannot be read: No such file or directory")
        self.assertEqual((await running.get()).body, b"127.0.0.2")
        self.lists(running, "127.0.0.3")
        await running.has("127.0.0.3")
        self.assertEqual((await running.get()).body, b"127.0.0.3")

    async def test_a_target_that_leaves_finishes_what_it_has_begun_native(self) -> None:
        await self.leaves_in_peace("native")

    async def test_a_target_that_leaves_finishes_what_it_has_begun_treq(self) -> None:
        await self.leaves_in_peace("treq")

    async def leaves_in_peace(self, transport: str) -> None:
        running = self.running(transport)
        self.lists(running, "127.0.0.2")
        running.start()
        gate = Gate()
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        running.services["127.0.0.2"].does(ReadAll(), Respond(head + b"5\r\nbegun\r\n"), gate, Respond(b"0\r\n\r\n"))
        download = (await running.call()).ask("GET", "/orders")
        await until(lambda: gate.waiting, gate)
        left = running.gateway.snapshot.services["orders"].targets[0]
        self.lists(running, "127.0.0.3")
        await running.has("127.0.0.3")
        self.assertEqual((await running.get()).body, b"127.0.0.3")
        self.assertEqual(left.in_flight, 1)
        gate.open()
        self.assertEqual((await download.answer()).body, b"begun")
        registry = running.gateway._assembly.registry
        await until(lambda: not registry.left("transport") and not registry.left("target"), registry)
        self.assertEqual(left.transport.statistics()["open"], 0, "its connections are closed")

    async def test_a_hundred_changes_under_load_lose_no_request_native(self) -> None:
        await self.changes_under_load("native")

    async def test_a_hundred_changes_under_load_lose_no_request_treq(self) -> None:
        await self.changes_under_load("treq")

    async def changes_under_load(self, transport: str) -> None:
        running = self.running(transport)
        self.patch(discovering, "EVERY_S", 0.0)
        running.serve("127.0.0.4")
        self.lists(running, "127.0.0.2")
        running.start()
        load = Load("/orders")
        load.begin(lambda: running.port, 4, keep=True)
        load.begin(lambda: running.port, 2, keep=False)
        choices = (("127.0.0.3",), ("127.0.0.2", "127.0.0.4"), ("127.0.0.4", "127.0.0.3"), ("127.0.0.2",))
        for number in range(100):
            addresses = choices[number % len(choices)]
            self.lists(running, *addresses)
            await running.has(*addresses)
            enough = load.answered + 5
            await until(lambda enough=enough: load.lost or load.answered >= enough, load)  # type: ignore[misc]  # bound
        await load.end()
        self.assertEqual(load.lost, [], load)
        self.assertTrue(all(service.requests for service in running.services.values()))
        registry = running.gateway._assembly.registry
        await until(lambda: not any(registry.left(kind) for kind in ("transport", "target", "bulkhead")), registry)


class ReloadTests(TestCase):
    """Another configuration, while targets are discovered."""

    async def test_what_is_discovered_stays_where_that_does_not_change(self) -> None:
        running = Running(self, {})
        options = {"dns": f"http://{NAME}:{running.port_of_services}"}
        running.write(options)
        running.serve("127.0.0.2")
        running.zone.has(NAME, "A", "127.0.0.2", ttl=3600)
        running.start()
        await running.has("127.0.0.2")
        running.zone.silent.add(NAME)
        asked = len(running.zone.asked)
        target = running.gateway.snapshot.services["orders"].targets[0]
        running.write(options, **{"prefix: /orders": "prefix: /other"})
        self.assertEqual((await running.gateway.reload("test")).outcome, "reloaded")
        self.assertEqual((await running.get("/other")).body, b"127.0.0.2")
        self.assertIs(running.gateway.snapshot.services["orders"].targets[0], target)
        self.assertEqual((await running.gateway.reload("test")).outcome, "unchanged")
        self.assertEqual(len(running.zone.asked), asked, "nobody is asked anew")

    async def test_the_old_targets_serve_until_a_new_discovery_has_found_others(self) -> None:
        running = Running(self, {"file": "targets.yaml"})
        (running.folder / "targets.yaml").write_text(f"- {running.url('127.0.0.2')}\n")
        running.serve("127.0.0.2")
        running.serve("127.0.0.3")
        running.start()
        running.zone.silent.add(NAME)
        running.write({"dns": f"http://{NAME}:{running.port_of_services}"})
        self.assertEqual((await running.gateway.reload("test")).changes, ("service orders: discovery",))
        self.assertEqual((await running.get()).body, b"127.0.0.2")
        self.assertEqual((await running.get("/health/ready")).status, 200)
        running.zone.silent.clear()
        running.zone.has(NAME, "A", "127.0.0.3")
        await running.has("127.0.0.3")

    async def test_targets_that_are_named_take_the_place_of_discovered_ones(self) -> None:
        running = Running(self, {"file": "targets.yaml"})
        (running.folder / "targets.yaml").write_text(f"- {running.url('127.0.0.2')}\n")
        running.serve("127.0.0.3")
        running.start()
        text = running.path.read_text()
        at = text.index("    discovery:")
        running.path.write_text(f"{text[:at]}    targets: ['{running.url('127.0.0.3')}']\n")
        self.assertEqual((await running.gateway.reload("test")).outcome, "reloaded")
        self.assertEqual((await running.get()).body, b"127.0.0.3")
        self.assertIsNone(await running.stats())
