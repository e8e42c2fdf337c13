"""Clients beside the load: slow ones, idle ones and idle WebSockets, in a process of their own until the turn ends."""

from __future__ import annotations

import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from bench.load.answers import PRODUCT, Asked, request_head
from bench.load.messages import opened
from bench.load.own import command, options
from bench.peers import ROOT

Lost = Callable[[], int]
"""How many of the clients have lost their connections; asked once, at the end."""

Beside = Callable[[Asked], AbstractContextManager[Lost]]

STEP_S = 0.1
STEP_BYTES = 2048
"""Slow clients move so much in each step: 20 KB a second, a poor mobile connection."""


def beside(kind: str, clients: int) -> Beside:
    """That many clients of a kind: "slow", "idle" or "sockets"."""

    @contextmanager
    def held(asked: Asked) -> Iterator[Lost]:
        process = subprocess.Popen(
            command("beside", asked, {"kind": kind, "clients": clients}),
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdin is not None and process.stdout is not None  # noqa: PT018  # for types: both are pipes
        try:
            if process.stdout.readline() != "there\n":
                raise RuntimeError(f"{kind} clients could not connect")
            yield lambda: int(process.communicate()[0])
        finally:
            process.kill()
            process.wait()

    return held


def connections(port: int, count: int) -> list[socket.socket]:
    """So many new connections, with small buffers, so that slow is slow."""
    made = []
    for _ in range(count):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        one.connect(("127.0.0.1", port))
        made.append(one)
    return made


def slow(port: int, clients: int) -> int:
    """Half of them read a long answer slowly, the others send a long body slowly. How many lost their connections."""
    readers = connections(port, clients // 2)
    senders = connections(port, clients - clients // 2)
    long = {"Content-Type": "application/octet-stream", "Content-Length": str(100 << 20)}
    for one in readers:
        one.sendall(request_head("GET", "/api/files/100m", port))
    for one in senders:
        one.sendall(request_head("POST", "/api/upload", port, long))
    for one in (*readers, *senders):
        one.setblocking(False)
    print("there", flush=True)
    lost = 0
    while not told_to_end(STEP_S):
        for group, move in ((readers, _read), (senders, _send)):
            for one in [one for one in group if not move(one)]:
                group.remove(one)
                lost += 1
    return lost


def _read(one: socket.socket) -> bool:
    try:
        return bool(one.recv(STEP_BYTES))
    except BlockingIOError:
        return True
    except OSError:
        return False


def _send(one: socket.socket) -> bool:
    try:
        return one.send(b"x" * STEP_BYTES) > 0
    except BlockingIOError:
        return True
    except OSError:
        return False


def idle(port: int, clients: int) -> int:
    """Each has had one answer and keeps its connection. How many lost it."""
    request = request_head("GET", PRODUCT, port)
    kept = []
    for _ in range(clients):
        one = socket.create_connection(("127.0.0.1", port))
        one.sendall(request)
        one.recv(65536)
        kept.append(one)
    time.sleep(STEP_S)
    print("there", flush=True)
    told_to_end(None)
    return lost_of(kept)


def sockets(port: int, clients: int) -> int:
    """Each has a WebSocket on which nothing moves. How many lost it."""
    kept = [opened(port) for _ in range(clients)]
    time.sleep(STEP_S)
    print("there", flush=True)
    told_to_end(None)
    return lost_of(kept)


def lost_of(kept: list[socket.socket]) -> int:
    """How many have something to read where nothing is due: their end."""
    poll = select.poll()
    for one in kept:
        poll.register(one, select.POLLIN)
    return len(poll.poll(0))


def told_to_end(seconds: float | None) -> bool:
    """Wait so long, or without an end, to be told that the turn is over: standard input is then closed."""
    return bool(select.select([sys.stdin], [], [], seconds)[0])


def main() -> None:
    """Do as the command line tells."""
    told = options(kind=str, clients=int)
    print({"slow": slow, "idle": idle, "sockets": sockets}[told.kind](told.port, told.clients), flush=True)


if __name__ == "__main__":
    main()
