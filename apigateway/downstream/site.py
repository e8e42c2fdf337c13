"""The gateway's site: a twisted.web `Site` whose connections speak our own HTTP/1, and all of them at a glance.

Knows its clients' connections and one entrance for exchanges; not what lies behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from typing import Protocol as Shape

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from twisted.web.resource import IResource, getChildForRequest
from twisted.web.server import Site

from apigateway.downstream.connections import TRUSTED, Connection, Connections, host_of
from apigateway.downstream.http1_channel import Http1Channel
from apigateway.downstream.rounds import Rounds
from apigateway.downstream.stock import StockRequest
from apigateway.errors import GatewayError, unforeseen_error
from apigateway.exchange import Exchange
from apigateway.http.request_reader import HeadLimits
from apigateway.sockets.tls_turns import Turns


@dataclass(frozen=True, slots=True)
class SiteLimits:
    """Bounds on clients' connections: their number, the sizes of heads, and seconds for head, body and pauses.

    `min_rate` is the bytes a second that a body must move, in either direction, on average over `body_s`.
    """

    head: HeadLimits = HeadLimits()
    connections: int = 20_000
    connections_per_client: int = 10_000
    head_s: float = 10.0
    keep_alive_s: float = 75.0
    body_s: float = 60.0
    min_rate: int = 0

    @property
    def least_moved(self) -> int:
        """Bytes of a body that must move in `body_s`."""
        return int(self.min_rate * self.body_s)


class Refused(Protocol):
    """Ends a connection for which there is no room, where nobody has asked `GatewaySite.admits` before it was made."""

    def connectionMade(self) -> None:
        """Cut it."""
        transport: Any = self.transport
        transport.abortConnection()


class CameBy(Shape):
    """What a client connected to: a listener, or the site itself."""

    leaving: bool
    """It is going to be closed: answers tell clients to leave."""

    def begin(self, exchange: Exchange) -> None:
        """Let an exchange in."""


class Channel(Connection, Shape):
    """One connection of a client, which the site sweeps and ends. `deadline`: its state has then lasted too long."""

    deadline: float
    listener: CameBy

    def expired(self) -> None:
        """The present state has lasted too long."""

    def stop(self) -> None:
        """Take no further request."""

    def leave(self) -> None:
        """The next answer is the last."""

    def cut(self, error: GatewayError | None = None) -> None:
        """End now; with `error`, where that can still be said, as the answer."""


class PeerChannel(Channel, Shape):
    """One that knows its client's address from the beginning."""

    @property
    def peer(self) -> str:
        """It."""


class GatewaySite(Site):
    """Makes an `Http1Channel` for each connection.

    `entrance` answers an exchange, or returns the stock Resource tree that should. `identify` gives an exchange its
    request id and client. `observe` gets each exchange when it is over. `now` reads the monotonic clock. `client_of`
    tells which client's connections those from an address are: `connections.TRUSTED` for those without a bound.
    """

    noisy = False

    def __init__(
        self,
        resource: IResource,
        entrance: Callable[[Exchange], IResource | None],
        identify: Callable[[Exchange], None],
        observe: Callable[[Exchange], None],
        limits: SiteLimits,
        now: Callable[[], float],
        reactor: Any,
        client_of: Callable[[str], str] = str,
    ) -> None:
        super().__init__(resource, reactor=reactor)
        self.entrance = entrance
        self.identify = identify
        self.observe = observe
        self.now = now
        self.connections = Connections(limits.connections, limits.connections_per_client, client_of, now)
        self.limits = limits
        self.leaving = self.stopping = False
        self.channels: set[Channel] = set()
        self.wall: Callable[[], float] = reactor.seconds
        self.rounds = Rounds(reactor)
        self.handshakes = Turns(reactor, now)
        self._log = Logger(namespace="apigateway.downstream")

    def bound(self, limits: SiteLimits) -> None:
        """Take new bounds, from now on: deadlines that have begun and connections that are there stay."""
        self.limits = limits
        self.connections.most = limits.connections
        self.connections.most_per_client = limits.connections_per_client

    def admits(self, address: str) -> bool:
        """Whether a connection from there may be made. One at rest may be closed to make room for it."""
        return self.connections.admits(address)

    def make_room(self, count: int) -> int:
        """Close up to so many connections at rest; returns how many."""
        return self.connections.make_room(count)

    def buildProtocol(self, addr: IAddress | None) -> Protocol:  # type: ignore[override]  # a Site says HTTPChannel
        """A channel for a new connection."""
        return Http1Channel(self) if self.admits(host_of(addr)) else Refused()

    def getResourceFor(self, request: Any) -> IResource:
        """Look up a stock request in the tree that its exchange began with."""
        request.site = self
        request.sitepath = list(request.prepath)
        resource: IResource = getChildForRequest(request.root, request)
        return resource

    def channel_opened(self, channel: PeerChannel) -> None:
        """A connection is there."""
        self.channels.add(channel)
        if channel.client is None:  # else it was there before, as another one's
            self.connections.opened(channel, channel.peer)

    def proxied_opened(self, channel: Channel) -> None:
        """A connection of a proxy is there, that is still to say for whom."""
        self.channels.add(channel)
        self.connections.joined(channel, TRUSTED)

    def switched(self, channel: Channel, relay: Channel) -> None:
        """A client's connection speaks something else; `relay` stands for it from now on."""
        self.channels.discard(channel)
        self.channels.add(relay)
        self.connections.replace(channel, relay)

    def channel_closed(self, channel: Channel) -> None:
        """A connection is gone."""
        self.channels.discard(channel)
        self.connections.closed(channel)

    def begin(self, exchange: Exchange) -> None:
        """Let an exchange in. What fails unforeseen costs this exchange only."""
        try:
            self.identify(exchange)
            resource = self.entrance(exchange)
            if resource is not None:
                assert isinstance(exchange.downstream, Http1Channel)
                StockRequest(exchange, exchange.downstream, self, resource).begin()
        except GatewayError as error:
            exchange.fail(error)
        except Exception:
            self._log.failure("exchange {request_id} failed", request_id=exchange.request_id.decode())
            exchange.fail(unforeseen_error())

    def refuse(self, exchange: Exchange, error: GatewayError) -> None:
        """Answer a request that can't be read."""
        self.identify(exchange)
        exchange.fail(error)

    def sweep(self, now: float) -> None:
        """End what has lasted too long. Called every fraction of a second."""
        for channel in [one for one in self.channels if one.deadline <= now]:
            # The end of one may have been the end of another.
            if channel.deadline <= now:
                channel.expired()
            if channel.deadline <= now:
                channel.cut()

    def stop_accepting_requests(self) -> None:
        """From now on each connection ends with the exchange that is in progress on it."""
        self.leaving = self.stopping = True
        for channel in list(self.channels):
            channel.stop()

    def leave(self, listener: CameBy) -> None:
        """Ask the clients of a listener to leave with their next answer; nobody is sent away."""
        listener.leaving = True
        for channel in self.channels:
            if channel.listener is listener:
                channel.leave()

    def cut_all(self, error: GatewayError | None = None) -> None:
        """End every connection now; with `error`, where that can still be said, as the answer."""
        for channel in list(self.channels):
            channel.cut(error)
