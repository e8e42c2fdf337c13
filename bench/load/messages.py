"""Sends messages over WebSockets and counts those that come back: each socket has one on its way.

All messages have the same size and a mask of zero (which RFC 6455, section 5.3 does not forbid), so that neither this
client nor the service spends time on them that the proxy in between should have.
"""

from __future__ import annotations

import select
import socket
import time

from bench.load.answers import Answers, Load, request_head
from bench.load.own import options, run, tell
from bench.load.percentiles import percentile

SIZE = 64
"""Bytes of each message."""

ASKED = bytes((0x82, 0x80 | SIZE, 0, 0, 0, 0))
"""The head of a message to the service: binary, whole, masked (RFC 6455, section 5.2)."""

ANSWERED = bytes((0x82, SIZE))
"""The head of one that comes back."""

PATH = "/api/socket"

_HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


def messages(sockets: int) -> Load:
    """One message after the other over each of so many sockets."""
    return lambda asked: run("messages", asked, sockets=sockets)


def opened(port: int) -> socket.socket:
    """A WebSocket. Raises `OSError` where the handshake fails."""
    one = socket.create_connection(("127.0.0.1", port))
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    one.sendall(request_head("GET", PATH, port, _HANDSHAKE))
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += one.recv(4096)
        if not head.startswith(b"HTTP/1.1 101"[: len(head)]) or not head:
            raise ConnectionRefusedError(head.decode("latin-1"))
    return one


class Line:
    """One socket with a message on its way."""

    def __init__(self, port: int) -> None:
        self.socket = opened(port)
        self._message = ASKED + b"x" * SIZE
        self._left = self._since = 0.0
        self.ask()

    def ask(self) -> None:
        """Send the next message."""
        self._left = len(ANSWERED) + SIZE
        self._since = time.perf_counter()
        self.socket.sendall(self._message)

    def take(self) -> float | None:
        """Read on; the seconds that the message took, if it is whole. Raises `OSError` where the socket has ended."""
        came = self.socket.recv(4096)
        if not came:
            raise ConnectionResetError("a socket was closed")
        self._left -= len(came)
        return None if self._left > 0 else time.perf_counter() - self._since


def main() -> None:
    """Ask as the command line tells."""
    told = options(sockets=int)
    lines = {one.socket.fileno(): one for one in (Line(told.port) for _ in range(told.sockets))}
    poll = select.epoll()
    for file in lines:
        poll.register(file, select.EPOLLIN)
    latencies: list[float] = []
    bad = 0
    start = time.perf_counter()
    while (now := time.perf_counter()) - start < told.seconds and lines:
        for file, _ in poll.poll(0.1):
            try:
                took = lines[file].take()
                if took is not None:
                    latencies.append(took)
                    lines[file].ask()
            except OSError:
                bad += 1
                poll.unregister(file)
                del lines[file]
    latencies.sort()
    p50, p99, p999 = (percentile(latencies, percent) * 1e6 for percent in (50, 99, 99.9))
    tell(Answers(len(latencies), bad, now - start, len(latencies) * SIZE, p50, p99, p999))


if __name__ == "__main__":
    main()
