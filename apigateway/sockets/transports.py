"""TCP transports that try to send at once, and only then ask to be told when they may.

Twisted's own wait for one more turn of the reactor before each send; for small exchanges that turn is a third of all
the work. Reading, too, goes straight from the socket to the protocol. All else is Twisted's.
"""

from __future__ import annotations

import select
from typing import Any

from twisted.internet import tcp
from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IConnector, IListeningPort
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.posixbase import PosixReactorBase

from apigateway.sockets.poller import Poller

READ_SIZE = 64 * 1024
"""The most bytes that are read from a socket at once."""


def _start_writing(self: Any) -> None:
    # What is left in `dataBuffer` did not fit into the socket a moment ago. A failure shows again when the reactor
    # comes to write, in a place where the connection may be taken down.
    if self.dataBuffer or not self.connected or self.doWrite() is not None or self.dataBuffer:
        FileDescriptor.startWriting(self)


def _lose_connection(self: Any) -> None:
    FileDescriptor.loseConnection(self)
    if self.connected:
        # The base class marks the end after it has asked to write; by then an eager write has found nothing to do.
        FileDescriptor.startWriting(self)


def _write(self: Any, data: bytes) -> None:
    # Straight to the socket where nothing is waiting: the base class takes seven calls to get there. What does not
    # fit, and whatever fails, goes its way, so that flow control and the end of the connection are as ever.
    if self.dataBuffer or self._tempDataLen or not self.connected or self._writeDisconnected or not data:
        FileDescriptor.write(self, data)
        return
    try:
        sent = self.socket.send(data)
    except OSError:
        sent = 0
    if sent < len(data):
        FileDescriptor.write(self, data[sent:] if sent else data)


def _do_read(self: Any) -> Any:
    try:
        data = self.socket.recv(READ_SIZE)
    except (BlockingIOError, InterruptedError):
        return None
    except OSError:
        return CONNECTION_LOST
    if not data:
        return CONNECTION_DONE
    self.protocol.dataReceived(data)
    return None


class EagerServer(tcp.Server):
    """The server's end of a connection."""

    doRead = _do_read
    write = _write
    startWriting = _start_writing
    loseConnection = _lose_connection


class EagerClient(tcp.Client):
    """The client's end of a connection."""

    doRead = _do_read
    write = _write
    loseConnection = _lose_connection

    def startWriting(self) -> None:
        """While the connection is being made, "writable" means "connected": only the reactor can tell."""
        if self.connected:
            _start_writing(self)
        else:
            FileDescriptor.startWriting(self)


class EagerConnector(tcp.Connector):
    """Makes an `EagerClient`."""

    def _makeTransport(self) -> EagerClient:
        made: EagerClient = _make_client(self.host, self.port, self.bindAddress, self, self.reactor)
        return made


BACKLOG = 1024
"""Connections that may wait to be accepted; who finds Twisted's default of 50 full waits a second."""


_make_client: Any = EagerClient  # Twisted's constructors are not typed
_make_server: Any = EagerServer


class Sockets:
    """Listens and connects with eager transports, all in one poller, where the reactor is one of Twisted's own."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._polling = Poller(reactor) if isinstance(reactor, PosixReactorBase) and hasattr(select, "epoll") else None

    def take(self, port: IListeningPort) -> IListeningPort:
        """Let a listening port accept with eager transports, where it is a plain TCP one."""
        if isinstance(port, tcp.Port) and port.transport is tcp.Server:
            accept: Any = self._accept
            port.transport = accept
            if port.backlog < BACKLOG:
                port.socket.listen(BACKLOG)
        return port

    def _accept(self, *given: Any) -> EagerServer:
        *about, reactor = given
        made: EagerServer = _make_server(*about, self._polling or reactor)
        return made

    def connect(self, host: str, port: int, factory: Any, timeout: float) -> IConnector:
        """As `IReactorTCP.connectTCP`."""
        if not isinstance(self._reactor, PosixReactorBase):
            connecting: IConnector = self._reactor.connectTCP(host, port, factory, timeout)
            return connecting
        connector = EagerConnector(host, port, factory, timeout, None, self._polling or self._reactor)
        connector.connect()
        return connector
