"""A gateway in memory in front of a service that fails: each request through both transports, with and without a spare.

The four services of the gateway have the same target, `bad`; two of them have `good` as another. Time limits are
fractions of what they are by default, as their length changes nothing but how long the tests take.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, NamedTuple

from apigateway.telemetry.lines import QUERY_RULES, json_line
from apigateway.testing.client import MemoryClient
from apigateway.testing.gateway import RunningGateway, running_gateway
from apigateway.testing.memory import MemoryNetwork
from apigateway.testing.memory_transport import MemoryLink, MemoryTransport
from apigateway.testing.observer import ended
from apigateway.testing.scripted_service import ScriptedService
from apigateway.testing.steps import Answer, ReadAll, Step
from apigateway.upstream.target import Target

BAD, GOOD = "http://bad:8001", "http://good:8001"
BAD_ADDRESS = "10.0.0.1"
CONNECT_S, RESPONSE_S, IDLE_S = 1.0, 2.0, 3.0
POOL_IDLE_S = 5.0
PATIENCE_S = 30.0
"""How long a client waits for its answer."""

STEP_S = 0.5
LINGER_S = 3.0
"""Longer than the gateway lets a client that still sends read its answer."""

REST_S = 12.0
"""After this, idle connections are closed and time limits over."""

TRANSPORTS = ("native", "treq")


class Request(NamedTuple):
    """What a client sends: `data` at once, and `more` when an answer has begun or a while is over."""

    method: str
    data: bytes
    more: bytes = b""


def _request(method: str, framing: str, body: bytes = b"", more: bytes = b"") -> Request:
    head = f"{method} {{}} HTTP/1.1\r\nHost: shop\r\n{framing}\r\n".encode()
    return Request(method, head + body, more)


LARGE = 1_000_000
PART = b"x" * 100_000
ALL = b"x" * 140_000
REST = b"x" * (LARGE - len(PART))

REQUESTS: dict[str, Request] = {
    "GET": _request("GET", ""),
    "POST": _request("POST", "Content-Length: 0\r\n"),
    "PUT, length": _request("PUT", "Content-Length: 10\r\n", b"0123456789"),
    "PUT, chunks": _request("PUT", "Transfer-Encoding: chunked\r\n", b"a\r\n0123456789\r\n0\r\n\r\n"),
    "large, length": _request("PUT", f"Content-Length: {len(ALL)}\r\n", ALL),
    "upload, length": _request("PUT", f"Content-Length: {LARGE}\r\n", PART, REST),
    "upload, chunks": _request(
        "PUT", "Transfer-Encoding: chunked\r\n", b"%x\r\n%b\r\n" % (len(PART), PART),
        b"%x\r\n%b\r\n0\r\n\r\n" % (len(REST), REST),
    ),
}  # fmt: skip
"""The requests by name. An upload is half of a request: the rest comes later, or never."""


class Seen(NamedTuple):
    """What came of one request, to everybody who looks."""

    status: int
    cause: str
    body: bytes
    is_cut: bool
    ends: tuple[bool, bool]
    """Whether the answer said that the client's connection ends with it, and whether it did."""
    logged: dict[str, Any]
    failures: int
    """Failures in a row, as the breaker of the failing target counts them."""
    marked: int
    """Failures as the statistics of that target count them."""
    counted: dict[str, int]
    """What the statistics of the service counted, by name."""


CONFIGURATION: dict[str, Any] = {
    "timeouts": {
        "connect": f"{CONNECT_S}s", "pool": "1s", "response": f"{RESPONSE_S}s", "idle": f"{IDLE_S}s",
    },
    "rate_limit": False,
    "health_check": False,
    "pool": {"idle": f"{POOL_IDLE_S}s"},
    "circuit_breaker": {"failures": 100},
    "balance": "round-robin",
    "outliers": False,
}  # fmt: skip


def service_name(transport: str, spare: bool) -> str:
    """The name of one of the four services."""
    return f"{transport}-{'two' if spare else 'one'}"


class World:
    """The gateway, `bad` and `good`."""

    def __init__(self, health: bool = False) -> None:
        self.network = network = MemoryNetwork()
        network.hosts.update(bad=[BAD_ADDRESS], good=["10.0.0.2"])
        self.bad, self.good = ScriptedService(), ScriptedService()
        self.bad.listen(network.reactor, 8001, BAD_ADDRESS)
        self.good.listen(network.reactor, 8001, "10.0.0.2")
        self.good.answers(200, b"from the second")
        self.gateway: RunningGateway = running_gateway(json.dumps(_configuration(health)), network)
        network.advance(1)
        self.timers = len(network.reactor.getDelayedCalls())

    def reset(self) -> None:
        """The failing target is well again."""
        bad, network = self.bad, self.network
        network.restore(BAD_ADDRESS)
        network.hosts["bad"] = [BAD_ADDRESS]
        network.reactor.names.delays.clear()
        bad.greeting = ()
        bad.forget_scripts().answers(200, b"well")
        if not bad.is_listening:
            bad.come_back()
        bad.accept_again()
        self.forget()

    def forget(self) -> None:
        """Let go of what the doubles keep."""
        for service in (self.bad, self.good):
            for connection in service.open_connections:
                connection.reset()
        self.network.pump()
        for service in (self.bad, self.good):
            service.requests.clear()
            service.connections.clear()
        self.network.reactor.names.asked.clear()
        self.gateway.observer.exchanges.clear()

    def does(self, *steps: Step) -> None:
        """The failing target does this with every request."""
        self.bad.does(*steps)

    def target(self, transport: str, spare: bool = False) -> Target:
        """The failing target, as one of the services has it."""
        return self.gateway.gateway.snapshot.services[service_name(transport, spare)].targets[0]

    def targets(self) -> list[Target]:
        """All targets of all services."""
        return [one for service in self.gateway.gateway.snapshot.services.values() for one in service.targets]

    def warm_all(self) -> None:
        """The same for each of the services."""
        for transport in TRANSPORTS:
            for spare in (False, True):
                self.warm(transport, spare)

    def warm(self, transport: str, spare: bool) -> None:
        """A connection to the failing target is there and rests."""
        for _ in range(2 if spare else 1):
            self.bad.script(ReadAll(), Answer(200, b"warm"))
            self.gateway.ask("GET", f"/{service_name(transport, spare)}/warm")
        self.bad.forget_scripts()
        self.gateway.observer.exchanges.clear()

    def run(self, transport: str, spare: bool, name: str) -> Seen:
        """Send one request; wait for what comes of it, and for all to come to rest."""
        request = REQUESTS[name]
        before = self._count_one_failure(transport, spare)
        counted = self._counted(transport, spare)
        client = self.gateway.client()
        client.send(request.data.replace(b"{}", f"/{service_name(transport, spare)}/x".encode(), 1))
        self._wait(client, request)
        seen = self._seen(client, request, transport, spare, before, counted)
        if client.is_open:
            client.close()
        self.network.advance(REST_S)
        return seen

    def _count_one_failure(self, transport: str, spare: bool) -> int:
        """So that an answer, which forgets it, can be told from nothing."""
        target = self.target(transport, spare)
        now = self.network.now()
        assert target.breaker is not None
        target.breaker.failure(target.breaker.allows(now), now, "before")
        return target.failures

    def _wait(self, client: MemoryClient, request: Request) -> None:
        more = request.more
        self.network.pump()
        until = self.network.now() + PATIENCE_S
        while client.is_open and not _is_answered(client, request) and self.network.now() < until:
            self.network.advance(STEP_S)
            if more and client.is_open:
                client.send(more)
                more = b""

    def _seen(
        self, client: MemoryClient, request: Request, transport: str, spare: bool, before: int, counted: Counter[str]
    ) -> Seen:
        answers = [one for one in client.answers(request.method) if one.status >= 200]
        answer = answers[0] if answers else None
        self.network.advance(LINGER_S)
        exchanges = self.gateway.observer.exchanges
        assert len(exchanges) == 1, [ended(one) for one in exchanges]
        exchange = exchanges.pop()
        logged = json.loads(json_line(QUERY_RULES["keep"])(exchange, 0.0))
        target = self.target(transport, spare)
        assert target.breaker is not None
        failures = target.breaker.describe(self.network.now())["failures"]
        return Seen(
            status=answer.status if answer else 0,
            cause=json.loads(answer.body)["cause"] if answer and _is_problem(answer) else "",
            body=answer.body if answer else b"",
            ends=(answer is not None and answer.get(b"connection") == b"close", not client.is_open),
            is_cut=answer is None or not answer.is_complete,
            logged=logged,
            failures=failures,
            marked=target.failures - before,
            counted=dict(self._counted(transport, spare) - counted),
        )

    def _counted(self, transport: str, spare: bool) -> Counter[str]:
        telemetry = self.gateway.gateway.telemetry
        telemetry.flush()
        counts: Counter[str] = Counter()
        for (service, _, target), tally in telemetry.statistics.since_start().items():
            if service == service_name(transport, spare):
                counts[f"exchanges at {target}"] += tally.requests
                counts["attempts"] += tally.attempts
                counts["repeats"] += tally.repeats
                counts.update(tally.causes)
        return counts

    def leftovers(self) -> dict[str, int]:
        """What is there beyond what was there at first; nothing, once all has come to rest."""
        services = self.gateway.gateway.snapshot.services.values()
        pools = [target.transport.statistics() for target in self.targets()]
        counts = {
            "exchanges": sum(service.in_flight for service in services),
            "attempts": sum(target.in_flight for target in self.targets()),
            "connections": sum(pool["open"] for pool in pools),
            "idle": sum(pool["idle"] for pool in pools),
            "waiting": sum(pool["waiting"] for pool in pools),
            "clients": len(self.gateway.gateway.site.channels),
            "sockets": sum(self._gateways_end(link).connected for link in self.network.links),
            "connecting": len(self.network.connecting),
            "timers": len(self.network.reactor.getDelayedCalls()) - self.timers,
        }
        return {name: count for name, count in counts.items() if count}

    def _gateways_end(self, link: MemoryLink) -> MemoryTransport:
        return link.server if link.server.getHost().port == self.gateway.port else link.client


def _configuration(health: bool) -> dict[str, Any]:
    services = {
        service_name(transport, spare): {
            "prefix": f"/{service_name(transport, spare)}",
            "transport": transport,
            "targets": [BAD, GOOD] if spare else [BAD],
            "balance": "round-robin",
            "methods": ["GET", "POST", "PUT"],
        }
        for transport in TRANSPORTS
        for spare in (False, True)
    }
    defaults = {**CONFIGURATION, **({"health_check": {"interval": "4s", "timeout": "2s"}} if health else {})}
    return {"listen": ["tcp:8000"], "dns_ttl": "1s", "defaults": defaults, "services": services}


def _is_problem(answer: Any) -> bool:
    return bool(answer.get(b"content-type") == b"application/problem+json")


def _is_answered(client: MemoryClient, request: Request) -> bool:
    finals = [one for one in client.answers(request.method) if one.status >= 200]
    return bool(finals) and finals[0].is_complete
