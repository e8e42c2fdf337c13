"""The gateway's site: a twisted.web `Site` whose connections speak our own HTTP/1, and all of them at a glance.

Knows its clients' connections and one entrance for exchanges; not what lies behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from twisted.web.resource import IResource, getChildForRequest
from twisted.web.server import Site

from apigateway.downstream.http1_channel import Http1Channel
from apigateway.downstream.stock import StockRequest
from apigateway.errors import INTERNAL_ERROR, GatewayError
from apigateway.exchange import Exchange
from apigateway.http.request_reader import HeadLimits


@dataclass(frozen=True, slots=True)
class SiteLimits:
    """Bounds on clients' connections: their number, the sizes of heads, and seconds for head, body and pauses."""

    head: HeadLimits = HeadLimits()
    connections: int = 20_000
    head_s: float = 10.0
    keep_alive_s: float = 75.0
    body_s: float = 60.0


class GatewaySite(Site):
    """Makes an `Http1Channel` for each connection.

    `entrance` answers an exchange, or returns the stock Resource tree that should. `identify` gives an exchange its
    request id and client. `observe` gets each exchange when it is over. `now` reads the monotonic clock.
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
    ) -> None:
        super().__init__(resource, reactor=reactor)
        self.entrance = entrance
        self.identify = identify
        self.observe = observe
        self.limits = limits
        self.now = now
        self.stopping = False
        self.channels: set[Http1Channel] = set()
        self._log = Logger(namespace="apigateway.downstream")

    def buildProtocol(self, addr: IAddress | None) -> Protocol:  # type: ignore[override]  # a Site says HTTPChannel
        """A channel for a new connection."""
        return Http1Channel(self)

    def getResourceFor(self, request: Any) -> IResource:
        """Look up a stock request in the tree that its exchange began with."""
        request.site = self
        request.sitepath = list(request.prepath)
        resource: IResource = getChildForRequest(request.root, request)
        return resource

    def channel_opened(self, channel: Http1Channel) -> None:
        """A connection is there; above the bound it is cut."""
        self.channels.add(channel)
        if len(self.channels) > self.limits.connections:
            channel.cut()

    def channel_closed(self, channel: Http1Channel) -> None:
        """A connection is gone."""
        self.channels.discard(channel)

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
            exchange.fail(GatewayError(INTERNAL_ERROR, "Something unforeseen went wrong; the log tells more."))

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
        self.stopping = True
        for channel in list(self.channels):
            channel.stop()

    def cut_all(self) -> None:
        """End every connection now."""
        for channel in list(self.channels):
            channel.cut()

    @property
    def exchanges_in_progress(self) -> int:
        """How many connections have an exchange on them."""
        return sum(not channel.idle for channel in self.channels)
