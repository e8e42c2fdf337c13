"""The native way to a target: a pool of HTTP/1.1 connections, newest idle first, bounded, with a bounded line.

Decides who gets which connection; making one is the dialer's work, speaking on one the connection's.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.protocol import Protocol
from zope.interface import implementer

from apigateway.errors import GatewayError
from apigateway.interfaces import IAttemptReceiver, ITransport
from apigateway.upstream.dialing.dial import Way, nothing_more
from apigateway.upstream.native.connection import NativeConnection
from apigateway.upstream.pool.lanes import NO_LINE, Lanes
from apigateway.upstream.pool.options import PoolOptions

Dial = Callable[[Callable[[], Protocol], Callable[[GatewayError], None]], None]
"""Connect a new protocol, or call back with why not."""


@implementer(ITransport)
class NativeTransport:
    """The connections to one target. `dial` makes them, `now` reads the monotonic clock; `way` is the dialer's."""

    def __init__(
        self, options: PoolOptions, dial: Dial, now: Callable[[], float], wait_s: float, way: Way | None = None
    ) -> None:
        self.refusal = nothing_more if way is None else way.refusal
        self._describe = dict if way is None else way.describe
        self._options = options
        self._dial = dial
        self._now = now
        self._idle: list[NativeConnection] = []
        self._open: set[NativeConnection] = set()
        self._connecting = 0
        self._lanes = Lanes(options, wait_s)
        self._waiting = self._lanes.first
        self._behind = self._lanes.behind
        self._opened = self._reused = 0
        self._closed = self._serving_line = False

    def __repr__(self) -> str:
        numbers = " ".join(f"{name}={value}" for name, value in self.statistics().items())
        return f"<NativeTransport {numbers}>"

    def lease(self, receiver: IAttemptReceiver, fresh: bool = False) -> None:
        """See `ITransport.lease`."""
        lanes = self._lanes
        if lanes.crowd.is_besieged and lanes.holds_back(receiver):
            lanes.join(receiver, fresh, self._connecting, self._now())
            self._serve_line()
            return
        while self._idle and not fresh:
            connection = self._idle.pop()
            if connection.has_unread():
                connection.discard()  # what is there is no answer to a request that was not sent yet
                continue
            self._reused += connection.exchanges > 0
            connection.lend(receiver)
            return
        if self._has_room() or self._idle:
            if not self._has_room():
                self._give_up(self._idle[0])
            self._waiting[receiver] = (NO_LINE, fresh)
            self._connect()
        else:
            lanes.join(receiver, fresh, self._connecting, self._now())
            if receiver in self._waiting:
                lanes.make_room(self._now())

    def cancel(self, receiver: IAttemptReceiver) -> None:
        """See `ITransport.cancel`."""
        self._lanes.leave(receiver)

    def make_room(self, receiver: IAttemptReceiver) -> bool:
        """See `ITransport.make_room`."""
        return self._lanes.yield_to(receiver, self._now())

    def _serve_line(self) -> None:
        """Who had to wait though there are connections, or room for them, gets what is not kept for others any more."""
        for _ in range(len(self._idle)):
            if self._lanes.wanted > self._connecting:
                self._offer(self._idle.pop())
        self._connect_for_line()

    def _connect(self) -> None:
        self._connecting += 1
        self._dial(lambda: NativeConnection(self), self.not_connected)

    def not_connected(self, error: GatewayError) -> None:
        """There is no new connection, or none that is fit to be used."""
        self._connecting -= 1
        if self._lanes.wanted <= self._connecting:
            # Whoever this was for is gone; for each who waits there is another on its way.
            return
        found = self._lanes.take(True, self._now())
        if found is not None:
            found[0].failed(error)
        self._connect_for_line()

    def _connect_for_line(self) -> None:
        """Who waits for a connection that is not coming any more gets another."""
        if self._serving_line:
            # A connection that fails at once comes back here: the outer call goes on then.
            return
        self._serving_line = True
        try:
            while self._lanes.wanted > self._connecting and not self._closed and self._has_room():
                self._connect()
        finally:
            self._serving_line = False

    def _has_room(self) -> bool:
        return len(self._open) + self._connecting < self._options.connections

    # Connections report here.

    def connected(self, connection: NativeConnection) -> None:
        """A new connection is there."""
        self._connecting -= 1
        self._opened += 1
        self._open.add(connection)
        self._offer(connection)

    def released(self, connection: NativeConnection) -> None:
        """An exchange is over and the connection can carry another."""
        if self._waiting or self._behind or self._closed:
            self._offer(connection)
        else:
            connection.idle_since = self._now()
            self._idle.append(connection)

    def dropped(self, connection: NativeConnection) -> None:
        """The connection is closed, or is going to be."""
        if connection not in self._open:
            return
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._connect_for_line()

    def _offer(self, connection: NativeConnection) -> None:
        if connection.exchanges and connection.has_unread():
            connection.discard()
            return
        found = self._lanes.take(not connection.exchanges, self._now()) if self._waiting or self._behind else None
        if found is not None:
            self._reused += connection.exchanges > 0
            connection.lend(found[0])
        elif self._closed or self._lanes.wanted > self._connecting:
            # Whoever is left in the line wants one that was never used, and there must be room for it.
            self._give_up(connection)
        else:
            connection.idle_since = self._now()
            self._idle.append(connection)

    def _give_up(self, connection: NativeConnection) -> None:
        """Close a connection that carries no exchange."""
        self.dropped(connection)
        connection.close()

    # Upkeep.

    def sweep(self, now: float) -> None:
        """See `ITransport.sweep`; whoever has waited too long is told, and the slow make room for those who wait."""
        too_old = now - self._options.idle
        for connection in [one for one in self._idle if one.idle_since <= too_old]:
            self._give_up(connection)
        self._lanes.sweep(self._open, len(self._open) - len(self._idle), now)
        while len(self._lanes) > self._connecting and self._lanes.make_room(now):
            pass
        if self._lanes:
            self._serve_line()

    def close(self) -> None:
        """See `ITransport.close`."""
        self._closed = True
        for connection in list(self._idle):
            self._give_up(connection)

    def statistics(self) -> dict[str, int]:
        """See `ITransport.statistics`."""
        return {
            "open": len(self._open),
            "idle": len(self._idle),
            "waiting": len(self._lanes),
            "opened": self._opened,
            "reused": self._reused,
            **self._describe(),
        }
