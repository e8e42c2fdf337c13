"""One epoll for many transports, which the reactor sees as a single descriptor.

Twisted's reactors run each event in a logging context of its own, and through several calls: measured, 7 µs for each
read, where this takes half of one. To a transport a poller is its reactor: it has what transports ask of that one.
"""

from __future__ import annotations

import select
from select import EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.posixbase import PosixReactorBase
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from apigateway.sockets.outbox import Outbox

MOST_EVENTS = 512
"""How many events are taken at once; the reactor's other work waits so long."""

_log = Logger(namespace="apigateway.sockets")
_DONE = Failure(CONNECTION_DONE)


def _failure(why: BaseException) -> Failure:
    return _DONE if why is CONNECTION_DONE else Failure(why)


Polled = Any
"""A transport: an `IReadWriteDescriptor` that is also an `IHalfCloseableDescriptor`."""


@implementer(IReactorFDSet, IReadDescriptor)
class Poller:
    """Watches transports on behalf of a reactor, in which it shows only while there are any.

    Just as long it has a descriptor of its own; where none is left, `addReader` and `addWriter` raise `OSError`.
    """

    def __init__(self, reactor: PosixReactorBase, outbox: Outbox) -> None:
        self._reactor = reactor
        self._outbox = outbox
        self._epoll: Any = None  # a `select.epoll` while there is a transport
        self._readers: dict[int, Polled] = {}
        self._writers: dict[int, Polled] = {}
        self._paused: dict[int, Polled] = {}
        self._left: set[int] = set()
        self.callLater = reactor.callLater
        self.resolve = reactor.resolve

    def __repr__(self) -> str:
        return f"<Poller of {len(self._readers | self._writers | self._paused)}>"

    def fileno(self) -> int:
        """See `IFileDescriptor.fileno`."""
        return -1 if self._epoll is None else int(self._epoll.fileno())

    def logPrefix(self) -> str:
        """See `ILoggingContext.logPrefix`."""
        return "sockets"

    # What transports ask of their reactor.

    def addReader(self, reader: Polled) -> None:
        """See `IReactorFDSet.addReader`."""
        self._add(reader, EPOLLIN, self._readers, self._writers)

    def addWriter(self, writer: Polled) -> None:
        """See `IReactorFDSet.addWriter`."""
        self._add(writer, EPOLLOUT, self._writers, self._readers)

    def pause_reader(self, reader: Polled) -> None:
        """Read no more from it until `addReader`, but notice when its peer has reset it.

        That ends it at once, whatever it has not read: for connections that nobody needs when the peer is gone. An end
        that is no reset waits to be read: the peer may have said all it had to, and still want an answer.
        """
        fd = reader.fileno()
        if self._readers.get(fd) is reader:
            self._epoll.modify(fd, EPOLLOUT if fd in self._writers else 0)
            self._paused[fd] = self._readers.pop(fd)

    def removeReader(self, reader: Polled) -> None:
        """See `IReactorFDSet.removeReader`."""
        fd = reader.fileno()
        if self._paused.get(fd) is reader:
            self._readers[fd] = self._paused.pop(fd)
        self._remove(reader, self._readers, self._writers, EPOLLOUT)

    def removeWriter(self, writer: Polled) -> None:
        """See `IReactorFDSet.removeWriter`."""
        self._remove(writer, self._writers, self._readers, EPOLLIN)

    def removeAll(self) -> list[Polled]:
        """See `IReactorFDSet.removeAll`."""
        watched = self._readers | self._writers | self._paused
        self._left.update(watched)
        self._readers.clear()
        self._writers.clear()
        self._paused.clear()
        self._close()
        return list(watched.values())

    def getReaders(self) -> list[Polled]:
        """See `IReactorFDSet.getReaders`."""
        return list(self._readers.values())

    def getWriters(self) -> list[Polled]:
        """See `IReactorFDSet.getWriters`."""
        return list(self._writers.values())

    def _add(self, transport: Polled, event: int, to: dict[int, Polled], others: dict[int, Polled]) -> None:
        fd = transport.fileno()
        # Compared by identity: a socket that was closed behind its transport's back leaves its number to another one.
        if to.get(fd) is transport:
            return
        if others.get(fd) is transport:
            self._epoll.modify(fd, EPOLLIN | EPOLLOUT)
        elif self._paused.get(fd) is transport:
            self._epoll.modify(fd, event)
        else:
            others.pop(fd, None)
            self._paused.pop(fd, None)
            self._register(fd, event)
        to[fd] = transport
        if event == EPOLLIN:
            self._paused.pop(fd, None)

    def _register(self, fd: int, event: int) -> None:
        if self._epoll is None:
            self._open()
        try:
            self._epoll.register(fd, event)
        except BaseException:
            self._close_if_unused()
            raise

    def _remove(self, transport: Polled, of: dict[int, Polled], others: dict[int, Polled], left: int) -> None:
        fd = transport.fileno()
        if of.get(fd) is not transport:
            return
        del of[fd]
        try:
            if fd in others:
                self._epoll.modify(fd, left)
            elif fd in self._paused:
                self._epoll.modify(fd, 0)
            else:
                self._epoll.unregister(fd)
        except OSError:
            pass  # closed behind our back, which the kernel knows
        if fd not in others and fd not in self._paused:
            self._left.add(fd)
            self._close_if_unused()

    def _open(self) -> None:
        self._epoll = select.epoll()
        try:
            self._reactor.addReader(self)
        except BaseException:
            self._epoll.close()
            self._epoll = None
            raise

    def _close_if_unused(self) -> None:
        if not (self._readers or self._writers or self._paused):
            self._close()

    def _close(self) -> None:
        if self._epoll is not None:
            self._reactor.removeReader(self)
            self._epoll.close()
            self._epoll = None

    # What the reactor asks of a descriptor.

    def doRead(self) -> None:
        """Some transports are ready."""
        reading = self._readers.get
        self._left.clear()
        ready = self._epoll.poll(0, MOST_EVENTS)
        self._outbox.is_open = True
        for fd, event in ready:
            if event == EPOLLIN:
                transport = reading(fd)
                if transport is not None:
                    try:
                        why = transport.doRead()
                        if why is not None:
                            self._end(transport, why, is_read=True)
                    except BaseException as error:
                        self._failed(transport, error)
            elif fd not in self._left:  # else it is for a socket that was closed a moment ago and had this number
                self._read_and_write(fd, event)
        self._outbox.close()

    def _read_and_write(self, fd: int, event: int) -> None:
        watched = self._readers if fd in self._readers else self._writers if fd in self._writers else self._paused
        transport = watched.get(fd)
        if transport is None:
            return
        try:
            why = self._read(transport, fd, event)
            is_read = why is not None
            if not is_read and event & EPOLLOUT and fd in self._writers and fd not in self._left:
                why = transport.doWrite()
            if why is not None:
                self._end(transport, why, is_read)
        except BaseException as error:
            self._failed(transport, error)

    def _read(self, transport: Polled, fd: int, event: int) -> BaseException | None:
        reads = fd in self._readers
        if event & EPOLLIN:
            why: BaseException | None = transport.doRead() if reads else None
            return why
        if event & (EPOLLHUP | EPOLLERR):
            # As Twisted has it: to who still reads all has been given, and this is the end.
            return CONNECTION_DONE if reads else CONNECTION_LOST
        return None

    def end(self, transport: Polled) -> None:
        """A connection has sent all that it had to, and is over."""
        try:
            self._end(transport, CONNECTION_DONE, is_read=False)
        except BaseException as error:
            self._failed(transport, error)

    def _end(self, transport: Polled, why: BaseException, is_read: bool) -> None:
        self.removeReader(transport)
        if is_read and isinstance(why, ConnectionDone):
            transport.readConnectionLost(_failure(why))
        else:
            self.removeWriter(transport)
            transport.connectionLost(_failure(why))

    def _failed(self, transport: Polled, error: BaseException) -> None:
        """Whatever a protocol raises costs its own connection only."""
        _log.failure("a connection failed unforeseen and is closed", failure=Failure(error))
        self.removeReader(transport)
        self.removeWriter(transport)
        self._lose(transport, Failure(error))

    def _lose(self, transport: Polled, reason: Failure) -> None:
        for _ in range(2):
            try:
                transport.connectionLost(reason)
                return
            except BaseException:
                _log.failure("a connection failed while it was closed")
                transport.producer = None  # it is told before the socket is closed, and may be what failed

    def connectionLost(self, reason: Failure) -> None:
        """The reactor ends, and every connection with it."""
        for transport in self.removeAll():
            self._lose(transport, reason)
