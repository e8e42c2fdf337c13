"""The addresses that clients connect to, opened and closed one by one; what holds for an open one may change.

Knows what is wanted of each, and the site as what speaks with clients; no configuration, no services.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from twisted.internet import tcp
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IProtocolFactory,
    IProtocolNegotiationFactory,
    IReactorTime,
)
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from zope.interface import implementer

from apigateway.downstream.connections import TRUSTED, host_of
from apigateway.downstream.http1_channel import Http1Channel
from apigateway.downstream.opening import Opening
from apigateway.downstream.proxied import Proxied
from apigateway.downstream.redirect import Redirecting
from apigateway.downstream.site import GatewaySite, Refused
from apigateway.downstream.tls_side import TlsSide
from apigateway.exchange import Exchange
from apigateway.sockets.seldom import Seldom

_log = Logger(namespace="apigateway.gateway")


@implementer(IProtocolFactory, IProtocolNegotiationFactory)
class Listener:
    """One address, by the text of its endpoint. `leaving` asks the clients that came by it to leave.

    `begin` is where their exchanges begin.
    """

    def __init__(self, opening: Opening, site: GatewaySite) -> None:
        self.text = opening.endpoint
        self.tls: TlsSide | None = None
        self.leaving = False
        self.port: IListeningPort | None = None
        self.wrappedFactory = self._site = site  # who accepts asks the site whom to admit
        self._strangers = _Refusals(site.now, "connections that are no proxy's")
        self._malformed = _Refusals(site.now, "headers of the PROXY protocol")
        self.use(opening)

    def use(self, opening: Opening) -> None:
        """What holds from now on: the way of a connection for new ones, a redirection also for those that are there."""
        self.opening = opening
        self.begin: Callable[[Exchange], None] = self._site.begin
        if opening.tls is None:
            self.tls = None
        elif self.tls is None:
            self.tls = TlsSide(opening.tls, self._site, self, self._inside, self._site.wall)
        else:
            self.tls.use(opening.tls)
        if opening.redirect is not None:
            self.begin = Redirecting(opening.redirect, self._identify, self._site.begin).begin

    def _identify(self, exchange: Exchange) -> None:
        self._site.identify(exchange)  # by whom the site does it may change

    def __repr__(self) -> str:
        return f"<Listener {self.text} {'closed' if self.port is None else self.address}>"

    @property
    def address(self) -> str:
        """Where it listens, for people."""
        host: Any = self.port.getHost() if self.port is not None else None
        return f"{host.host}:{host.port}" if hasattr(host, "port") else str(getattr(host, "name", host))

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """What speaks with a client, or first with the proxy that connects for one."""
        if self.opening.proxies is None:
            return self._begin(addr, False)
        if not self.admits(host_of(addr)):
            return Refused()
        return Proxied(self._site, self, self._begin, self._malformed.one)

    def _begin(self, addr: IAddress | None, secure: bool) -> Protocol:
        """What speaks with a client, or first does the handshake of TLS with it."""
        if self.tls is None:
            return self._channel(addr, secure)
        peer = host_of(addr)
        return self.tls.arrive(addr, peer) if self._site.admits(peer) else Refused()

    def _channel(self, addr: IAddress | None, secure: bool) -> Protocol:
        """A channel that knows where its client came in; `secure` where a proxy speaks TLS with it."""
        return self._coming(self._site.buildProtocol(addr), addr, secure)

    def _inside(self, addr: IAddress | None, secure: bool) -> Protocol:
        """The same for a client that is there already."""
        return self._coming(Http1Channel(self._site), addr, secure)

    def _coming(self, channel: Any, addr: IAddress | None, secure: bool) -> Protocol:
        channel.listener, channel.address, channel.secure = self, addr, secure
        return channel  # type: ignore[no-any-return]  # the site's protocols are all channels

    def admits(self, address: str) -> bool:
        """Whether a connection from there may be made. One at rest may be closed to make room for it."""
        proxies = self.opening.proxies
        if proxies is None:
            return self._site.admits(address)
        if proxies(address):
            return self._site.connections.has_room_for(TRUSTED)  # for its client there may be none; that shows later
        self._strangers.one("no proxy of this listener", address)
        return False

    def make_room(self, count: int) -> int:
        """Close up to so many connections at rest; returns how many."""
        return self._site.make_room(count)

    def acceptableProtocols(self) -> list[bytes]:
        """What is offered in TLS handshakes."""
        return [b"http/1.1"]

    def doStart(self) -> None:
        """A port opens."""
        self._site.doStart()

    def doStop(self) -> None:
        """A port has closed."""
        self._site.doStop()

    async def close(self, clock: IReactorTime) -> None:
        """Take no more connections."""
        port, self.port = self.port, None
        if port is not None:
            # Twisted closes the socket in the next turn of the reactor: this comes just before.
            clock.callLater(0, _accept_last, port)
            await maybeDeferred(port.stopListening)


class _Refusals:
    """Tells of what is refused on one listener, of many at once in one line."""

    def __init__(self, now: Callable[[], float], what: str) -> None:
        self._what = what
        self._why = self._peer = ""
        self._seldom = Seldom(now, self._tell)

    def one(self, why: str, peer: str) -> None:
        """One more."""
        self._why, self._peer = why, peer
        self._seldom.happened()

    def _tell(self, times: int) -> None:
        _log.warn(
            "refused {what}: {why}, last from {peer}; {times} times since last told",
            event="proxy-refused", what=self._what, why=self._why, peer=self._peer, times=times,
        )  # fmt: skip


def _accept_last(port: IListeningPort) -> None:
    """Take the connections that the kernel has made already: closing the port would reset them."""
    if isinstance(port, tcp.Port) and port.connected:
        port.numberAccepts = max(port.numberAccepts, port.backlog or 0)
        port.doRead()


class Listeners:
    """All listeners of a site. `take` is given each port that was opened, and returns it ready for use."""

    def __init__(self, site: GatewaySite, reactor: Any, take: Callable[[IListeningPort], IListeningPort]) -> None:
        self.open: list[Listener] = []
        self._site = site
        self._reactor = reactor
        self._take = take

    def __repr__(self) -> str:
        return f"<Listeners {self.open}>"

    @property
    def ports(self) -> list[IListeningPort]:
        """The open ports."""
        return [one.port for one in self.open if one.port is not None]

    def begin(self, opening: Opening) -> Deferred[Listener]:
        """Open one more. The Deferred, which has mostly fired already, fails where that can't be."""
        listener = Listener(opening, self._site)

        def opened(port: IListeningPort) -> Listener:
            listener.port = self._take(port)
            self.open.append(listener)
            return listener

        def listen() -> Any:
            return serverFromString(self._reactor, opening.endpoint).listen(listener)

        return maybeDeferred(listen).addCallback(opened)

    async def add(self, openings: Sequence[Opening]) -> tuple[list[Listener], list[str]]:
        """Open those that are not open; returns the new ones, and what was wrong with the others."""
        added, problems = [], []
        for one in _without(openings, (one.text for one in self.open)):
            try:
                added.append(await self.begin(one))
            except Exception as error:  # endpoints are plugins, and raise what they like
                problems.append(f"{one.where}: {one.endpoint!r} cannot be opened: {error}")
        return added, problems

    def use(self, openings: Iterable[Opening]) -> list[Listener]:
        """Let the open ones be as wanted, each by the text of its endpoint; returns those that nobody wants."""
        wanted: dict[str, deque[Opening]] = {}
        for one in openings:
            wanted.setdefault(one.endpoint, deque()).append(one)
        left = []
        for listener in self.open:
            if wanted.get(listener.text):
                listener.use(wanted[listener.text].popleft())
            else:
                left.append(listener)
        return left

    async def close(self, listeners: Iterable[Listener]) -> None:
        """Take no more connections there. Their clients are asked to leave, and nobody is sent away."""
        for one in list(listeners):
            self.open.remove(one)
            address = one.address
            await one.close(self._reactor)
            self._site.leave(one)
            _log.info("no longer listening on {address}", event="not-listening", address=address)

    def sweep(self, now: float) -> None:
        """Look after what changes with time."""
        for one in self.open:
            if one.tls is not None:
                one.tls.sweep(now)

    def describe(self) -> dict[str, Any]:
        """What is known of TLS, by the endpoints where it is spoken."""
        return {one.text: one.tls.describe() for one in self.open if one.tls is not None}

    def tell(self, listeners: Iterable[Listener] | None = None) -> None:
        """Say where clients can connect, by some of the listeners or by all."""
        for one in self.open if listeners is None else listeners:
            _log.info("listening on {address}", event="listening", address=one.address)

    def leave(self) -> None:
        """Ask all clients to leave with their next answer."""
        for one in self.open:
            self._site.leave(one)


def _without(openings: Iterable[Opening], texts: Iterable[str]) -> list[Opening]:
    """Those whose endpoint is not among the texts, each counted as often as it is there; in their order."""
    taken = Counter(texts)
    left = []
    for one in openings:
        if taken[one.endpoint]:
            taken[one.endpoint] -= 1
        else:
            left.append(one)
    return left
