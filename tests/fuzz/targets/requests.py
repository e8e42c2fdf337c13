"""The reader of requests: what is matched and what is parsed are the same, and so are the whole and its pieces.

Where h11 takes the first request too, it must have read the same: method, body, and where it ends.
"""

from __future__ import annotations

from collections.abc import Iterable

import h11

from apigateway.http.request_message import RequestMessage
from apigateway.http.request_reader import PIPELINED, SLICE, HeadLimits, RequestReader
from tests.fuzz.target import Target, parts, split
from tests.fuzz.targets.words import REQUESTS
from tests.http.messages import h11_request
from tests.http.test_ordinary import SMALL, head_told, parsed, request_told, said

MOST_IN_A_SLICE = SLICE // len(b"GET / HTTP/1.0\r\n\r\n")


def check(data: bytes) -> None:
    """`s` in the first line: small limits. The rest is what a client sends."""
    script, stream = parts(data)
    limits = SMALL if b"s" in script else HeadLimits()
    whole, pieces = _read([stream], limits), _read(split(stream), limits)
    for segments, read in (([stream], whole), (split(stream), pieces)):
        assert read == parsed(lambda: _read(segments, limits))  # noqa: B023  # called at once
    # Where a limit is broken may be noticed earlier or later.
    assert (whole[0], whole[1] is None) == (pieces[0], pieces[1] is None)
    assert whole[1] is not None or whole[2] == pieces[2]
    if limits is not SMALL:
        _check_against_h11(stream)


Read = tuple[list[object], object, bool, list[object]]


def _read(segments: Iterable[bytes], limits: HeadLimits) -> Read:
    """What came of it: the messages, the error, whether nothing of a next one is there, and what stood after each."""
    reader = RequestReader(limits)
    taken: list[RequestMessage] = []
    steps: list[object] = []
    for segment in segments:
        reader.feed(segment)
        _take(reader, taken)
        while reader.put_off or reader.waits:
            reader.go_on()
            _take(reader, taken)
        last = request_told(taken[-1]) if taken else None
        steps.append((len(taken), last, said(reader.error), head_told(reader.error_head), reader.between_requests))
    return [request_told(message) for message in taken], said(reader.error), reader.between_requests, steps


def _take(reader: RequestReader, taken: list[RequestMessage]) -> None:
    assert len(reader.ready) <= PIPELINED + MOST_IN_A_SLICE, len(reader.ready)
    taken += reader.ready
    reader.ready.clear()


def _check_against_h11(stream: bytes) -> None:
    try:
        other = h11_request(stream)
    except h11.RemoteProtocolError:
        return
    reader = RequestReader(HeadLimits())
    reader.feed(stream)
    message = reader.ready[0] if reader.ready else None
    if message is None or (not message.complete and reader.error is not None):
        # What we refuse nobody else is asked about.
        assert other is None or reader.error is not None, "h11 has a request where we wait for more"
    elif not message.complete:
        assert other is None, "h11 has all of a request where we wait for more"
    else:
        assert other is not None, "h11 waits for more of what we call complete"
        assert other.start[0] == message.head.method
        assert other.body == b"".join(message.chunks)


TARGET = Target(check, REQUESTS, short_runs=300)
