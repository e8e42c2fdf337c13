"""Asks each time over a new TLS connection, with a full handshake: wrk would resume its sessions."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

from bench.load.answers import PRODUCT, Answers, Load, request_head
from bench.load.own import options, run, tell
from bench.load.percentiles import percentile

_LAST = {"Connection": "close"}


def handshakes(clients: int) -> Load:
    """So many clients, each again when it has its answer."""
    return lambda asked: run("handshakes", asked, clients=clients)


def context() -> ssl.SSLContext:
    """TLS 1.3 without a look at certificates: that is the client's work, not the peer's."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    made.set_alpn_protocols(["http/1.1"])
    return made


def ask(port: int, secure: ssl.SSLContext) -> tuple[bool, int]:
    """One answer: whether it was a good one, and how many bytes came. Raises `OSError` where there was none."""
    plain = socket.create_connection(("127.0.0.1", port), 10)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with secure.wrap_socket(plain) as one:
        if one.session_reused:
            raise RuntimeError("the handshake was not a full one")
        one.sendall(request_head("GET", PRODUCT, port, _LAST))
        answer = b"".join(iter(lambda: one.recv(65536), b""))
    return answer.startswith(b"HTTP/1.1 200"), len(answer)


def asking(port: int, until: float) -> Iterator[tuple[float | None, int]]:
    """The seconds that each answer took, None for one that failed, and its bytes."""
    secure = context()
    while (start := time.perf_counter()) < until:
        try:
            good, size = ask(port, secure)
        except OSError:
            good, size = False, 0
        yield (time.perf_counter() - start if good else None), size


def main() -> None:
    """Ask as the command line tells."""
    told = options(clients=int)
    start = time.perf_counter()
    with ThreadPoolExecutor(told.clients) as clients:
        each = clients.map(lambda _: list(asking(told.port, start + told.seconds)), range(told.clients))
        came = list(chain.from_iterable(each))
    seconds = time.perf_counter() - start
    latencies = sorted(took for took, _ in came if took is not None)
    p50, p99, p999 = (percentile(latencies, percent) * 1e6 for percent in (50, 99, 99.9))
    moved = sum(size for _, size in came)
    tell(Answers(len(latencies), len(came) - len(latencies), seconds, moved, p50, p99, p999))


if __name__ == "__main__":
    main()
