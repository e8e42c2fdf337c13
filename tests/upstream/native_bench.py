"""A native pool whose connections are made, answered and lost as a test says, without a network."""

from __future__ import annotations

from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from apigateway.config.model import Pool
from apigateway.errors import CONNECT_FAILED, GatewayError
from apigateway.upstream.native.transport import NativeTransport
from tests.upstream.native_world import WAIT_S, starting

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
LAST = OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n")


class _Transport(StringTransport):
    def __init__(self, handle):
        super().__init__()
        self._handle = handle

    def getHandle(self):
        return self._handle

    def setTcpNoDelay(self, enabled):
        pass

    @property
    def is_closed(self):
        return self.disconnecting or self.disconnected


class Bench:
    """A pool whose connections are made, answered and lost as a test says.

    `dials` are those under way; with `at_once` they end (True: well) while they begin. `connections` are those that are
    open, and have not been closed by the pool. `handle` is the socket of those that are made from now on.
    """

    def __init__(self, at_once=None, **pool):
        self.now = 0.0
        self.at_once = at_once
        self.dials = []
        self.connections = []
        self.opened = 0
        self.handle = None
        self.options = Pool(**pool)
        self.pool = NativeTransport(self.options, self._dial, lambda: self.now, WAIT_S)

    def _dial(self, build, failed):
        self.dials.append((build, failed))
        if self.at_once is not None:
            self.end_dial(-1, self.at_once)

    def end_dial(self, number, well=True):
        build, failed = self.dials.pop(number)
        if not well:
            failed(GatewayError(CONNECT_FAILED))
            return
        connection = build()
        self.connections.append(connection)
        self.opened += 1
        connection.makeConnection(_Transport(self.handle))

    def lease(self, fresh=False):
        receiver = starting()
        self.pool.lease(receiver, fresh)
        return receiver

    def tell_losses(self):
        """Tell the connections that the pool closed that they are."""
        closed = [one for one in self.connections if one.transport.is_closed]
        self.connections = [one for one in self.connections if one not in closed]
        for connection in closed:
            connection.connectionLost(Failure(ConnectionDone()))

    def lose(self, connection):
        self.connections.remove(connection)
        connection.connectionLost(Failure(ConnectionDone()))

    def used(self, count=1):
        """So many idle connections that have carried an exchange, the one that became idle first in front."""
        receivers = [self.lease() for _ in range(count)]
        while self.dials:
            self.end_dial(0)
        connections = [receiver.attempt for receiver in receivers]
        for connection in connections:
            self.now += 1
            connection.dataReceived(OK)
        return connections

    def sweep(self, seconds):
        self.now += seconds
        self.pool.sweep(self.now)

    def numbers(self, *names):
        statistics = self.pool.statistics()
        return tuple(statistics[name] for name in names)
