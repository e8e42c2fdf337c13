"""What a client gets, read with h11: the second opinion on what the gateway answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import h11

LARGE = 1 << 22


class Read(NamedTuple):
    """One final answer as h11 read it. `interims` counts those before it, `keeps` that another may follow."""

    status: int
    fields: list[tuple[bytes, bytes]]
    body: bytes
    is_complete: bool
    interims: int = 0
    keeps: bool = False


def read_answers(data: bytes, methods: Iterable[bytes], is_closed: bool) -> Iterator[Read]:
    """The answers to requests with these methods. Raises `RemoteProtocolError`, also for bytes that answer none."""
    for method in methods:
        if not data:
            return
        read, data = read_one(data, method, is_closed)
        yield read
        if not read.is_complete:
            return
    if data:
        raise h11.RemoteProtocolError(f"bytes that answer nothing: {data[:200]!r}")


def read_one(data: bytes, method: bytes, is_closed: bool) -> tuple[Read, bytes]:
    """The first final answer, and the bytes behind it."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=LARGE)
    connection.send(
        h11.Request(method=b"HEAD" if method == b"HEAD" else b"GET", target=b"/", headers=[(b"Host", b"h")])
    )
    connection.send(h11.EndOfMessage())
    if data:  # nothing would be the end
        connection.receive_data(data)
    if is_closed:
        connection.receive_data(b"")
    return _gather(connection)


def _gather(connection: h11.Connection) -> tuple[Read, bytes]:
    status, interims, body = 0, 0, b""
    fields: list[tuple[bytes, bytes]] = []
    while True:
        try:
            event: Any = connection.next_event()
        except h11.RemoteProtocolError as error:
            if "peer closed connection" in str(error) or "without sending complete" in str(error):
                return Read(status, fields, body, False, interims), b""
            raise
        if isinstance(event, h11.InformationalResponse):
            interims += 1
        elif isinstance(event, h11.Response):
            status = event.status_code
            fields = [(bytes(name), bytes(value)) for name, value in event.headers]
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            keeps = connection.their_state is h11.DONE and connection.our_state is h11.DONE
            return Read(status, fields, body, True, interims, keeps), connection.trailing_data[0]
        else:
            return Read(status, fields, body, False, interims), b""
