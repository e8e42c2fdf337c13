"""Takes long answers without looking at them: the kernel drops the bytes, nobody copies them.

wrk reads 8 KB at a time and copies each: with the fast peers it would be the bottleneck.
"""

from __future__ import annotations

import re
import select
import socket
import time

from bench.load.answers import Answers, Load, request_head
from bench.load.own import options, run, tell
from bench.load.percentiles import percentile

PIECE = 1 << 20
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def drain(path: str, connections: int) -> Load:
    """Ask for `path` over that many connections, each again when its answer is whole."""
    return lambda asked: run("drain", asked, path=path, connections=connections)


class Draining:
    """One connection: how much of its answer is still to come."""

    def __init__(self, port: int, path: str) -> None:
        self._request = request_head("GET", path, port)
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._buffer = bytearray(PIECE)
        self._head = b""
        self._left = 0
        self._since = 0.0
        self.ask()

    def fileno(self) -> int:
        """For epoll."""
        return self._socket.fileno()

    def ask(self) -> None:
        """Ask for the next answer."""
        self._head = b""
        self._since = time.perf_counter()
        self._socket.sendall(self._request)

    def take(self) -> tuple[int, float | None]:
        """How many bytes of a body came, and after how many seconds it was whole, if it is.

        Raises `OSError` where the connection ended, `ValueError` where the answer is not one with a length and 200.
        """
        came = self._begin() if not self._left else self._go_on()
        self._left -= came
        return came, None if self._left else time.perf_counter() - self._since

    def _begin(self) -> int:
        self._head += self._some(self._socket.recv(4096))
        head, end, body = self._head.partition(b"\r\n\r\n")
        if not end:
            self._left = 0
            raise ValueError("a head in pieces")
        length = _LENGTH.search(head)
        if length is None or not head.startswith(b"HTTP/1.1 200"):
            raise ValueError(head.decode("latin-1"))
        self._left = int(length[1])
        return len(body)

    def _go_on(self) -> int:
        came = self._socket.recv_into(self._buffer, min(self._left, PIECE), socket.MSG_TRUNC)
        if not came:
            raise ConnectionResetError("an answer was cut")
        return came

    @staticmethod
    def _some(data: bytes) -> bytes:
        if not data:
            raise ConnectionResetError("a connection was closed")
        return data


def main() -> None:
    """Ask as the command line tells."""
    told = options(path=str, connections=int)
    poll = select.epoll()
    lines: dict[int, Draining] = {}
    for _ in range(told.connections):
        line = Draining(told.port, told.path)
        lines[line.fileno()] = line
        poll.register(line, select.EPOLLIN)
    latencies: list[float] = []
    moved = bad = 0
    start = time.perf_counter()
    while (now := time.perf_counter()) - start < told.seconds and lines:
        for file, _ in poll.poll(0.1):
            try:
                came, took = lines[file].take()
                moved += came
                if took is not None:
                    latencies.append(took)
                    lines[file].ask()
            except (OSError, ValueError):
                bad += 1
                poll.unregister(file)
                del lines[file]
    latencies.sort()
    p50, p99, p999 = (percentile(latencies, percent) * 1e6 for percent in (50, 99, 99.9))
    tell(Answers(len(latencies), bad, now - start, moved, p50, p99, p999))


if __name__ == "__main__":
    main()
