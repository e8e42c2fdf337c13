"""One epoll for all transports, which the reactor sees as a single descriptor.

Twisted's reactors run each event in a logging context of its own, and through several calls: measured, 7 µs for each
read, where this takes half of one. To a transport a poller is its reactor: it has what transports ask of that one.
"""

from __future__ import annotations

import select
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.posixbase import PosixReactorBase
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

MOST_EVENTS = 512
"""How many events are taken at once; the reactor's other work waits so long."""

_log = Logger(namespace="apigateway.sockets")


Polled = Any
"""A transport: an `IReadWriteDescriptor` that is also an `IHalfCloseableDescriptor`."""


@implementer(IReactorFDSet, IReadDescriptor)
class Poller:
    """Watches transports on behalf of a reactor, in which it shows only while there are any."""

    def __init__(self, reactor: PosixReactorBase) -> None:
        self._reactor = reactor
        self._epoll = select.epoll()
        self._transports: dict[int, Polled] = {}
        self._events: dict[int, int] = {}
        self._left: set[int] = set()
        self.callLater = reactor.callLater
        self.resolve = reactor.resolve

    def __repr__(self) -> str:
        return f"<Poller {len(self._transports)} transports>"

    def fileno(self) -> int:
        """See `IFileDescriptor.fileno`."""
        return self._epoll.fileno()

    def logPrefix(self) -> str:
        """See `ILoggingContext.logPrefix`."""
        return "sockets"

    # What transports ask of their reactor.

    def addReader(self, reader: Polled) -> None:
        """See `IReactorFDSet.addReader`."""
        self._watch(reader, select.EPOLLIN, 0)

    def addWriter(self, writer: Polled) -> None:
        """See `IReactorFDSet.addWriter`."""
        self._watch(writer, select.EPOLLOUT, 0)

    def removeReader(self, reader: Polled) -> None:
        """See `IReactorFDSet.removeReader`."""
        self._watch(reader, 0, select.EPOLLIN)

    def removeWriter(self, writer: Polled) -> None:
        """See `IReactorFDSet.removeWriter`."""
        self._watch(writer, 0, select.EPOLLOUT)

    def removeAll(self) -> list[Polled]:
        """See `IReactorFDSet.removeAll`."""
        transports = list(self._transports.values())
        for transport in transports:
            self._watch(transport, 0, select.EPOLLIN | select.EPOLLOUT)
        return transports

    def getReaders(self) -> list[Polled]:
        """See `IReactorFDSet.getReaders`."""
        return self._waiting_for(select.EPOLLIN)

    def getWriters(self) -> list[Polled]:
        """See `IReactorFDSet.getWriters`."""
        return self._waiting_for(select.EPOLLOUT)

    def _waiting_for(self, event: int) -> list[Polled]:
        return [self._transports[fd] for fd, events in self._events.items() if events & event]

    def _watch(self, transport: Polled, more: int, fewer: int) -> None:
        fd = transport.fileno()
        before = self._events.get(fd, 0)
        events = (before | more) & ~fewer
        if events == before:
            return
        if not events:
            self._forget(fd)
        elif before:
            self._epoll.modify(fd, events)
            self._events[fd] = events
        else:
            self._epoll.register(fd, events)
            if not self._transports:
                self._reactor.addReader(self)
            self._events[fd] = events
            self._transports[fd] = transport

    def _forget(self, fd: int) -> None:
        self._epoll.unregister(fd)
        del self._transports[fd], self._events[fd]
        self._left.add(fd)
        if not self._transports:
            self._reactor.removeReader(self)

    # What the reactor asks of a descriptor.

    def doRead(self) -> None:
        """Some transports are ready."""
        find = self._transports.get
        self._left.clear()
        for fd, event in self._epoll.poll(0, MOST_EVENTS):
            transport = find(fd)
            if transport is None:
                continue
            try:
                if event == select.EPOLLIN:
                    why = transport.doRead()
                    if why is not None:
                        self._end(transport, why, is_read=True)
                elif fd not in self._left:  # else it is for a socket that was closed a moment ago and had this number
                    self._read_and_write(transport, event)
            except BaseException as error:
                self._failed(transport, error)

    def _read_and_write(self, transport: Polled, event: int) -> None:
        why, is_read = None, True
        if event & select.EPOLLIN:
            why = transport.doRead()
        elif event & (select.EPOLLHUP | select.EPOLLERR):
            # As Twisted has it: to who still reads all has been given, and this is the end.
            why = CONNECTION_DONE if self._events[transport.fileno()] & select.EPOLLIN else CONNECTION_LOST
        if why is None and event & select.EPOLLOUT:
            why, is_read = transport.doWrite(), False
        if why is not None:
            self._end(transport, why, is_read)

    def _end(self, transport: Polled, why: BaseException, is_read: bool) -> None:
        self.removeReader(transport)
        if is_read and isinstance(why, ConnectionDone):
            transport.readConnectionLost(Failure(why))
        else:
            self.removeWriter(transport)
            transport.connectionLost(Failure(why))

    def _failed(self, transport: Polled, error: BaseException) -> None:
        """Whatever a protocol raises costs its own connection only."""
        _log.failure("a connection failed unforeseen and is closed", failure=Failure(error))
        try:
            self._end(transport, error, is_read=False)
        except BaseException:
            _log.failure("a connection failed again while it was closed")

    def connectionLost(self, reason: Failure) -> None:
        """The reactor ends, and every connection with it."""
        for transport in self.removeAll():
            transport.connectionLost(reason)
