"""A reactor of a memory network: virtual time, and TCP that stays in memory.

Built on Twisted's own `MemoryReactorClock`, for everything that has nothing to do with TCP.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import CannotListenError, ConnectionRefusedError, UserError
from twisted.internet.error import TimeoutError as ConnectTimeoutError
from twisted.internet.interfaces import (
    IConnector,
    IDelayedCall,
    IListeningPort,
    IProtocolFactory,
)
from twisted.internet.protocol import ClientFactory
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from zope.interface import implementer

from apigateway.testing.memory_transport import Address, MemoryLink, address
from apigateway.testing.names import ScriptedNames

if TYPE_CHECKING:
    from apigateway.testing.memory import MemoryNetwork

_EPHEMERAL = 49152


@implementer(IListeningPort)
class MemoryPort:
    """A listener. An empty interface takes connections to any address that no other listener has for itself."""

    def __init__(self, network: MemoryNetwork, port: int, factory: IProtocolFactory, interface: str) -> None:
        self.factory = factory
        self.is_accepting = True
        self.interface = "" if interface in ("", "0.0.0.0", "::") else interface
        self.port = port
        self._network = network

    def __repr__(self) -> str:
        return f"<MemoryPort {self.interface or '*'}:{self.port}>"

    def startListening(self) -> None:
        """Take connections."""
        ports = self._network.ports
        if (self.interface, self.port) in ports:
            raise CannotListenError(self.interface, self.port, OSError("the address is already in use"))
        ports[self.interface, self.port] = self
        self.factory.doStart()

    def stopListening(self) -> Deferred[None]:
        """Take no more connections; those that are there stay."""
        if self._network.ports.pop((self.interface, self.port), None) is not None:
            self.factory.doStop()
        return succeed(None)

    def pauseProducing(self) -> None:
        """Take no connections, and refuse none: who connects waits."""
        self.is_accepting = False

    def resumeProducing(self) -> None:
        """Take connections, those that wait first."""
        self.is_accepting = True

    def getHost(self) -> Address:
        """Where it listens."""
        return address(self.interface or "0.0.0.0", self.port)


@implementer(IConnector)
class MemoryConnector:
    """One connection being made or there."""

    def __init__(
        self, network: MemoryNetwork, host: str, port: int, factory: ClientFactory[Any], timeout_s: float, source: str
    ) -> None:
        self.host = host
        self.port = port
        self.factory = factory
        self.link: MemoryLink | None = None
        self._network = network
        self._timeout_s = timeout_s
        self._source = source
        self._timer: IDelayedCall | None = None

    def connect(self) -> None:
        """Begin; it is settled in the network's next step, or in none where the way there swallows everything."""
        self.factory.doStart()
        self.factory.startedConnecting(self)
        self._network.connecting.append(self)
        self._timer = self._network.reactor.callLater(self._timeout_s, self._fail, ConnectTimeoutError())

    def stopConnecting(self) -> None:
        """Give up."""
        self._fail(UserError())

    def disconnect(self) -> None:
        """Give up, or close the connection."""
        if self.link is not None:
            self.link.client.loseConnection()
        else:
            self.stopConnecting()

    def getDestination(self) -> Address:
        """Where it goes."""
        return address(self.host, self.port)

    def settle(self) -> bool:
        """Connect or be refused; returns whether either happened."""
        network = self._network
        if network.swallows(self.host, self.port):
            return False
        listener = network.listener(self.host, self.port)
        if listener is not None and not listener.is_accepting:
            return False
        if listener is None:
            self._fail(ConnectionRefusedError())
        else:
            self._stop_timer()
            network.connecting.remove(self)
            self._open(listener.factory)
        return True

    def _open(self, server_factory: IProtocolFactory) -> None:
        self.link = link = self._network.link(self._source, self.getDestination())
        server = server_factory.buildProtocol(link.server.getPeer())
        client = self.factory.buildProtocol(link.client.getPeer())
        if server is None or client is None:
            self._network.links.remove(link)
            self.factory.clientConnectionFailed(self, Failure(ConnectionRefusedError()))
            return
        link.server.open(server)
        link.client.open(client)

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _fail(self, error: Exception) -> None:
        if self in self._network.connecting:
            self._stop_timer()
            self._network.connecting.remove(self)
            self.factory.clientConnectionFailed(self, Failure(error))
            self.factory.doStop()


class MemoryReactor(MemoryReactorClock):
    """The reactor to give to what is tested. Time passes with `MemoryNetwork.advance`."""

    def __init__(self, network: MemoryNetwork) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Twisted has no types here
        self._network = network
        self._next_port = _EPHEMERAL
        self.nameResolver = self.names = ScriptedNames(self, network.hosts)

    def ephemeral_port(self) -> int:
        """A port that nobody has had yet."""
        self._next_port += 1
        return self._next_port

    def advance(self, amount: float) -> None:
        """Let time pass. As on a real reactor, a call that is made meanwhile for now has to wait for the next round."""
        self.rightNow += amount
        due = [call for call in self.calls if call.getTime() <= self.rightNow]
        for call in sorted(due, key=lambda call: call.getTime()):
            if call.active():
                self.calls.remove(call)
                call.called = 1
                call.func(*call.args, **call.kw)

    def listenTCP(self, port: int, factory: IProtocolFactory, backlog: int = 50, interface: str = "") -> IListeningPort:
        """See `IReactorTCP.listenTCP`."""
        listener = MemoryPort(self._network, port or self.ephemeral_port(), factory, interface)
        listener.startListening()
        return listener

    def connectTCP(
        self,
        host: str,
        port: int,
        factory: ClientFactory[Any],
        timeout: float = 30,
        bindAddress: tuple[str, int] | None = None,
    ) -> IConnector:
        """See `IReactorTCP.connectTCP`."""
        found = self.names.addresses(host)
        source = bindAddress[0] if bindAddress else self._network.address
        connector = MemoryConnector(self._network, found[0] if found else host, port, factory, timeout, source)
        connector.connect()
        return connector

    def callFromThread(self, callable: Callable[..., object], *args: object, **kwargs: object) -> None:
        """See `IReactorFromThreads.callFromThread`: there are no threads, so it is called in the next step."""
        self.callLater(0, callable, *args, **kwargs)
