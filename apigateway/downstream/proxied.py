"""A connection that a proxy has made for a client, until the proxy has said who that is.

Knows the header that is awaited and that somebody speaks with the client afterwards; not what is spoken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from apigateway.downstream.connections import Client, host_of
from apigateway.downstream.proxy_protocol import ProxyHeader, ProxyHeaderError, read_header
from apigateway.downstream.sending_pace import NEVER
from apigateway.errors import GatewayError

if TYPE_CHECKING:
    from apigateway.downstream.site import CameBy, GatewaySite

Next = Callable[[IAddress, bool], Protocol]
"""What speaks with a client of that address, who speaks TLS with the proxy or does not."""


class Proxied(Protocol):
    """Waits for the header, then leaves the connection to `following`. To the site it is a channel at rest.

    `refused` is told why a header is refused, and whose. Until the header is here, the connection is the proxies'.
    """

    def __init__(
        self, site: GatewaySite, listener: CameBy, following: Next, refused: Callable[[str, str], None]
    ) -> None:
        self._site = site
        self.listener = listener
        self._following = following
        self._refused = refused
        self._data = b""
        self.deadline = NEVER
        self.rests_since = 0.0
        self.client: Client | None = None
        self.at_rest = True

    def __repr__(self) -> str:
        return f"<Proxied {self.peer} header={len(self._data)}>"

    @property
    def peer(self) -> str:
        """The proxy's address."""
        transport: Any = self.transport
        return host_of(transport.getPeer())

    def connectionMade(self) -> None:
        """Begin to wait."""
        self.rests_since = self._site.now()
        self.deadline = self.rests_since + self._site.limits.head_s
        self._site.proxied_opened(self)

    def dataReceived(self, data: bytes) -> None:
        """Some of the header, or all of it and more."""
        if self.deadline is NEVER:
            return  # refused already
        self._data += data
        try:
            header = read_header(self._data)
        except ProxyHeaderError as error:
            self._refuse(str(error))
            return
        if header is not None:
            self._follow(header, self._data[header.size :])

    def _follow(self, header: ProxyHeader, rest: bytes) -> None:
        transport: Any = self.transport
        # First it is no longer the proxies', and then, where there is room for one more, the client's.
        self._over()
        protocol = self._following(_address(header) or transport.getPeer(), header.secure)
        transport.protocol = protocol
        protocol.makeConnection(transport)
        if rest:
            protocol.dataReceived(rest)

    def _over(self) -> None:
        self.deadline = NEVER
        self._site.channel_closed(self)

    def _refuse(self, why: str) -> None:
        self._refused(why, self.peer)
        self.cut()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The proxy is gone before it said anything: so do those that only look whether somebody listens."""
        self._over()

    # The site sweeps, makes room, and stops.

    def expired(self) -> None:
        """The header has not arrived in time."""
        self._refuse("no complete header in time")

    def make_room(self) -> None:
        """Close."""
        self.cut()

    def stop(self) -> None:
        """No request has begun."""
        self.cut()

    def leave(self) -> None:
        """The listener tells whoever follows."""

    def cut(self, error: GatewayError | None = None) -> None:
        """End it."""
        self.deadline = NEVER
        transport: Any = self.transport
        transport.abortConnection()


def _address(header: ProxyHeader) -> IAddress | None:
    """The client's address; None where the proxy itself is the client."""
    if header.host is None:
        return None
    kind = IPv6Address if ":" in header.host else IPv4Address
    address: IAddress = kind("TCP", header.host, header.port)
    return address
