"""The native way to a target: a pool of HTTP/1.1 connections, newest idle first, bounded, with a bounded line.

Decides who gets which connection; making one is the dialer's work, speaking on one the connection's.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.protocol import Protocol
from zope.interface import implementer

from apigateway.errors import GatewayError
from apigateway.interfaces import IAttemptReceiver, ITransport
from apigateway.upstream.line import Line
from apigateway.upstream.native_connection import NativeConnection
from apigateway.upstream.pool import PoolOptions, exhausted

Dial = Callable[[Callable[[], Protocol], Callable[[GatewayError], None]], None]
"""Connect a new protocol, or call back with why not."""

_NO_LINE = float("inf")


@implementer(ITransport)
class NativeTransport:
    """The connections to one target. `dial` makes them, `now` reads the monotonic clock."""

    def __init__(self, options: PoolOptions, dial: Dial, now: Callable[[], float], wait_s: float) -> None:
        self._options = options
        self._dial = dial
        self._now = now
        self._wait_s = wait_s
        self._idle: list[NativeConnection] = []
        self._open: set[NativeConnection] = set()
        self._connecting = 0
        # Until when each waits, and whether for a connection that was never used.
        self._waiting: dict[IAttemptReceiver, tuple[float, bool]] = {}
        self._line = Line(options.waiting, wait_s)
        self._opened = self._reused = 0
        self._closed = self._serving_line = False

    def __repr__(self) -> str:
        numbers = " ".join(f"{name}={value}" for name, value in self.statistics().items())
        return f"<NativeTransport {numbers}>"

    def lease(self, receiver: IAttemptReceiver, fresh: bool = False) -> None:
        """See `ITransport.lease`."""
        while self._idle and not fresh:
            connection = self._idle.pop()
            if connection.doubtful and connection.has_unread:
                connection.discard()  # what is there is no answer to a request that was not sent yet
                continue
            self._reused += connection.exchanges > 0
            connection.lend(receiver)
            return
        if self._has_room() or self._idle:
            if not self._has_room():
                self._give_up(self._idle[0])
            # The dialer has a time limit of its own, and tells.
            self._waiting[receiver] = (_NO_LINE, fresh)
            self._connect()
        elif self._line.takes(len(self._waiting) - self._connecting, self._now()):
            # Those whose connection is being made stand in no line.
            self._waiting[receiver] = (self._now() + self._wait_s, fresh)
        else:
            receiver.failed(exhausted(self._options))

    def cancel(self, receiver: IAttemptReceiver) -> None:
        """See `ITransport.cancel`."""
        self._waiting.pop(receiver, None)

    def _connect(self) -> None:
        self._connecting += 1
        self._dial(lambda: NativeConnection(self), self._not_connected)

    def _not_connected(self, error: GatewayError) -> None:
        self._connecting -= 1
        if len(self._waiting) <= self._connecting:
            # Whoever this was for is gone; for each who waits there is another on its way.
            return
        receiver = self._next_waiting(is_fresh=True)
        if receiver is not None:
            receiver.failed(error)
        self._connect_for_line()

    def _connect_for_line(self) -> None:
        """Who waits for a connection that is not coming any more gets another."""
        if self._serving_line:
            # A connection that fails at once comes back here: the outer call goes on then.
            return
        self._serving_line = True
        try:
            while len(self._waiting) > self._connecting and not self._closed and self._has_room():
                self._connect()
        finally:
            self._serving_line = False

    def _has_room(self) -> bool:
        return len(self._open) + self._connecting < self._options.connections

    def _next_waiting(self, is_fresh: bool) -> IAttemptReceiver | None:
        """The first in the line whom a connection suits; `is_fresh` says that it was never used."""
        for receiver, (until, wants_fresh) in self._waiting.items():
            if is_fresh or not wants_fresh:
                del self._waiting[receiver]
                if until is not _NO_LINE:
                    self._line.served(self._now())
                return receiver
        return None

    # Connections report here.

    def connected(self, connection: NativeConnection) -> None:
        """A new connection is there."""
        self._connecting -= 1
        self._opened += 1
        self._open.add(connection)
        self._offer(connection)

    def released(self, connection: NativeConnection) -> None:
        """An exchange is over and the connection can carry another."""
        if self._waiting or self._closed:
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
        if connection.doubtful and connection.has_unread:
            connection.discard()
            return
        receiver = self._next_waiting(not connection.exchanges) if self._waiting else None
        if receiver is not None:
            self._reused += connection.exchanges > 0
            connection.lend(receiver)
        elif self._closed or len(self._waiting) > self._connecting:
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
        """See `ITransport.sweep`; whoever has waited too long is told as well."""
        too_old = now - self._options.idle
        for connection in [one for one in self._idle if one.idle_since <= too_old]:
            self._give_up(connection)
        for connection in self._idle:
            connection.doubtful = True
        for receiver in [one for one, (until, _) in self._waiting.items() if until <= now]:
            # What the one before did may have helped this one.
            if self._waiting.pop(receiver, None) is not None:
                receiver.failed(exhausted(self._options))

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
            "waiting": len(self._waiting),
            "opened": self._opened,
            "reused": self._reused,
        }
