"""The standard way to a target: treq over Twisted's `HTTPConnectionPool`. See docs/transports.md for what it can't do.

Bounds how many exchanges run at once and how many wait; keeping connections is the pool's work.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import HTTPConnectionPool
from zope.interface import implementer

from apigateway.errors import BAD_RESPONSE, GatewayError
from apigateway.interfaces import IAttemptReceiver, ITransport
from apigateway.upstream.dialing.dial import Resolve, Way, nothing_more
from apigateway.upstream.dialing.endpoint import endpoint_for
from apigateway.upstream.native.unread import has_unread, talks
from apigateway.upstream.pool.lanes import Lanes
from apigateway.upstream.pool.options import PoolOptions
from apigateway.upstream.treq.attempt import TreqAttempt
from apigateway.upstream.treq.connection import TreqConnection, TreqConnectionFactory
from apigateway.upstream.treq.errors import connect_error

_log = Logger()


@implementer(IStreamClientEndpoint)
class _WatchedEndpoint:
    """Connects within a time limit that includes name resolution and the TLS handshake, and watches what it made."""

    def __init__(
        self, reactor: Any, endpoint: IStreamClientEndpoint, timeout_s: float, transport: TreqTransport
    ) -> None:
        self._reactor = reactor
        self._endpoint = endpoint
        self._timeout_s = timeout_s
        self._transport = transport

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        """See `IStreamClientEndpoint.connect`; the protocol is the given factory's own."""
        factory = TreqConnectionFactory(
            protocolFactory, self._transport.connection_made, self._transport.connection_gone
        )
        connecting: Deferred[Any] = self._endpoint.connect(factory)
        connecting.addCallback(lambda connection: connection.ready)
        return connecting.addTimeout(self._timeout_s, self._reactor)


@implementer(ITransport)
class TreqTransport:
    """The exchanges with one target, at `url`. `now` reads the monotonic clock.

    At most `options.connections` run at once and `options.waiting` wait, each for `wait_s` seconds at most;
    `options.idle` is how long the pool keeps a connection that nobody uses. `resolve` finds the addresses of a
    name; the reactor does unless it is given. `way` is how connections are made, for an `https` URL with TLS.
    """

    def __init__(
        self,
        url: str,
        reactor: Any,
        options: PoolOptions,
        connect_timeout_s: float,
        now: Callable[[], float],
        wait_s: float,
        resolve: Resolve | None = None,
        way: Way | None = None,
    ) -> None:
        self._reactor = reactor
        self._options = options
        self._now = now
        self._refusal = nothing_more if way is None else way.refusal
        self._describe = dict if way is None else way.describe
        self._secure = url.startswith("https:")
        endpoint = endpoint_for(reactor, url, connect_timeout_s, resolve, now, way)
        self._endpoint = _WatchedEndpoint(reactor, endpoint, connect_timeout_s, self)
        self._pool: Any = HTTPConnectionPool(reactor)
        self._pool.retryAutomatically = False
        self._pool.maxPersistentPerHost = options.connections
        self._pool.cachedConnectionTimeout = options.idle  # type: ignore[assignment]  # any number of seconds will do
        self._connections: dict[Any, TreqConnection] = {}
        self._leasing: dict[IAttemptReceiver, Deferred[Any]] = {}
        self._lanes = Lanes(options, wait_s)
        self._running = self._opened = self._leased = 0
        self._closed = self._serving = False

    def __repr__(self) -> str:
        numbers = " ".join(f"{name}={value}" for name, value in self.statistics().items())
        return f"<TreqTransport {numbers}>"

    def lease(self, receiver: IAttemptReceiver, fresh: bool = False) -> None:
        """See `ITransport.lease`."""
        lanes = self._lanes
        is_held_back = lanes.holds_back(receiver)
        if self._running < self._options.connections and not is_held_back:
            self._begin(receiver, fresh)
            return
        lanes.join(receiver, fresh, 0, self._now())
        if is_held_back:
            self._serve_waiting()
        elif receiver in lanes.first:
            lanes.make_room(self._now())

    def cancel(self, receiver: IAttemptReceiver) -> None:
        """See `ITransport.cancel`."""
        self._lanes.leave(receiver)
        leasing = self._leasing.pop(receiver, None)
        if leasing is not None:
            leasing.cancel()

    def make_room(self, receiver: IAttemptReceiver) -> bool:
        """See `ITransport.make_room`."""
        return self._lanes.yield_to(receiver, self._now())

    def _begin(self, receiver: IAttemptReceiver, fresh: bool) -> None:
        self._running += 1
        # The pool keeps the two kinds apart; `_lend` sees to it that a fresh connection is never kept.
        leasing = self._pool.getConnection("fresh" if fresh else "kept", self._endpoint)
        self._leasing[receiver] = leasing
        leasing.addCallbacks(self._lend, self._not_connected, (receiver, fresh), errbackArgs=(receiver,))
        leasing.addErrback(lambda failure: _log.failure("a receiver failed to take its lease", failure))

    def _lend(self, inner: Any, receiver: IAttemptReceiver, fresh: bool) -> None:
        del self._leasing[receiver]
        self._leased += 1
        connection = self._connections[inner]
        if connection.exchanges and has_unread(connection.transport):
            # What is there is no answer to a request that was not sent yet. Others may be no better.
            self._leased -= 1
            self._running -= 1
            connection.drop()
            self._begin(receiver, fresh=True)
            return
        if not connection.exchanges and talks(connection.transport):
            connection.drop()
            self._running -= 1
            self._serve_waiting()
            receiver.failed(GatewayError(BAD_RESPONSE, "The answer is not HTTP: it came before the request."))
            return
        connection.keep = connection.keep and not fresh
        receiver.leased(TreqAttempt(self._reactor, connection, receiver, self._attempt_over, self._refusal))

    def _not_connected(self, failure: Failure, receiver: IAttemptReceiver) -> None:
        self._running -= 1
        is_wanted = self._leasing.pop(receiver, None) is not None
        self._serve_waiting()
        if is_wanted:
            receiver.failed(connect_error(failure))

    def _attempt_over(self, attempt: TreqAttempt) -> None:
        self._running -= 1
        if self._closed:
            self._drop_idle()
        self._serve_waiting()

    def _serve_waiting(self) -> None:
        """Begin what may begin. A connection that fails at once comes back here: the outer call goes on then."""
        if self._serving:
            return
        self._serving = True
        try:
            while self._lanes and self._running < self._options.connections:
                found = self._lanes.take(True, self._now())
                if found is None:
                    break
                self._begin(*found)
        finally:
            self._serving = False

    # The endpoint's connections report here.

    def connection_made(self, connection: TreqConnection) -> None:
        """A new connection is there."""
        self._opened += 1
        self._connections[connection.inner] = connection

    def connection_gone(self, connection: TreqConnection) -> None:
        """The connection is closed."""
        self._connections.pop(connection.inner, None)

    # Upkeep.

    def sweep(self, now: float) -> None:
        """Tell whoever has waited too long, and let the slow make room; timers of the pool close idle connections."""
        attempts = [one.watcher for one in self._connections.values() if isinstance(one.watcher, TreqAttempt)]
        self._lanes.sweep(attempts, self._running, now)
        while self._lanes and self._lanes.make_room(now):
            pass
        self._serve_waiting()
        if self._secure:
            for connection in [one for one in self._connections.values() if one.is_leaving]:
                connection.drop()

    def close(self) -> None:
        """See `ITransport.close`."""
        self._closed = True
        self._drop_idle()

    def _drop_idle(self) -> None:
        self._pool.closeCachedConnections()
        for connection in [one for one in self._connections.values() if one.watcher is None and one.ready.called]:
            connection.drop()

    def statistics(self) -> dict[str, int]:
        """See `ITransport.statistics`."""
        return {
            "open": len(self._connections),
            "idle": sum(one.watcher is None and one.ready.called for one in self._connections.values()),
            "waiting": len(self._lanes),
            "opened": self._opened,
            "reused": max(0, self._leased - self._opened),
            **self._describe(),
        }
