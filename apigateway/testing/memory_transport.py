"""Connections in memory: two transports and the pipes between them, moved step by step.

Behaves as TCP through Twisted does where it matters to protocols: nothing is delivered inside of `write`, buffers are
bounded by back-pressure, an end of stream is read after the data before it, a paused reader notices nothing, and who
writes to a closed end is reset.
Knows no clock, no names and no listeners.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableProtocol,
    IProducer,
    IProtocol,
    IPushProducer,
    ITCPTransport,
)
from twisted.python.failure import Failure
from zope.interface import implementer

PIPE = 64 * 1024
"""Bytes that the two kernels hold between a sender and a reader that doesn't read."""

HIGH_WATER = 64 * 1024
"""Bytes waiting in a transport above which its producer is paused, as in Twisted."""

Address = IPv4Address | IPv6Address


def address(host: str, port: int) -> Address:
    """The address object that a transport reports."""
    return (IPv6Address if ":" in host else IPv4Address)("TCP", host, port)


class _Pipe:
    """What is on its way in one direction: bytes, then perhaps the end or a reset. `deserted`: nobody will read it."""

    __slots__ = ("data", "deserted", "ended", "reset")

    def __init__(self) -> None:
        self.data = bytearray()
        self.ended = self.reset = self.deserted = False


@implementer(ITCPTransport, IConsumer, IPushProducer)
class MemoryTransport:
    """One end of a connection in memory. `no_delay` and `keep_alive` are what the protocol asked for."""

    def __init__(self, host: Address, peer: Address, incoming: _Pipe, outgoing: _Pipe) -> None:
        self.protocol: Any = None
        self.producer: Any = None
        self.connected = True
        self.disconnecting = False
        self.no_delay = self.keep_alive = False
        self._host = host
        self._peer = peer
        self._incoming = incoming
        self._outgoing = outgoing
        self._unsent = bytearray()
        self._reading = True
        self._streaming = self._producer_paused = False
        self._closing_write = self._aborted = self._read_over = False

    def __repr__(self) -> str:
        state = "closed" if not self.connected else "closing" if self.disconnecting else "open"
        paused = "" if self._reading else " paused"
        return f"<MemoryTransport {self._host.host}:{self._host.port} {state}{paused} unsent={len(self._unsent)}>"

    @property
    def unsent(self) -> int:
        """Bytes that were written and have not left this end."""
        return len(self._unsent)

    def open(self, protocol: IProtocol) -> None:
        """Connect a protocol to this end."""
        self.protocol = protocol
        protocol.makeConnection(self)

    # ITransport and ITCPTransport.

    def write(self, data: bytes) -> None:
        """Send; it leaves with the next step."""
        if not isinstance(data, bytes):
            raise TypeError(f"a transport takes bytes, not {type(data).__name__}")
        if not self.connected or self._closing_write or self._aborted:
            return
        self._unsent += data
        if self._streaming and not self._producer_paused and len(self._unsent) > HIGH_WATER:
            self._producer_paused = True
            self.producer.pauseProducing()

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """Send pieces."""
        self.write(b"".join(iovec))

    def loseConnection(self) -> None:
        """Close when all that was written has left."""
        self.disconnecting = True

    def abortConnection(self) -> None:
        """Close at once; the other end sees a reset."""
        self.disconnecting = self._aborted = True
        self._unsent.clear()

    def loseWriteConnection(self) -> None:
        """Send no more, but go on reading."""
        self._closing_write = True

    def getPeer(self) -> Address:
        """The other end's address."""
        return self._peer

    def getHost(self) -> Address:
        """This end's address."""
        return self._host

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Remembered in `no_delay`."""
        self.no_delay = bool(enabled)

    def getTcpNoDelay(self) -> bool:
        """What was set."""
        return self.no_delay

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Remembered in `keep_alive`."""
        self.keep_alive = bool(enabled)

    def getTcpKeepAlive(self) -> bool:
        """What was set."""
        return self.keep_alive

    # IConsumer.

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Tell a producer when to go on and, if it streams, when to stop."""
        if self.producer is not None:
            raise RuntimeError(f"{self!r} has a producer already")
        if not self.connected:
            producer.stopProducing()
            return
        self.producer = producer
        self._streaming = bool(streaming)
        self._producer_paused = False
        if not streaming:
            self.producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """Forget the producer."""
        self.producer = None
        self._streaming = self._producer_paused = False

    # IPushProducer: the reading side.

    def pauseProducing(self) -> None:
        """Read no more for now."""
        self._reading = False

    def resumeProducing(self) -> None:
        """Read again."""
        self._reading = True

    def stopProducing(self) -> None:
        """Close."""
        self.loseConnection()

    # Steps. Each returns whether anything happened.

    def step(self) -> bool:
        """Move what can be moved at this end, once."""
        if not self.connected:
            return False
        if self._aborted:
            return self._abort()
        sent = self._send()
        return self._receive() or sent

    def step_alone(self) -> bool:
        """Do what needs nothing of the other end: close, where nothing is left to send."""
        if not self.connected:
            return False
        if self._aborted:
            return self._abort()
        if self.disconnecting and not self._unsent and self.producer is None:
            return self._end()
        return False

    def _abort(self) -> bool:
        self._outgoing.reset = True
        self.lose(ConnectionAborted())
        return True

    def _end(self) -> bool:
        self._outgoing.ended = True
        self.lose(ConnectionDone())
        return True

    def _send(self) -> bool:
        room = PIPE - len(self._outgoing.data)
        if self._unsent and self._incoming.reset:
            self.lose(ConnectionLost())
            return True
        moved = bool(self._unsent) and room > 0
        if moved:
            self._outgoing.data += self._unsent[:room]
            del self._unsent[:room]
            if self._outgoing.deserted:
                self._incoming.reset = True
        if self._unsent:
            return moved
        return self._drained() or moved

    def _drained(self) -> bool:
        """All has left: producers go on, or the end follows."""
        if self._producer_paused:
            self._producer_paused = False
            self.producer.resumeProducing()
            return True
        if self.producer is not None and not self._streaming:
            self.producer.resumeProducing()
            return bool(self._unsent) or self.producer is None
        if self.disconnecting:
            return self._end()
        if self._closing_write and not self._outgoing.ended:
            self._outgoing.ended = True
            if IHalfCloseableProtocol.providedBy(self.protocol):
                self.protocol.writeConnectionLost()
            return True
        return False

    def _receive(self) -> bool:
        incoming = self._incoming
        if not self.connected or not self._reading or self._read_over:
            return False
        if incoming.data:
            data = bytes(incoming.data)
            incoming.data.clear()
            self.protocol.dataReceived(data)
        elif incoming.reset:
            self.lose(ConnectionLost())
        elif incoming.ended:
            self._read_end()
        else:
            return False
        return True

    def _read_end(self) -> None:
        self._read_over = True
        if IHalfCloseableProtocol.providedBy(self.protocol):
            self.protocol.readConnectionLost()
        else:
            self._outgoing.ended = True
            self.lose(ConnectionDone())

    def lose(self, reason: Exception) -> None:
        """The connection is over at this end, now."""
        if not self.connected:
            return
        self.connected = False
        self.disconnecting = self._incoming.deserted = True
        self._unsent.clear()
        producer = self.producer
        self.unregisterProducer()
        if producer is not None:
            producer.stopProducing()
        self.protocol.connectionLost(Failure(reason))


class MemoryLink:
    """A connection: its `client` end and its `server` end. Nothing gets from one to the other while `silent`."""

    def __init__(self, client_address: Address, server_address: Address) -> None:
        there, back = _Pipe(), _Pipe()
        self.client = MemoryTransport(client_address, server_address, back, there)
        self.server = MemoryTransport(server_address, client_address, there, back)
        self.silent = False

    def __repr__(self) -> str:
        return f"<MemoryLink {self.client!r} {self.server!r}{' silent' if self.silent else ''}>"

    @property
    def closed(self) -> bool:
        """Both ends know that it is over."""
        return not self.client.connected and not self.server.connected

    def step(self) -> bool:
        """Move what can be moved, once; returns whether anything happened."""
        if self.silent:
            client_moved = self.client.step_alone()
            return self.server.step_alone() or client_moved
        client_moved = self.client.step()
        return self.server.step() or client_moved

    def cut(self) -> None:
        """Both ends lose the connection, as when a cable is pulled and the kernels have given up."""
        self.client.lose(ConnectionLost())
        self.server.lose(ConnectionLost())
