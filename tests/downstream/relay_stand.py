"""A relay between two ends on a memory network, which a test plays."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from apigateway.downstream.relay import Relay
from apigateway.testing.exchanges import exchange_for
from apigateway.testing.memory_transport import MemoryLink, address
from tests.behaviour.upgraded import Halved

MASK = b"\1\2\3\4"


class End(Halved):
    """A peer; `is_over` also once the connection has ended."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Keep the reason."""
        super().connectionLost(reason)
        self.is_over = True


class RelayStand:
    """`client` and `service` are the peers; the relay is between them. `over` are relays that have ended."""

    leaving = False

    def begin(self, exchange: object) -> None:
        """See `CameBy`; nothing comes by here any more."""

    def __init__(self, is_websocket: bool = False, idle_s: float = 80.0, early: bytes = b"", late: bytes = b"") -> None:
        self.idle_s = idle_s
        self.is_websocket = is_websocket
        self.time = 1000.0
        self.told: list[str] = []
        self.over: list[Relay] = []
        self.records: list[object] = []
        self.exchange = exchange_for(observe=self.records.append)
        self.exchange.status = 101
        self.client, self.service = End(), End()
        self.links = [self._link(self.client), self._link(self.service)]
        self.relay = Relay(self.exchange, self, self, lambda: self.time, self.over.append)
        near = [link.server for link in self.links]
        self.relay.begin(self._connects(near[0], early), self._connects(near[1], late))
        self.pump()

    def _link(self, end: End) -> MemoryLink:
        link = MemoryLink(address("192.0.2.1", 1), address("192.0.2.2", 2))
        link.client.open(end)
        return link

    def _connects(self, transport: Any, data: bytes) -> Any:
        def connect(side: Any) -> bytes:
            transport.open(side)
            return data

        return connect

    # RelayAccount.

    def began(self, relay: Relay) -> None:
        self.told.append("began")

    def ended(self, relay: Relay) -> None:
        self.told.append("ended")

    def mask(self) -> bytes:
        return MASK

    # What a test does.

    def pump(self) -> None:
        """Move all that can be moved."""
        moved = True
        while moved:
            moved = False
            for link in self.links:
                moved = link.step() or moved

    def send(self, end: End, data: bytes) -> None:
        """One of the peers sends."""
        end.transport.write(data)
        self.pump()

    def after(self, seconds: float) -> None:
        """Time passes; the relay is swept."""
        until = self.time + seconds
        while self.time < until:
            self.time = min(until, self.time + 0.25)
            if self.relay.deadline <= self.time:
                self.relay.expired()
                self.pump()

    @property
    def cause(self) -> str | None:
        """Why it ended, where that was not in order."""
        return self.exchange.cause.code if self.exchange.cause else None
