"""The duties that all peers have, and whether each really does them: what its service hears, what its log says."""

from __future__ import annotations

import http.client
import socket
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from bench.peers import Peer
from bench.running import Running, started

LIMIT = "limit per client"
REQUEST_ID = "request id"
FORWARDED = "X-Forwarded-For, -Proto, -Host"
LOG = "access log in a file"
KEPT = "kept connections to the service"
DUTIES = (LIMIT, REQUEST_ID, FORWARDED, LOG, KEPT)

PATIENCE_S = 60.0
REQUESTS = 5
"""Fewer than the limit that the peer is given for the look."""

BODY = b'{"id": 1}'


def rows(peers: Iterable[Peer]) -> list[list[str]]:
    """The titles, and a row for each peer: yes, or why not."""
    return [["", *DUTIES], *([peer.title, *(peer.cannot.get(duty, "yes") for duty in DUTIES)] for peer in peers)]


@dataclass
class Heard:
    """What a recording service heard: each request's fields by name in lower case, and on which connection it came."""

    requests: list[tuple[int, dict[str, str]]] = field(default_factory=list)

    def of(self, path: str) -> list[tuple[int, dict[str, str]]]:
        """The requests for a path: health checks, which some peers make, are for others."""
        return [one for one in self.requests if one[1][":path"] == path]


@contextmanager
def recording_service() -> Iterator[tuple[int, Heard]]:
    """A service that answers everything and remembers what it was asked; its port."""
    heard = Heard()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_accept, args=(listening, heard), daemon=True).start()
        yield listening.getsockname()[1], heard
        listening.shutdown(socket.SHUT_RDWR)


def _accept(listening: socket.socket, heard: Heard) -> None:
    number = 0
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        number += 1
        threading.Thread(target=_answer, args=(connection, number, heard), daemon=True).start()


def _answer(connection: socket.socket, number: int, heard: Heard) -> None:
    with connection, connection.makefile("rb") as lines:
        while fields := _head(lines):
            heard.requests.append((number, fields))
            old = fields[":version"] == "HTTP/1.0"
            length = f"Content-Length: {len(BODY)}\r\n" + ("Connection: close\r\n" if old else "")
            connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{length}\r\n".encode() + BODY)
            if old:
                return


def _head(lines: Iterable[bytes]) -> dict[str, str]:
    """The request line, as `:method`, `:path`, `:version`, and the fields; nothing where the connection ended."""
    fields: dict[str, str] = {}
    for line in lines:
        text = line.decode("latin-1").strip()
        if not text:
            break
        if not fields:
            fields.update(zip((":method", ":path", ":version"), text.split(" "), strict=True))
        else:
            name, _, value = text.partition(":")
            fields[name.lower()] = value.strip()
    return fields


def observed(peer: Peer) -> set[str]:
    """Which duties a peer was seen to do, with a limit of a few requests."""
    path = "/api/products/1"
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, recording_service() as (port, heard):
        Path(folder).chmod(0o755)
        with started(peer, Path(folder), port, {"limit": str(REQUESTS)}) as running:
            statuses = [_ask(running.port, path) for _ in range(REQUESTS * 4)]
            asked = heard.of(path)
            done = {LIMIT} if statuses[:REQUESTS] == [200] * REQUESTS and statuses[-1] in (429, 503) else set()
            done |= _told(asked)
            # Some still hold the first connection for a moment when the second request comes.
            if len({number for number, _ in asked[:REQUESTS]}) < REQUESTS:
                done.add(KEPT)
            if _logged(running, path, REQUESTS):
                done.add(LOG)
            return done


def _ask(port: int, path: str) -> int:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    client.request("GET", path)
    response = client.getresponse()
    response.read()
    client.close()
    return response.status


def _told(asked: list[tuple[int, dict[str, str]]]) -> set[str]:
    """What the service was told by all requests."""
    done = set()
    ids = {fields.get("x-request-id", "") for _, fields in asked}
    if len(ids) == len(asked) and "" not in ids:
        done.add(REQUEST_ID)
    if all(_is_forwarded(fields) for _, fields in asked):
        done.add(FORWARDED)
    return done


def _is_forwarded(fields: dict[str, str]) -> bool:
    """Envoy names an address of the machine for clients that come from the machine itself; any address will do."""
    try:
        ip_address(fields.get("x-forwarded-for", ""))
    except ValueError:
        return False
    host = fields.get("x-forwarded-host", "")
    return fields.get("x-forwarded-proto") == "http" and host.startswith("127.0.0.1:")


def _logged(running: Running, path: str, lines: int) -> bool:
    """Whether the log has so many lines with a path, soon."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if running.log.exists() and running.log.read_text(errors="replace").count(path) >= lines:
            return True
        time.sleep(0.1)
    return False
