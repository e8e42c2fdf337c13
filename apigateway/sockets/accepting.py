"""Accepts connections on a TCP port: so many in a turn, those that its factory admits, and later where none can be had.

Out of descriptors, who wants to connect waits in the kernel's line: nothing spins, and nobody is cut. Knows nothing of
what is spoken on a connection.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from errno import EMFILE, ENFILE, ENOBUFS, ENOMEM, errorcode
from typing import Any

from twisted.internet import tcp
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from apigateway.sockets.seldom import Seldom

EXHAUSTED = frozenset((EMFILE, ENFILE, ENOBUFS, ENOMEM))
"""Errors that say that this process or the system has no room for another socket."""

MOST_ACCEPTS = 16
"""Connections that are accepted in one turn of the reactor, so that many new ones do not keep the others waiting."""

PAUSE_S = 0.1
"""How long nothing is accepted where there was no descriptor for it."""

SHORT_PAUSE_S = 0.01
"""The same where others were closed to make room: they are gone within a turn or two."""

ROOM = 16
"""So many connections at rest make room where there was no descriptor for one."""

_NUMERIC = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV

_log = Logger(namespace="apigateway.sockets")


class Accepting:
    """What a `tcp.Port` does when it may accept; `transport` is called as its own attribute of that name.

    The first factory of the port's that has them, from the outside, may have two methods more: `admits(address)` says
    whether a connection from there may be made, `make_room(count)` closes up to so many and returns how many.
    """

    def __init__(self, port: Any, transport: Callable[..., tcp.Server]) -> None:
        self._port = port
        port.numberAccepts = MOST_ACCEPTS
        self._transport = transport
        self._again: IDelayedCall | None = None
        factory: Any = port.factory
        while hasattr(factory, "wrappedFactory") and not hasattr(factory, "admits"):
            factory = factory.wrappedFactory
        self._admits: Callable[[str], bool] | None = getattr(factory, "admits", None)
        self._make_room: Callable[[int], int] = getattr(factory, "make_room", lambda count: 0)
        self._why = 0
        self._exhausted = Seldom(self._port.reactor.seconds, self._tell)
        self._port_lost = port.connectionLost
        self._port.doRead = self.accept_some
        self._port.connectionLost = self._connection_lost

    def __repr__(self) -> str:
        return f"<Accepting on {self._port!r}{' paused' if self._again else ''}>"

    def accept_some(self) -> None:
        """Accept the connections that are there; failures are logged, whatever they are."""
        for _ in range(self._port.numberAccepts):
            try:
                made, address = self._port.socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in EXHAUSTED:
                    self._pause(error.errno)
                    return
                continue  # of the connection, not of the port: see accept(2)
            if self._admits is None or self._admits(address[0]):
                self._take(made, _scoped(address))
            else:
                made.close()
            if self._again is not None:
                return

    def _take(self, made: socket.socket, address: Any) -> None:
        port = self._port
        try:
            protocol = port.factory.buildProtocol(port._buildAddr(address))
            if protocol is None:
                made.close()
                return
            number = port.sessionno
            port.sessionno = number + 1
            protocol.makeConnection(self._transport(made, protocol, address, port, number, port.reactor))
        except OSError as error:
            made.close()
            if error.errno not in EXHAUSTED:
                _log.failure("a new connection failed", failure=Failure(error))
                return
            self._pause(error.errno)
        except Exception as error:
            made.close()
            _log.failure("a new connection failed", failure=Failure(error))

    def _pause(self, why: int) -> None:
        if self._again is not None:
            return
        self._why = why
        made = self._make_room(ROOM)
        self._exhausted.happened()
        self._port.stopReading()
        self._again = self._port.reactor.callLater(SHORT_PAUSE_S if made else PAUSE_S, self._go_on)

    def _go_on(self) -> None:
        self._again = None
        if self._port.connected and not self._port.disconnecting:
            self._port.startReading()

    def _tell(self, times: int) -> None:
        _log.error(
            "no descriptors for new connections ({why}): accepting waits; it did so {times} times since last told",
            event="descriptors-exhausted", why=errorcode[self._why], times=times,
        )  # fmt: skip

    def _connection_lost(self, reason: Failure) -> None:
        if self._again is not None:
            self._again.cancel()
            self._again = None
        self._port_lost(reason)


def _scoped(address: Any) -> Any:
    """An IPv6 address with its zone, where it has one."""
    if len(address) == 4 and address[3]:
        host, _ = socket.getnameinfo(address, _NUMERIC)
        return (host, *address[1:])
    return address
