"""Small services on threads for tests of clients that block."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

Serve = Callable[[socket.socket], None]


def answering(answer: bytes) -> Serve:
    """Answer each request at once."""

    def serve(connection: socket.socket) -> None:
        while connection.recv(65536):
            connection.sendall(answer)

    return serve


def silent(connection: socket.socket) -> None:
    """Read, and say nothing."""
    while connection.recv(65536):
        pass


def closing(connection: socket.socket) -> None:
    """Close at the first request."""
    connection.recv(65536)


def listening(test: SynchronousTestCase, serve: Serve) -> int:
    """A service that treats each connection so, until the test is over; its port."""
    door = socket.create_server(("127.0.0.1", 0))
    test.addCleanup(door.close)
    test.addCleanup(door.shutdown, socket.SHUT_RDWR)
    threading.Thread(target=_accept, args=(door, serve), daemon=True).start()
    port: int = door.getsockname()[1]
    return port


def _accept(door: socket.socket, serve: Serve) -> None:
    while True:
        try:
            connection, _ = door.accept()
        except OSError:
            return
        threading.Thread(target=_treat, args=(connection, serve), daemon=True).start()


def _treat(connection: socket.socket, serve: Serve) -> None:
    with connection:
        try:
            serve(connection)
        except OSError:
            return  # the client was faster
