"""Clients that come at a fixed rate, whatever became of those before, and wait only so long: that is overload.

Each asks once. Who has no whole answer when its patience is over closes its connection; the others leave theirs to
those who come later. Or there are so many connections from the beginning, as there are from another proxy: they are
kept, and what is answered too late is answered for nobody.
"""

from __future__ import annotations

import gc
import heapq
import json
import re
import resource
import select
import socket
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass, field

from bench.load.answers import request_head
from bench.load.clock import Metronome
from bench.load.own import options
from bench.load.percentiles import percentile

WARM_UP = 0.5
"""The first part of a run, as a share, in which nothing is counted: queues fill, and what is shed settles."""

CONNECT_S = 5.0
"""How long a connection may take that is to be there from the beginning."""

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Outcome:
    """What became of the clients of one second, and the latencies of those with a good answer, in milliseconds."""

    offered: float
    good: float
    refused: float
    gave_up: float
    failed: float
    p50_ms: float
    p99_ms: float


@dataclass
class _Asking:
    """One client: since when it has been waiting, whether it counts, and what has come."""

    since: float
    counts: bool
    parts: bytes = b""
    is_over: bool = False


@dataclass
class _Counts:
    offered: int = 0
    refused: int = 0
    gave_up: int = 0
    failed: int = 0
    latencies: list[float] = field(default_factory=list)


class Impatient:
    """One run at a rate, a second, against a port; each client waits for `patience` seconds.

    With `kept` connections from the beginning none is closed, and who finds none free has failed.
    """

    def __init__(self, port: int, rate: float, path: str, patience: float, kept: int = 0) -> None:
        self._address = ("127.0.0.1", port)
        self._request = request_head("GET", path, port)
        self._patience = patience
        self._metronome = Metronome(rate)
        self._poll = select.epoll()
        self._open: dict[int, socket.socket] = {}
        self._free: deque[int] = deque()
        self._asking: dict[int, _Asking] = {}
        self._ends: list[tuple[float, int, int, _Asking]] = []
        self._sequence = 0
        self._counts = _Counts()
        self._kept = kept
        for _ in range(kept):
            # One after the other: the line at the door is short.
            file = self._connect()
            self._poll.modify(file, select.EPOLLOUT)
            self._poll.poll(CONNECT_S)
            self._poll.modify(file, 0)
            self._free.append(file)

    def go(self, seconds: float) -> Outcome:
        """Let clients come for so long, and wait until the last has its answer or has given up."""
        timer, start = self._metronome.fileno(), time.perf_counter()
        self._poll.register(timer, select.EPOLLIN)
        self._metronome.start()
        counted, end = start + seconds * WARM_UP, start + seconds
        while (now := time.perf_counter()) < end or self._is_anybody_waiting():
            for file, event in self._poll.poll(0.01):
                if file == timer:
                    for _ in range(self._metronome.rung() if now < end else 0):
                        self._come(now, now >= counted)
                elif event & select.EPOLLIN or not event & select.EPOLLOUT:
                    self._take(file)
                else:
                    self._send(file)
            self._give_up(time.perf_counter())
        self._metronome.stop()
        return self._outcome(end - counted)

    def _come(self, now: float, counts: bool) -> None:
        self._counts.offered += counts
        if self._kept and not self._free:
            self._counts.failed += counts
            return
        file = self._free.popleft() if self._free else self._connect()
        one = self._asking[file] = _Asking(now, counts)
        self._sequence += 1
        heapq.heappush(self._ends, (now + self._patience, self._sequence, file, one))
        self._poll.modify(file, select.EPOLLIN | select.EPOLLOUT)

    def _send(self, file: int) -> None:
        """The connection is there, and takes a request: with a full backlog that may never be."""
        self._poll.modify(file, select.EPOLLIN)
        try:
            self._open[file].send(self._request)
        except OSError:
            self._lose(file)

    def _connect(self) -> int:
        connection = socket.socket()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setblocking(False)
        connection.connect_ex(self._address)
        self._open[connection.fileno()] = connection
        self._poll.register(connection, 0)
        return connection.fileno()

    def _take(self, file: int) -> None:
        try:
            data = self._open[file].recv(65536)
        except OSError:
            data = b""
        one = self._asking.get(file)
        if not data or one is None:
            self._lose(file)
            return
        one.parts += data
        if _is_whole(one.parts):
            self._answered(file, one)

    def _answered(self, file: int, one: _Asking) -> None:
        del self._asking[file]
        self._free.append(file)
        if one.is_over:
            return
        one.is_over = True
        if one.counts and one.parts.startswith(b"HTTP/1.1 200"):
            self._counts.latencies.append(time.perf_counter() - one.since)
        elif one.counts:
            is_refused = one.parts.startswith(b"HTTP/1.1 503")
            self._counts.refused += is_refused
            self._counts.failed += not is_refused

    def _is_anybody_waiting(self) -> bool:
        while self._ends and self._ends[0][-1].is_over:
            heapq.heappop(self._ends)
        return bool(self._ends)

    def _give_up(self, now: float) -> None:
        while self._ends and self._ends[0][0] <= now:
            *_, file, one = heapq.heappop(self._ends)
            if not one.is_over:
                self._counts.gave_up += one.counts
                one.is_over = True
                if not self._kept:
                    self._close(file)

    def _lose(self, file: int) -> None:
        """A connection that the other side closed: what was asked on it failed."""
        one = self._asking.get(file)
        self._counts.failed += one is not None and one.counts and not one.is_over
        self._close(file)

    def _close(self, file: int) -> None:
        one = self._asking.pop(file, None)
        if one is not None:
            one.is_over = True
        elif file in self._free:
            self._free.remove(file)
        self._poll.unregister(file)
        self._open.pop(file).close()

    def _outcome(self, seconds: float) -> Outcome:
        counts = self._counts
        ordered = sorted(counts.latencies)
        p50, p99 = (percentile(ordered, percent) * 1e3 for percent in (50, 99))
        many = (counts.offered, len(ordered), counts.refused, counts.gave_up, counts.failed)
        offered, good, refused, gave_up, failed = (count / seconds for count in many)
        return Outcome(offered, good, refused, gave_up, failed, p50, p99)


def _is_whole(data: bytes) -> bool:
    head, end, body = data.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    return bool(end) and (len(body) >= int(length[1]) if length else body.endswith(b"0\r\n\r\n"))


def main() -> None:
    """Ask as the command line tells."""
    told = options(path=str, patience=float, kept=int)
    gc.disable()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    load = Impatient(told.port, told.rate, told.path, told.patience, told.kept)
    json.dump(asdict(load.go(told.seconds)), sys.stdout)


if __name__ == "__main__":
    main()
