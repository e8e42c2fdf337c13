"""The whole way of an exchange in memory: the real gateway, on a reactor that does nothing, between sinks.

What the kernel does is left out, and what the gateway itself does is all there; the log's lines are not written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.testing import MemoryReactorClock

from apigateway.config.model import AccessLog, Configuration, Policies, RateLimit, Route, Service, Target
from apigateway.gateway import Gateway
from bench.load.answers import PRODUCT, request_head
from bench.stages.messages import ANSWER, CLIENT, PORT
from bench.stages.stage import Now, Work

LIMIT = RateLimit(10**9)
DEFAULT = Policies(rate_limit=(LIMIT,))
"""As the default configuration has it, but for a limit that nobody reaches."""

CLIENTS = 64
"""As many as the benchmark has connections: what was read together is worked on together, step by step."""

Gateways = Callable[[Policies, int, Now], "Path"]


class Sink:
    """Stands for a transport: counts what is written, and remembers of which protocol that was."""

    def __init__(self, written: list[Any]) -> None:
        self.writes = 0
        self.protocol: Any = None
        self._written = written

    def write(self, data: bytes) -> None:
        """Take it."""
        self.writes += 1
        self._written.append(self.protocol)

    def getPeer(self) -> IPv4Address:
        """The other end."""
        return IPv4Address("TCP", CLIENT, 5)

    getHost = getPeer

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Ask nothing of it."""

    def setTcpNoDelay(self, enabled: bool) -> None:
        """There is nothing to delay."""


def configuration(policies: Policies) -> Configuration:
    """One service with one route, on which are the policies. Nothing checks its health: no time passes here."""
    service = Service(
        "product", (Route("/api", policies=policies),), (Target("http://127.0.0.1:9001"),), health_check=None
    )
    return Configuration(services=(service,), access_log=AccessLog(file="/dev/null"))


class Path:
    """A gateway with so many clients, and a connection to its service for each; all take turns."""

    def __init__(self, policies: Policies, clients: int, now: Now) -> None:
        reactor = MemoryReactorClock()
        self.gateway = Gateway(configuration(policies), reactor, now)
        self.answered: list[Any] = []
        self._asked: list[Any] = []
        self._clients = [self._client() for _ in range(clients)]
        for client in self._clients:
            client.dataReceived(request_head("GET", PRODUCT, PORT))
        for _, _, factory, *_ in list(reactor.tcpClients):
            self._connect(factory.buildProtocol(None))
        self._answer()

    def _client(self) -> Any:
        return self._open(self.gateway.site.buildProtocol(None), self.answered)

    def _connect(self, protocol: Any) -> Any:
        return self._open(protocol, self._asked)

    @staticmethod
    def _open(protocol: Any, written: list[Any]) -> Any:
        sink = Sink(written)
        sink.protocol = protocol
        protocol.makeConnection(sink)
        return protocol

    def _answer(self) -> None:
        asked = self._asked[:]
        self._asked.clear()
        for connection in asked:
            connection.dataReceived(ANSWER)

    def work(self, fields: dict[str, str] | None = None) -> Work:
        """One exchange of each client, each with the same request as before."""
        request, clients, answer = request_head("GET", PRODUCT, PORT, fields), self._clients, self._answer

        def exchange(_: Any) -> None:
            for client in clients:
                client.dataReceived(request)
            answer()

        def rest() -> None:
            self.answered.clear()

        return Work(exchange, rest, len(clients))
