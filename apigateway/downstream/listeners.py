"""The addresses that clients connect to, opened and closed one by one.

Knows endpoints as texts, and the site as what speaks with clients; no configuration, no services.
"""

from __future__ import annotations

from collections import Counter
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

from apigateway.downstream.site import GatewaySite

_log = Logger(namespace="apigateway.gateway")


@implementer(IProtocolFactory, IProtocolNegotiationFactory)
class Listener:
    """One address, by the text of its endpoint. `leaving` asks the clients that came by it to leave."""

    def __init__(self, text: str, site: GatewaySite) -> None:
        self.text = text
        self.leaving = False
        self.port: IListeningPort | None = None
        self.wrappedFactory = self._site = site  # who accepts asks the site whom to admit

    def __repr__(self) -> str:
        return f"<Listener {self.text} {'closed' if self.port is None else self.address}>"

    @property
    def address(self) -> str:
        """Where it listens, for people."""
        host: Any = self.port.getHost() if self.port is not None else None
        return f"{host.host}:{host.port}" if hasattr(host, "port") else str(getattr(host, "name", host))

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """A channel that knows where its client came in."""
        channel: Any = self._site.buildProtocol(addr)
        channel.listener = self
        return channel  # type: ignore[no-any-return]  # the site's protocols are all channels

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

    def begin(self, text: str) -> Deferred[Listener]:
        """Open one more. The Deferred, which has mostly fired already, fails where that can't be."""
        listener = Listener(text, self._site)

        def opened(port: IListeningPort) -> Listener:
            listener.port = self._take(port)
            self.open.append(listener)
            return listener

        return maybeDeferred(lambda: serverFromString(self._reactor, text).listen(listener)).addCallback(opened)

    async def add(self, texts: Sequence[str]) -> tuple[list[Listener], list[str]]:
        """Open those of `texts` that are not open; returns the new ones, and what was wrong with the others."""
        added, problems = [], []
        for text in _without(texts, (one.text for one in self.open)):
            try:
                added.append(await self.begin(text))
            except Exception as error:  # endpoints are plugins, and raise what they like
                problems.append(f"listen: {text!r} cannot be opened: {error}")
        return added, problems

    def left_out(self, texts: Sequence[str]) -> list[Listener]:
        """The open ones that are not among `texts`."""
        unwanted = Counter(_without([one.text for one in self.open], texts))
        left = []
        for one in reversed(self.open):
            if unwanted[one.text]:
                unwanted[one.text] -= 1
                left.append(one)
        return left[::-1]

    async def close(self, listeners: Iterable[Listener]) -> None:
        """Take no more connections there. Their clients are asked to leave, and nobody is sent away."""
        for one in list(listeners):
            self.open.remove(one)
            address = one.address
            await one.close(self._reactor)
            self._site.leave(one)
            _log.info("no longer listening on {address}", event="not-listening", address=address)

    def tell(self, listeners: Iterable[Listener] | None = None) -> None:
        """Say where clients can connect, by some of the listeners or by all."""
        for one in self.open if listeners is None else listeners:
            _log.info("listening on {address}", event="listening", address=one.address)

    def leave(self) -> None:
        """Ask all clients to leave with their next answer."""
        for one in self.open:
            self._site.leave(one)


def _without(texts: Iterable[str], others: Iterable[str]) -> list[str]:
    """The texts less the others, each counted as often as it is there; in their order."""
    taken = Counter(others)
    left = []
    for text in texts:
        if taken[text]:
            taken[text] -= 1
        else:
            left.append(text)
    return left
