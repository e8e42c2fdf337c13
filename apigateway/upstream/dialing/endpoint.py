"""Endpoints of Twisted for the addresses of services; names may be looked up as for native connections.

The system's resolver keeps a thread for each look-up, and there are few: one name that nobody answers for, looked up
for each new connection, would keep all others waiting.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Protocol
from zope.interface import implementer

from apigateway.discovery.resolver import reactor_lookup
from apigateway.errors import GatewayError
from apigateway.http.hosts import DEFAULT_PORTS
from apigateway.upstream.dialing.dial import Dialer, Resolve, Way


class _Unwanted(Protocol):
    """Takes a connection that nobody waits for any more, and ends it."""

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.abortConnection()  # type: ignore[attr-defined]  # TCP's have it


class _Connecting:
    """One connection being made: `done` fires with its protocol, and may be cancelled."""

    def __init__(self, reactor: Any, factory: IProtocolFactory) -> None:
        self.done: Deferred[IProtocol] = Deferred()
        self._reactor = reactor
        self._factory = factory

    def build(self) -> Any:
        """The protocol for a connection that is there."""
        protocol = None if self.done.called else self._factory.buildProtocol(None)  # type: ignore[arg-type]
        if protocol is None:
            return _Unwanted()
        # Whoever waits for it wants it connected, and that comes next.
        self._reactor.callLater(0, self._connected, protocol)
        return protocol

    def _connected(self, protocol: IProtocol) -> None:
        if self.done.called:
            assert protocol.transport is not None  # type: ignore[attr-defined]  # any protocol of Twisted has it
            protocol.transport.abortConnection()  # type: ignore[attr-defined]
        else:
            self.done.callback(protocol)

    def failed(self, error: GatewayError) -> None:
        """There will be no connection."""
        if not self.done.called:
            self.done.errback(error)


@implementer(IStreamClientEndpoint)
class DialedEndpoint:
    """Connects by a dialer; fails with `GatewayError`."""

    def __init__(self, reactor: Any, dial: Dialer) -> None:
        self._reactor = reactor
        self._dial = dial

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """See `IStreamClientEndpoint.connect`."""
        connecting = _Connecting(self._reactor, protocolFactory)
        self._dial(connecting.build, connecting.failed)
        return connecting.done


def endpoint_for(
    reactor: Any,
    url: str,
    timeout_s: float,
    resolve: Resolve | None = None,
    now: Callable[[], float] | None = None,
    way: Way | None = None,
) -> IStreamClientEndpoint:
    """An endpoint for the URL's address; `way` is how connections are made where that is not by plain TCP.

    Only names are resolved: with `resolve`, or else by the reactor. `now` is the monotonic clock, the reactor's unless
    given.
    """
    parts = urlsplit(url)
    if parts.scheme == "https" and way is None:
        raise ValueError(f"{url} needs a way to speak TLS")
    host = parts.hostname or ""
    port = parts.port or DEFAULT_PORTS[parts.scheme]
    is_plain = way is None
    if is_plain and isIPAddress(host):
        return TCP4ClientEndpoint(reactor, host, port, timeout_s)
    if is_plain and isIPv6Address(host):
        return TCP6ClientEndpoint(reactor, host, port, timeout_s)
    if is_plain and resolve is None:
        return HostnameEndpoint(reactor, host, port, timeout_s)
    dial = Dialer(
        host, port, timeout_s, resolve or reactor_lookup(reactor), way or Way(reactor.connectTCP), reactor,
        now or reactor.seconds,
    )  # fmt: skip
    return DialedEndpoint(reactor, dial)
