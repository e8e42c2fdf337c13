"""An open loop: requests leave at a fixed rate whether or not the answers to earlier ones are there.

A latency counts from the moment at which its request was due, not from that at which a connection became free for it:
so a peer that stops for a while pays for all the requests that would have come in that time.
"""

from __future__ import annotations

import gc
import http.client
import select
import socket
import time
from collections import deque

from bench.load.answers import PRODUCT, Answers, Load, request_head
from bench.load.clock import Metronome
from bench.load.own import options, run, tell
from bench.load.percentiles import percentile

GRACE_S = 0.5
"""How long answers to the last requests are awaited."""


def open_loop(connections: int = 64, path: str = PRODUCT) -> Load:
    """Ask for `path` at the rate that is told, over kept connections."""
    return lambda asked: run("open_loop", asked, connections=connections, path=path)


class OpenLoop:
    """One run. `expected` is the end of each answer: the service's are all the same."""

    def __init__(self, port: int, rate: float, connections: int, path: str, expected: bytes) -> None:
        self._request = request_head("GET", path, port)
        self._expected = expected
        self._metronome = Metronome(rate)
        self._poll = select.epoll()
        self._open: dict[int, socket.socket] = {}
        self._free: deque[int] = deque()
        self._due: deque[float] = deque()
        self._sent_for: dict[int, float] = {}
        self._parts: dict[int, bytes] = {}
        self.latencies: list[float] = []
        self.bad = 0
        for _ in range(connections):
            self._connect(port)

    def _connect(self, port: int) -> None:
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setblocking(False)
        self._open[connection.fileno()] = connection
        self._free.append(connection.fileno())
        self._poll.register(connection, select.EPOLLIN)

    def go(self, seconds: float) -> Answers:
        """Ask for so long; what came of it. What is not answered in the end counts as late, with its time so far."""
        timer = self._metronome.fileno()
        self._poll.register(timer, select.EPOLLIN)
        start, asked = time.perf_counter(), 0
        self._metronome.start()
        interval = self._metronome.interval_s
        total = int(seconds / interval)
        end = start + seconds + GRACE_S
        while (asked < total or self._due or self._sent_for) and time.perf_counter() < end:
            for file, _ in self._poll.poll(GRACE_S):
                if file != timer:
                    self._take(file)
                    continue
                for _ in range(min(self._metronome.rung(), total - asked)):
                    asked += 1
                    self._due.append(start + asked * interval)
            self._send()
        return self._answers(seconds, time.perf_counter())

    def _send(self) -> None:
        while self._due and self._free:
            file = self._free.popleft()
            self._sent_for[file] = self._due.popleft()
            try:
                self._open[file].send(self._request)
            except OSError:
                self._lose(file)

    def _take(self, file: int) -> None:
        try:
            data = self._open[file].recv(65536)
        except OSError:
            data = b""
        if not data:
            self._lose(file)
            return
        data = self._parts.pop(file, b"") + data
        if not data.endswith(self._expected):
            self._parts[file] = data
            return
        self.latencies.append(time.perf_counter() - self._sent_for.pop(file))
        self.bad += not data.startswith(b"HTTP/1.1 200")
        self._free.append(file)

    def _lose(self, file: int) -> None:
        """A connection that the peer closed: what was asked on it failed."""
        self.bad += self._sent_for.pop(file, None) is not None
        self._poll.unregister(file)
        self._open.pop(file).close()
        if file in self._free:
            self._free.remove(file)

    def _answers(self, seconds: float, now: float) -> Answers:
        whole = len(self.latencies)
        waiting = [now - since for since in (*self._sent_for.values(), *self._due)]
        ordered = sorted(self.latencies + waiting)
        p50, p99, p999 = (percentile(ordered, percent) * 1e6 for percent in (50, 99, 99.9))
        return Answers(whole, self.bad, seconds, 0, p50, p99, p999, late=len(waiting))


def body_of(port: int, path: str) -> bytes:
    """The body that the service has at a path."""
    client = http.client.HTTPConnection("127.0.0.1", port)
    client.request("GET", path)
    body = client.getresponse().read()
    client.close()
    return body


def main() -> None:
    """Ask as the command line tells."""
    told = options(connections=int, path=str)
    loop = OpenLoop(told.port, told.rate, told.connections, told.path, body_of(told.port, told.path))
    gc.freeze()
    gc.disable()
    tell(loop.go(told.seconds))


if __name__ == "__main__":
    main()
