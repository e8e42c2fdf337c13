"""A network in memory, in virtual time: listeners, connections and names for tests that never wait and never vary.

Give `MemoryNetwork.reactor` to what is tested, `pump` to let everything happen that happens at once, `advance` to let
time pass.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import ClientFactory, Factory, Protocol

from apigateway.testing.client import MemoryClient
from apigateway.testing.memory_reactor import MemoryPort, MemoryReactor
from apigateway.testing.memory_transport import Address, MemoryLink, address

MOST_STEPS = 100_000


class _One(ClientFactory[Protocol]):
    """Gives one protocol that is already there."""

    noisy = False

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol

    def buildProtocol(self, addr: object) -> Protocol:
        return self._protocol

    def clientConnectionFailed(self, connector: object, reason: Any) -> None:
        self._protocol.connectionLost(reason)


class MemoryNetwork:
    """Everything that a test's participants share.

    `hosts` maps names to addresses. `address` is the one that connections come from unless told otherwise. `links`
    are the connections in the order in which they were made, those that are over left out.
    """

    def __init__(self) -> None:
        self.hosts: dict[str, list[str]] = {"localhost": ["127.0.0.1"]}
        self.address = "127.0.0.1"
        self.ports: dict[tuple[str, int], MemoryPort] = {}
        self.links: list[MemoryLink] = []
        self.connecting: list[Any] = []
        self.reactor = MemoryReactor(self)
        self._unreachable: set[tuple[str, int | None]] = set()

    def __repr__(self) -> str:
        listeners = ", ".join(map(repr, self.ports.values()))
        return f"<MemoryNetwork at {self.now():g} s, {len(self.links)} links, {listeners or 'nobody listens'}>"

    # Time.

    def now(self) -> float:
        """Seconds since the network was made."""
        return self.reactor.seconds()

    def pump(self) -> None:
        """Let happen what happens without time passing. Raises `AssertionError` where that never ends."""
        for _ in range(MOST_STEPS):
            if not self._step():
                return
        raise AssertionError(f"the network does not come to rest in {MOST_STEPS} steps")

    def advance(self, seconds: float) -> None:
        """Let time pass: every timer fires at its own time, with all that follows from it before the next one."""
        self.pump()
        until = self.now() + seconds
        while (due := self._next_timer()) is not None and due <= until:
            self.reactor.advance(due - self.now())
            self.pump()
        self.reactor.advance(until - self.now())
        self.pump()

    def _next_timer(self) -> float | None:
        return min((call.getTime() for call in self.reactor.getDelayedCalls()), default=None)

    def _step(self) -> bool:
        due = self._next_timer()
        moved = due is not None and due <= self.now()
        if moved:
            self.reactor.advance(0)
        for connector in list(self.connecting):
            moved = connector.settle() or moved
        for link in list(self.links):
            moved = link.step() or moved
        self.links = [link for link in self.links if not link.closed]
        return moved

    # Who is there.

    def client(self, port: int = 8000, host: str = "127.0.0.1", source: str = "203.0.113.7") -> MemoryClient:
        """A raw client at the address `source` that connects to `host` and `port`."""
        client = MemoryClient()
        self.reactor.connectTCP(host, port, _One(client), bindAddress=(source, 0))
        return client

    def listen(self, host: str, port: int, factory: Factory) -> MemoryPort:
        """Listen at one address."""
        listener = MemoryPort(self, port, factory, host)
        listener.startListening()
        return listener

    def listener(self, host: str, port: int) -> MemoryPort | None:
        """Who listens at an address; None where nobody does."""
        return self.ports.get((host, port)) or self.ports.get(("", port))

    def link(self, source: str, destination: Address) -> MemoryLink:
        """A new connection, without protocols."""
        link = MemoryLink(address(source, self.reactor.ephemeral_port()), destination)
        self.links.append(link)
        return link

    # What goes wrong.

    def silence(self, host: str, port: int | None = None) -> None:
        """From now on nothing gets to this address or from there: no refusal, no end, no data."""
        self._unreachable.add((host, port))
        self._apply_silence()

    def restore(self, host: str, port: int | None = None) -> None:
        """The address is there again; what was on its way arrives."""
        self._unreachable.discard((host, port))
        self._apply_silence()

    def swallows(self, host: str, port: int) -> bool:
        """The address is silent."""
        return (host, port) in self._unreachable or (host, None) in self._unreachable

    def cut(self, host: str, port: int | None = None) -> None:
        """Both ends of every connection to this address lose it."""
        for link in list(self.links):
            end = link.server.getHost()
            if end.host == host and port in (None, end.port):
                link.cut()

    def _apply_silence(self) -> None:
        for link in self.links:
            end = link.server.getHost()
            link.silent = self.swallows(end.host, end.port)
