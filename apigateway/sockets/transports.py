"""TCP transports that try to send at once, and only then ask to be told when they may.

Twisted's own wait for one more turn of the reactor before each send; for small exchanges that turn is a third of all
the work. Reading, too, goes straight from the socket to the protocol. All else is Twisted's.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from twisted.internet import tcp
from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IConnector, IListeningPort
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.posixbase import PosixReactorBase
from twisted.python.failure import Failure

from apigateway.sockets.accepting import Accepting
from apigateway.sockets.outbox import Outbox
from apigateway.sockets.poller import Poller
from apigateway.sockets.tls import ClientTls
from apigateway.sockets.tls_client import TlsClientFactory
from apigateway.sockets.tls_turns import Turns
from apigateway.sockets.wait import Wait

Eager = TypeVar("Eager", bound=tcp.Connection)

SHORT_READ_SIZE = 4 * 1024
"""Bytes that are read at once as long as they are never there: heads, and small bodies."""

READ_SIZE = 128 * 1024
"""The most bytes that are read from a socket at once, but for long streams."""

_BUFFER = bytearray(READ_SIZE)
_VIEW = memoryview(_BUFFER)
"""What comes is first here, where it is neither short nor full: one place for all connections of the process, and never
from one read to the next."""

MOST_LAST_READS = 4
"""So often is read from a service to which a write has failed: enough for a refusal."""

LONG_READ_SIZE = 512 * 1024
LONG_AFTER = 64
"""After so many full reads in a row it is a long stream. Only services are read so: what a client sends at once may be
many requests, which all must be kept."""


def _write(self: Any, data: bytes) -> None:
    # Straight to the socket where nothing is waiting: the base class takes seven calls and a turn of the reactor to
    # get there. What does not fit, and whatever fails, goes its way, so that flow control and ends are as ever.
    if self.dataBuffer or self._tempDataLen or not self.connected:
        if self._tempDataLen or self.offset or not self.connected or len(self.dataBuffer) + len(data) > SMALL:
            FileDescriptor.write(self, data)
        else:
            self.dataBuffer += data  # whatever sends that sends this
    elif self.outbox.is_open and 0 < len(data) <= SMALL:
        # To the base class it looks like what did not fit into the socket, so that its ways with more data and with the
        # end of a connection hold.
        self.dataBuffer = data
        self.outbox.add(self)
    else:
        _send(self, data)


def _send_waiting(self: Any) -> None:
    if not self.connected or self._tempDataLen or self.offset or self._aborting:
        return  # the base class sees to it
    data, self.dataBuffer = self.dataBuffer, b""
    if data:
        _send(self, data)
    if self.disconnecting:
        if self.dataBuffer or self._tempDataLen:
            self.stopReading()
        else:
            self.reactor.end(self)


def _lose_connection(self: Any) -> None:
    # At the end of the round, with what waits: the base class would ask the reactor for a turn to write nothing in.
    is_simple = self.outbox.is_open and not (self._tempDataLen or self.offset or self._writeDisconnected or self.TLS)
    if is_simple and self.connected and not (self.disconnecting or self._aborting or self.producer):
        self.disconnecting = 1
        if not self.dataBuffer:
            self.outbox.add(self)
    else:
        tcp.Connection.loseConnection(self)


def _send(self: Any, data: bytes) -> None:
    try:
        sent = self.socket.send(data)
    except BlockingIOError:
        sent = 0
    except OSError:
        sent = 0
        # The kernel tells of a reset once only, and here is no place to take the connection down.
        self.is_broken = not self._writeDisconnected
    if sent < len(data):
        FileDescriptor.write(self, data[sent:] if sent else data)


def _register_producer(self: Any, producer: Any, streaming: bool) -> None:
    if not streaming:
        # Who is pulled is asked for more when all has been sent, and then writes: at once, that would never return.
        self.write = partial(tcp.Connection.write, self)
        if self.connected:
            self.startWriting()
    tcp.Connection.registerProducer(self, producer, streaming)


def _start_tls(self: Any, context: Any, normal: bool = True) -> None:
    self.write = partial(tcp.Connection.write, self)  # which knows that it must not go to the socket any more
    tcp.Connection.startTLS(self, context, normal)


def _abort_connection(self: Any) -> None:
    self.write = _drop
    self.dataBuffer = b""
    tcp.Connection.abortConnection(self)


def _drop(data: bytes) -> None:
    """Nothing is sent by a connection that is being reset."""


def _do_read(self: Any) -> Any:
    try:
        data = self.socket.recv(SHORT_READ_SIZE) if self.reads_short else _read_much(self)
    except (BlockingIOError, InterruptedError):
        return None
    except OSError:
        return CONNECTION_LOST
    if not data:
        return CONNECTION_LOST if self.is_broken else CONNECTION_DONE
    if len(data) == SHORT_READ_SIZE or not self.reads_short:
        _note_size(self, len(data))
    self.protocol.dataReceived(data)
    return None


def _read_much(self: Any) -> bytes:
    # A block for the most that may come, cut down to what has, would leave a hole that is too small for the next such;
    # memory would grow by them. In the middle of a large body nothing is cut.
    if self.full_reads:
        data: bytes = self.socket.recv(self.read_size)
        return data
    return bytes(_VIEW[: self.socket.recv_into(_BUFFER, self.read_size)])


def _last_words(self: Any) -> Any:
    # Who refuses what we send says why, and resets: that is here already, though a write came to know of the end first.
    self.is_broken = True
    self.dataBuffer, self.offset = b"", 0
    self._tempDataBuffer, self._tempDataLen = [], 0
    why = None
    for _ in range(MOST_LAST_READS):
        if why is not None or self._aborting or not self.connected:
            break
        why = self.doRead()
    return None if self._aborting or not self.connected else CONNECTION_LOST


def _note_size(self: Any, size: int) -> None:
    # Measured: bodies of 1 MB cost a tenth less in pieces that stay in the cache, endless ones a tenth less in large.
    self.reads_short = size < SHORT_READ_SIZE
    self.full_reads = self.full_reads + 1 if size >= READ_SIZE else 0
    self.read_size = self.long_read_size if self.full_reads >= LONG_AFTER else READ_SIZE


_init_server: Any = tcp.Server.__init__  # Twisted's constructors are not typed
_init_client: Any = tcp.Client.__init__


_WAYS = {
    "is_broken": False,
    "reads_short": True,
    "full_reads": 0,
    "read_size": READ_SIZE,
    "doRead": _do_read,
    "write": _write,
    "send_waiting": _send_waiting,
    "registerProducer": _register_producer,
    "startTLS": _start_tls,
    "loseConnection": _lose_connection,
    "abortConnection": _abort_connection,
    "_shouldShutdown": False,  # closing the only descriptor of a connection ends it as well
}


def _eager(transport: type[Eager]) -> type[Eager]:
    """Give one of Twisted's transports the ways above."""
    for name, way in _WAYS.items():
        setattr(transport, name, way)
    return transport


@_eager
class EagerServer(tcp.Server):
    """The server's end of a connection."""

    long_read_size = READ_SIZE

    def __init__(self, outbox: Outbox, *given: Any) -> None:
        self.outbox = outbox
        _init_server(self, *given)

    def setTcpNoDelay(self, enabled: bool) -> None:
        """As the base; it is on already, inherited from the listening socket."""
        if not enabled:
            tcp.Server.setTcpNoDelay(self, enabled)

    def pauseProducing(self) -> None:
        """As the base; a client that resets is noticed all the same."""
        poller: Any = self.reactor
        if isinstance(poller, Poller):
            poller.pause_reader(self)
        else:
            tcp.Server.pauseProducing(self)


@_eager
class EagerClient(tcp.Client):
    """The client's end of a connection."""

    long_read_size = LONG_READ_SIZE

    def __init__(self, outbox: Outbox, *given: Any) -> None:
        self.outbox = outbox
        _init_client(self, *given)

    def doWrite(self) -> Any:
        """As the base; where that fails, what the service had said is read first."""
        why = tcp.Client.doWrite(self)
        return why if why is not CONNECTION_LOST else _last_words(self)

    def failIfNotConnected(self, err: Any) -> None:
        """As the base, which leaves itself a way to go on with connecting that would keep it from being freed."""
        tcp.Client.failIfNotConnected(self, err)
        if not self.connected:
            for name in ("doRead", "doWrite"):
                self.__dict__.pop(name, None)


class EagerConnector(tcp.Connector):
    """Makes an `EagerClient`."""

    outbox: Outbox

    def _makeTransport(self) -> EagerClient:
        return EagerClient(self.outbox, self.host, self.port, self.bindAddress, self, self.reactor)

    def connectionLost(self, reason: Failure) -> None:
        """As the base; then the two hold each other no more, as the collector comes late."""
        tcp.Connector.connectionLost(self, reason)
        if self.state == "disconnected":
            self.transport = None


SMALL = 16 * 1024
"""Writes of up to so many bytes may wait in the outbox."""

BACKLOG = 1024
"""Connections that may wait to be accepted; who finds Twisted's default of 50 full waits a second."""


class Sockets:
    """Listens and connects with eager transports where the reactor is one of Twisted's own.

    Accepted connections have one poller and those we made another, so that the same code runs many times in a row. In
    memory that saves a third of an exchange; under load 1.6 of 60 µs were measured.

    `turns` is where handshakes of TLS wait; `now`, a clock in seconds, measures how long they take.
    """

    def __init__(self, reactor: Any, now: Callable[[], float] = time.monotonic) -> None:
        self._reactor = reactor
        self.turns = Turns(reactor, now)
        has_poller = isinstance(reactor, PosixReactorBase) and hasattr(select, "epoll")
        self._outbox = Outbox()
        self._accepted, self._connected = reactor, reactor
        if has_poller:
            self._accepted, self._connected = Poller(reactor, self._outbox), Poller(reactor, self._outbox)

    def wait(self, now: Callable[[], float]) -> Wait | None:
        """What tells how long connections of clients wait for their turn; None where the reactor alone knows."""
        return None if self._accepted is self._reactor else Wait(self._accepted, now)

    def take(self, port: IListeningPort) -> IListeningPort:
        """Let a listening port accept with eager transports, where it is a plain TCP one."""
        if isinstance(port, tcp.Port) and port.transport is tcp.Server:
            accept: Any = self._accept
            port.transport = accept
            Accepting(port, accept)
            port.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if port.backlog is not None and port.backlog < BACKLOG:  # None: whoever bound the socket has said
                port.socket.listen(BACKLOG)
        return port

    def _accept(self, *given: Any) -> EagerServer:
        *about, _ = given
        return EagerServer(self._outbox, *about, self._accepted)

    def connect(self, host: str, port: int, factory: Any, timeout: float, tls: ClientTls | None = None) -> IConnector:
        """As `IReactorTCP.connectTCP`; with `tls`, see there."""
        if tls is not None:
            factory = TlsClientFactory(factory, tls, self.turns, self._reactor, timeout)
        if not isinstance(self._reactor, PosixReactorBase):
            connecting: IConnector = self._reactor.connectTCP(host, port, factory, timeout)
            return connecting
        connector = EagerConnector(host, port, factory, timeout, None, self._connected)
        connector.outbox = self._outbox
        connector.connect()
        return connector
