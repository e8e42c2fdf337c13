"""The service of the WebSocket workloads: sends every message back. It must never be the slow one.

Knows messages of one size only, whose mask is zero, as `bench.load.messages` sends them.
"""

from __future__ import annotations

import argparse
import re
import select
import socket

from apigateway.http.upgrade import proof_of
from bench.load.messages import ANSWERED, ASKED, SIZE

_KEY = re.compile(rb"\r\nsec-websocket-key: *([^\r]*)\r\n", re.IGNORECASE)
_HEALTHY = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def accepted(key: bytes) -> bytes:
    """The answer to a handshake."""
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    return b"%bSec-WebSocket-Accept: %b\r\n\r\n" % (head, proof_of(key))


class Connection:
    """One connection: a head first, then messages."""

    def __init__(self, taken: socket.socket) -> None:
        self.socket = taken
        self._is_open = False
        self._rest = b""

    def read(self) -> bool:
        """Answer what has come; False where the connection is over."""
        try:
            data = self._rest + (came := self.socket.recv(65536))
            if not came:
                return False
            self._rest = self._echo(data) if self._is_open else self._begin(data)
        except OSError:
            return False
        return True

    def _begin(self, data: bytes) -> bytes:
        if not data.endswith(b"\r\n\r\n"):
            return data
        key = _KEY.search(data)
        self._is_open = key is not None
        self.socket.sendall(_HEALTHY if key is None else accepted(key[1]))
        return b""

    def _echo(self, data: bytes) -> bytes:
        """Send whole messages back; what is left of the data."""
        step = len(ASKED) + SIZE
        ends = range(step, len(data) + 1, step)
        self.socket.sendall(b"".join(ANSWERED + data[end - SIZE : end] for end in ends))
        return data[len(ends) * step :]


def serve(listening: socket.socket) -> None:
    """Answer whoever connects, without an end."""
    poll = select.epoll()
    poll.register(listening, select.EPOLLIN)
    connections: dict[int, Connection] = {}
    while True:
        for file, _ in poll.poll():
            if file == listening.fileno():
                taken, _ = listening.accept()
                taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connections[taken.fileno()] = Connection(taken)
                poll.register(taken, select.EPOLLIN)
            elif not connections[file].read():
                connections.pop(file).socket.close()


def main() -> None:
    """Serve as the command line tells."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    told = parser.parse_args()
    serve(socket.create_server((told.host, told.port), backlog=1024))


if __name__ == "__main__":
    main()
