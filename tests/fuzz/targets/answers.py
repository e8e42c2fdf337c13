"""What services send: the reader of answers and the connection around it.

What is matched and what is parsed are the same, and so are the whole and its pieces. Where h11 takes the first answer
too, it must have read the same. The connection never raises, tells in order, ends each attempt once, and goes back to
its pool only where nothing is left over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import h11
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from apigateway.http.lines import split_lines
from apigateway.http.response_reader import ResponseReader
from apigateway.testing.receiver import RecordingReceiver
from apigateway.upstream.native.connection import NativeConnection
from tests.fuzz.target import Target, parts, split
from tests.fuzz.targets.words import ANSWERS
from tests.http.messages import as_h11, h11_response
from tests.http.test_ordinary import answers_told, parsed

SEPARATOR = b"\n=====\n"
"""Between what answers one request and what answers the next."""


def check(data: bytes) -> None:
    """In the first line, an `H` for each request that is HEAD, anything else for GET. The rest is what is answered."""
    script, rest = parts(data)
    streams = rest.split(SEPARATOR)
    heads = [script[number : number + 1] == b"H" for number in range(len(streams))]
    for cut in (lambda stream: [stream], split):
        answers = [(is_head, cut(stream)) for is_head, stream in zip(heads, streams, strict=True)]
        assert answers_told(answers) == parsed(lambda: answers_told(answers))  # noqa: B023  # called at once
    assert _read([streams[0]], heads[0]) == _read(split(streams[0]), heads[0])
    _check_against_h11(streams[0], heads[0])
    whole, pieces = _connect(streams, heads, in_pieces=False), _connect(streams, heads, in_pieces=True)
    # What breaks later has begun when it comes in pieces, and has not when it comes at once.
    assert all(one == other or None in (one, other) for one, other in zip(whole, pieces, strict=False)), (whole, pieces)
    # An empty line after an answer is no more than that when it comes along, and a reason to close when it comes alone.
    assert len(whole) >= len(pieces) or None in whole


def _read(segments: Sequence[bytes], is_head: bool) -> tuple[object, ...]:
    reader = ResponseReader()
    reader.expect(is_head)
    for segment in segments:
        reader.feed(segment)
    # After an answer to HEAD an empty line may be the beginning of a body that nobody asked for: to close is right.
    excess = reader.excess and not is_head
    return (
        reader.interim, reader.status, reader.reason, as_h11(split_lines(reader.lines)), reader.length,
        reader.keep_alive, b"".join(reader.chunks), reader.complete, reader.complete and reader.trailers,
        reader.until_close, excess, reader.error is None,
    )  # fmt: skip


def _check_against_h11(stream: bytes, is_head: bool) -> None:
    reader = ResponseReader()
    reader.expect(is_head)
    reader.feed(stream)
    if reader.error is not None or not (reader.complete or reader.until_close):
        return
    try:
        other = h11_response(stream, b"HEAD" if is_head else b"GET", at_end=True)
    except h11.RemoteProtocolError:
        return
    assert other is not None, "h11 waits for more of what we call complete"
    assert (other.start[0], other.body) == (b"%d" % reader.status, b"".join(reader.chunks))
    # We leave out what is of this hop; nothing else may be there, or in another order.
    passed = as_h11(split_lines(reader.lines))
    assert [field for field in other.fields if field in passed] == passed


class _Pool:
    """Where a connection says how it ended."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def refusal(self, reason: BaseException) -> None:
        """It makes no new connections."""

    def connected(self, connection: NativeConnection) -> None:
        self.said.append("connected")

    def released(self, connection: NativeConnection) -> None:
        self.said.append("released")

    def dropped(self, connection: NativeConnection) -> None:
        self.said.append("dropped")


class _Transport(StringTransport):
    def setTcpNoDelay(self, enabled: bool) -> None:
        """See `ITCPTransport`."""

    def abortConnection(self) -> None:
        """See `ITCPTransport`."""
        self.aborting = self.disconnecting = True


def _connect(streams: Sequence[bytes], heads: Sequence[bool], in_pieces: bool) -> list[tuple[object, ...] | None]:
    """What each attempt on one connection was told, as long as it goes back to its pool; None for one that failed."""
    pool: Any = _Pool()
    connection, transport = NativeConnection(pool), _Transport()
    connection.makeConnection(transport)
    told = []
    for stream, is_head in zip(streams, heads, strict=True):
        receiver = RecordingReceiver()
        pool.said.clear()
        connection.lend(receiver)
        connection.start(b"HEAD" if is_head else b"GET", b"/", b"Host: h\r\n", 0)
        for piece in split(stream) if in_pieces else [stream]:
            if not transport.disconnecting:
                connection.dataReceived(piece)
        told.append(_ending(connection, receiver, pool.said, transport))
        if transport.disconnecting or not receiver.is_ended:
            break
    connection.connectionLost(Failure(ConnectionDone()))
    return told


def _ending(
    connection: NativeConnection, receiver: RecordingReceiver, said: list[str], transport: _Transport
) -> tuple[object, ...] | None:
    """How an attempt ended; one that did not by itself is ended by the end of its connection."""
    if not receiver.is_ended and receiver.error is None:
        assert not transport.disconnecting, "a connection was closed, and its receiver not told"
        transport.disconnecting = True
        connection.connectionLost(Failure(ConnectionDone()))
        assert receiver.is_ended or receiver.error is not None
    assert said.count("released") <= (1 if receiver.is_ended else 0)
    # Bytes too many may come when the connection is in its pool already; it is cut then.
    kept = "released" in said and "dropped" not in said
    assert kept is not transport.disconnecting
    if not receiver.is_ended:
        return None
    return receiver.status, receiver.reason, as_h11(receiver.fields), receiver.body, receiver.trailers


TARGET = Target(check, (*ANSWERS, SEPARATOR, b"H"), short_runs=350)
