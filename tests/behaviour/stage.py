"""A whole gateway on real sockets: scripted services behind it, callers before it, and a clock that can jump.

The clock runs with real time; `advance` lets what the gateway measures by it (deadlines, limits, rests) pass at once,
and once it is held with `hold_time` it is only that which moves it: then no machine is too slow for a test that tells
how much time there is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import Site

from apigateway import gateway as gateway_module
from apigateway.config.model import Configuration, Stop
from apigateway.config.read import parse_text
from apigateway.gateway import Gateway
from apigateway.interfaces import IExchangeObserver, IPolicyPlugin
from apigateway.testing.certificates import Authority
from apigateway.testing.client import MemoryClient
from apigateway.testing.scripted_service import ScriptedService
from apigateway.testing.wire import Message
from apigateway.upstream.target import Target
from tests.behaviour.caller import Caller, Sink, connect
from tests.behaviour.combinations import STOCK, TLS, Combination
from tests.behaviour.waiting import reactor, until

SWEEP_S = 0.01
"""How often the gateway looks at deadlines here, so that no test waits long for one."""

ENDPOINT = "tcp:0:interface=127.0.0.1"

Options = Mapping[str, Any]


class Stage:
    """A gateway for `services`, as in a configuration file: options by name.

    A service whose `targets` are not given, or given as bare names, has scripted services there, in `services`. Unless
    they say otherwise there is one service, `one` at `/api`, without health checks, rate limits and access log, and it
    does not matter how late the loop is: with a clock that jumps it seems to be. `top` are further parts of the file.
    `mounts` are stock Resources beside the services, by path, `policies` and `observers` as the gateway's.
    """

    def __init__(
        self,
        test: TestCase,
        via: Combination,
        services: Mapping[str, Options] | None = None,
        mounts: dict[bytes, Resource] | None = None,
        policies: Sequence[IPolicyPlugin] = (),
        observers: Sequence[IExchangeObserver] = (),
        **top: Any,
    ) -> None:
        test.addCleanup(self._close)
        test.patch(gateway_module, "SWEEP_S", SWEEP_S)
        self._test = test
        self._via = via
        self._authority = Authority() if via.downstream == TLS else None
        self._ahead_s = 0.0
        self._held_at: float | None = None
        self._connections: list[MemoryClient | Sink] = []
        self._listeners: dict[str, Any] = {}
        self.services: dict[str, ScriptedService] = {}
        self.configuration = self._configuration(services or {"one": {"prefix": "/api"}}, top)
        self.gateway = Gateway(self.configuration, reactor, self.now, mounts, observers, policies=policies)
        self.gateway.privilegedStartService()
        self.gateway.startService()
        self.port = self._entrance()

    def _entrance(self) -> int:
        """The port at which clients come in."""
        port: Any = self.gateway.ports[0]
        if self._via.downstream == STOCK:
            port = reactor.listenTCP(0, QuietSite(self.gateway.snapshot.resource), interface="127.0.0.1")
            self._test.addCleanup(port.stopListening)
        number: int = port.getHost().port
        return number

    def _configuration(self, services: Mapping[str, Options], top: Options) -> Configuration:
        placed = {name: self._placed(name, options) for name, options in services.items()}
        tree = {"listen": [self._listener()], "access_log": False, **top, "services": placed}
        tree["limits"] = {"lag": False, **top.get("limits", {})}
        configuration = parse_text(json.dumps(tree), "test.yaml", {})
        return replace(configuration, stop=configuration.stop if "stop" in top else Stop(accept=0.0, drain=0.0))

    def _listener(self) -> Any:
        if self._authority is None:
            return ENDPOINT
        folder = Path(self._test.mktemp()).absolute()
        folder.mkdir()
        certificate, key = self._authority.server("localhost").write(folder)
        return {"endpoint": ENDPOINT, "tls": {"certificates": [{"certificate": certificate, "key": key}]}}

    def _placed(self, name: str, options: Options) -> dict[str, Any]:
        given = options.get("targets", [name])
        targets = [self._url(target) if isinstance(target, str) else target for target in given]
        without = {"health_check": False, "rate_limit": False}
        return {"transport": self._via.upstream, **without, **options, "targets": targets}

    def _url(self, target: str) -> str:
        if "://" in target:
            return target
        service = self.services[target] = ScriptedService()
        self._listeners[target] = service.listen(reactor)
        return f"http://127.0.0.1:{self.port_of(target)}"

    # The services.

    @property
    def one(self) -> ScriptedService:
        """The first scripted service."""
        return next(iter(self.services.values()))

    def port_of(self, name: str = "one") -> int:
        """The port of a scripted service."""
        port: int = self._listeners[name].getHost().port
        return port

    async def close_service(self, name: str = "one") -> None:
        """A scripted service is gone: nobody listens any more, and its connections end."""
        await self._listeners.pop(name).stopListening()
        for connection in self.services[name].open_connections:
            connection.reset()
        await until(lambda: not self.services[name].open_connections, "the end of a service")

    def open_service(self, name: str, port: int) -> None:
        """A scripted service that was closed is there again, where it was."""
        self._listeners[name] = self.services[name].listen(reactor, port)

    def target(self, service: str = "one", index: int = 0) -> Target:
        """The gateway's own view of a target."""
        return self.gateway.snapshot.services[service].targets[index]

    async def request(self, at: int = -1) -> Message:
        """A request as it arrived at the first service, when it is complete."""
        requests = self.one.requests
        await until(lambda: len(requests) > max(at, 0) and requests[at].is_complete, self.one)
        return requests[at]

    # The callers.

    async def call(self) -> Caller:
        """A new connection to the gateway."""
        connection: MemoryClient = await connect(self.port, MemoryClient, self._authority)
        self._connections.append(connection)
        return Caller(connection)

    async def sink(self) -> Sink:
        """A new connection for a client that may be slow; it does not read yet."""
        sink: Sink = await connect(self.port, Sink, self._authority)
        self._connections.append(sink)
        if self._authority is not None:
            await until(lambda: sink.shook_hands, "a handshake")
        sink.transport.pauseProducing()
        return sink

    async def get(self, target: str, *fields: str) -> Message:
        """Ask with GET on a connection of its own, and take the answer."""
        return await (await self.call()).get(target, *fields)

    async def ask(self, method: str, target: str, *fields: str, body: bytes = b"") -> Message:
        """Ask on a connection of its own, and take the answer."""
        return await (await self.call()).ask(method, target, *fields, body=body).answer()

    # Time.

    def now(self) -> float:
        """The gateway's monotonic clock."""
        return (monotonic() if self._held_at is None else self._held_at) + self._ahead_s

    def hold_time(self) -> Stage:
        """From now on no time passes for the gateway but by `advance`, until the end of the test."""
        self._held_at = monotonic()
        return self

    def advance(self, seconds: float) -> None:
        """Let time pass for the gateway."""
        self._ahead_s += seconds

    # The end.

    async def stop(self) -> None:
        """Stop the gateway as a process does."""
        await self.gateway.stopService()

    async def _close(self) -> None:
        self._held_at = None
        for connection in self._connections:
            if connection.lost is None and connection.transport is not None:
                connection.transport.abortConnection()  # type: ignore[union-attr]  # a real socket's has it
        if self.gateway.running:
            stopping = self.gateway.stopService()
            self.gateway.hurry()
            await stopping
        for name in list(self._listeners):
            await self.close_service(name)
        await until(lambda: all(one.lost is not None for one in self._connections), "the end of the callers")
        await until(lambda: not self._open_to_services(), "the end of the connections to services")

    def _open_to_services(self) -> int:
        services = self.gateway.snapshot.services.values()
        return sum(one.transport.statistics()["open"] for service in services for one in service.targets)


class QuietSite(Site):
    """A stock site that says nothing about starting and stopping."""

    noisy = False


def problem(test: TestCase, answer: Message, status: int, cause: str) -> dict[str, Any]:
    """The problem document (RFC 9457) of an answer that the gateway made itself."""
    test.assertEqual(answer.status, status, answer.body)
    test.assertEqual(answer.get(b"content-type"), b"application/problem+json")
    members: dict[str, Any] = json.loads(answer.body)
    test.assertEqual(members["status"], status)
    test.assertEqual(members["cause"], cause)
    test.assertEqual(members["type"], f"urn:apigateway:problem:{cause}")
    request_id = (answer.get(b"x-request-id") or b"").decode()
    test.assertTrue(request_id)
    test.assertEqual(members["request_id"], request_id)
    test.assertEqual(members["instance"], f"urn:request:{request_id}")
    test.assertTrue(members["title"])
    return members


async def logged(path: str, count: int, words: str = "") -> list[dict[str, Any]]:
    """The entries of an access log, when there are so many, with these words among them."""
    file = Path(path)

    def are_there() -> bool:
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        return text.count("\n") >= count and words in text

    await until(are_there, f"{count} entries in the log")
    return [json.loads(line) for line in file.read_bytes().splitlines()]
