"""A whole gateway on a memory network: real configuration, real data path, virtual time.

Only the access log is left out, as it writes files; look at the `observer` instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from twisted.internet.defer import Deferred

from apigateway.config.model import Configuration
from apigateway.config.read import parse_text
from apigateway.gateway import Gateway
from apigateway.interfaces import IPolicyPlugin
from apigateway.testing.client import MemoryClient
from apigateway.testing.memory import MemoryNetwork
from apigateway.testing.observer import RecordingObserver
from apigateway.testing.wire import Message

MOMENT_S = 0.025
"""After so long a connection that was refused has been tried again, unless `retries` say otherwise."""


class RunningGateway:
    """A started gateway, as its clients and its operator see it.

    `gateway` is the service itself, `observer` has the exchanges that ended, `network` is where all this happens.
    """

    def __init__(self, gateway: Gateway, network: MemoryNetwork, observer: RecordingObserver) -> None:
        self.gateway = gateway
        self.network = network
        self.observer = observer

    def __repr__(self) -> str:
        return f"<RunningGateway on port {self.port} {self.observer!r}>"

    @property
    def port(self) -> int:
        """Where its first listener is."""
        host: Any = self.gateway.ports[0].getHost()
        port: int = host.port
        return port

    def client(self, source: str = "203.0.113.7") -> MemoryClient:
        """A raw client, connecting from an address."""
        return self.network.client(self.port, source=source)

    def ask(
        self,
        method: str = "GET",
        target: str = "/",
        fields: Iterable[tuple[bytes, bytes]] = (),
        body: bytes = b"",
        source: str = "203.0.113.7",
    ) -> Message:
        """The answer to one request on a connection of its own, as far as it comes at once.

        No time passes, but for the moment before a refused connection is tried again, where there is no answer else.
        Raises `AssertionError` where no head has come by then; use `client` for what takes time.
        """
        given = list(fields)
        if all(name.lower() != b"host" for name, _ in given):
            given.insert(0, (b"Host", b"gateway.example"))
        head = [f"{method} {target} HTTP/1.1".encode("latin-1"), *(b"%b: %b" % field for field in given)]
        if body:
            head.append(b"Content-Length: %d" % len(body))
        client = self.client(source).send(b"\r\n".join([*head, b"", body]))
        self.network.pump()
        if not any(answer.status >= 200 for answer in client.answers(method)):
            self.network.advance(MOMENT_S)
        answers = [answer for answer in client.answers(method) if answer.status >= 200]
        assert answers, f"no answer to {method} {target} without time passing: {client.received!r}"
        if client.is_open:
            client.close()
            self.network.pump()
        return answers[0]

    def stop(self) -> Deferred[None]:
        """Stop the gateway; let time pass until the Deferred fires."""
        stopping = self.gateway.stopService()
        self.network.pump()
        return stopping


def running_gateway(
    configuration: str | Configuration,
    network: MemoryNetwork,
    environ: Mapping[str, str] | None = None,
    policies: Sequence[IPolicyPlugin] = (),
) -> RunningGateway:
    """Start a gateway. A text is read as the configuration file, with `environ` as its variables.

    `policies` are kinds of policies that are not in the box; those that are installed are not looked for.
    Raises `ConfigurationError`.
    """
    if isinstance(configuration, str):
        configuration = parse_text(configuration, "gateway.yaml", environ or {})
    observer = RecordingObserver()
    gateway = Gateway(
        replace(configuration, access_log=None), network.reactor, network.now,
        observers=[observer], random=Random(1), policies=policies,
    )  # fmt: skip
    gateway.startService()
    return RunningGateway(gateway, network, observer)
