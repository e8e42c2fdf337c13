"""Messages for the readers' tests: generated ones with what they mean, and what h11 makes of some bytes."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import h11
from hypothesis import strategies as st

Pairs = list[tuple[bytes, bytes]]

_TOKEN = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_VALUE = "".join(map(chr, (*range(0x20, 0x7F), 0x9, *range(0x80, 0x100))))
_PATH = "/abcXYZ019-._~%20%41!$&'()*+,;=:@"


class Wire(NamedTuple):
    """A message as bytes and what it says; `fields` are those that say nothing of framing."""

    data: bytes
    start: tuple[bytes, bytes]
    fields: Pairs
    body: bytes
    trailers: Pairs


def _bytes(alphabet: str, least: int, most: int) -> st.SearchStrategy[bytes]:
    return st.text(alphabet, min_size=least, max_size=most).map(lambda text: text.encode("latin-1"))


names = _bytes(_TOKEN, 1, 12).map(lambda name: b"X-" + name)
values = _bytes(_VALUE, 0, 20).map(lambda value: value.strip(b" \t"))
plain_fields = st.lists(st.tuples(names, values), max_size=5)
bodies = st.binary(max_size=60)
targets = st.builds(
    lambda path, query: b"/" + path + query, _bytes(_PATH, 0, 20), st.sampled_from((b"", b"?", b"?a=b&c=%20", b"?x?/"))
)
methods = st.sampled_from((b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"QUERY", b"PROPFIND"))


def lines(pairs: Pairs) -> bytes:
    """Fields as they are written."""
    return b"".join(b"%b: %b\r\n" % pair for pair in pairs)


@st.composite
def chunked(draw: st.DrawFn, body: bytes, trailers: Pairs) -> bytes:
    """A body in chunks of any size, some with extensions."""
    out = b""
    while body:
        size = draw(st.integers(1, len(body)))
        extension = draw(st.sampled_from((b"", b";a", b";a=b", b';a="b c"')))
        out += b"%x%b\r\n%b\r\n" % (size, extension, body[:size])
        body = body[size:]
    return out + b"0\r\n" + lines(trailers) + b"\r\n"


@st.composite
def framed(draw: st.DrawFn, bodiless: bool = False) -> tuple[Pairs, bytes, bytes, Pairs]:
    """The framing fields of a message, its body as sent, its body, and its trailers."""
    kind = "none" if bodiless else draw(st.sampled_from(("none", "length", "chunked")))
    body = b"" if kind == "none" else draw(bodies)
    if kind == "length":
        return [(b"Content-Length", b"%d" % len(body))], body, body, []
    if kind == "chunked":
        trailers = draw(plain_fields)
        return [(b"Transfer-Encoding", b"chunked")], draw(chunked(body, trailers)), body, trailers
    return [], b"", b"", []


@st.composite
def requests(draw: st.DrawFn) -> Wire:
    """A well-formed request."""
    start = draw(methods), draw(targets)
    framing, sent, body, trailers = draw(framed())
    fields = draw(plain_fields)
    head = [(b"Host", b"example.com"), *fields, *framing]
    return Wire(b"%b %b HTTP/1.1\r\n%b\r\n%b" % (*start, lines(head), sent), start, fields, body, trailers)


@st.composite
def responses(draw: st.DrawFn) -> Wire:
    """A well-formed final answer whose end its framing tells."""
    status = draw(st.sampled_from((200, 201, 204, 206, 301, 304, 404, 500, 599)))
    start = b"%d" % status, draw(st.sampled_from((b"OK", b"", b"Not at all", b"\xe9")))
    bodiless = status in (204, 304)
    framing, sent, body, trailers = draw(framed(bodiless))
    if not framing and not bodiless:
        framing = [(b"Content-Length", b"0")]
    fields = draw(plain_fields)
    head = lines([*fields, *framing])
    return Wire(b"HTTP/1.1 %b %b\r\n%b\r\n%b" % (*start, head, sent), start, fields, body, trailers)


@st.composite
def cuts(draw: st.DrawFn, size: int) -> list[int]:
    """Where to cut so many bytes into pieces."""
    if not size:
        return []
    return sorted(draw(st.sets(st.integers(0, size), max_size=8)) | (draw(st.sampled_from((set(), set(range(size)))))))


def pieces(data: bytes, at: list[int]) -> list[bytes]:
    """The bytes, cut."""
    edges = [0, *at, len(data)]
    return [data[start:end] for start, end in pairwise(edges) if end > start]


_NASTY = (
    b"\r", b"\n", b"\r\n", b" ", b"\t", b":", b"\x00", b"\x0b", b"\x7f", b"\xa0", b",", b";", b"chunked", b"0", b"a",
    b"+1", b"-1", b"Content-Length: 3\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: identity\r\n", b"Transfer-Encoding : chunked\r\n", b"Host: b\r\n", b" X: y\r\n",
    b"Connection: close\r\n", b"HTTP/1.0", b"HTTP/1.1", b"HTTP/0.9", b"?", b"#", b"http://", b"%", b"0x", b"\"",
)  # fmt: skip


@st.composite
def spoiled(draw: st.DrawFn, well_formed: st.SearchStrategy[Wire]) -> bytes:
    """A message with a few bytes added, taken away or replaced."""
    data = draw(well_formed).data
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        gone = draw(st.integers(0, 3))
        data = data[:at] + draw(st.sampled_from(_NASTY)) * draw(st.integers(0, 2)) + data[at + gone :]
    return data


class Reading(NamedTuple):
    """What a reader made of one message, in a form that two readers can be compared by."""

    start: tuple[bytes, bytes, bytes]
    fields: Pairs
    body: bytes
    trailers: Pairs


def _pairs(headers: object) -> Pairs:
    return [(bytes(name), bytes(value)) for name, value in headers]  # type: ignore[attr-defined]  # h11 has no type for it


def _gather(connection: h11.Connection, data: bytes, at_end: bool) -> Reading | None:
    connection.receive_data(data)
    if at_end:
        connection.receive_data(b"")
    start: tuple[bytes, bytes, bytes] | None = None
    fields: Pairs = []
    body = b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA or event is h11.PAUSED:
            return None
        if isinstance(event, h11.Request):
            start, fields = (event.method, event.target, event.http_version), _pairs(event.headers)
        elif isinstance(event, h11.Response):
            start = b"%d" % event.status_code, event.reason, event.http_version
            fields = _pairs(event.headers)
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage) and start is not None:
            return Reading(start, fields, body, _pairs(event.headers))
        elif not isinstance(event, h11.InformationalResponse):
            return None


def h11_request(data: bytes) -> Reading | None:
    """The first request in some bytes as h11 reads it; None where it is incomplete. Raises RemoteProtocolError."""
    return _gather(h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20), data, at_end=False)


def h11_response(data: bytes, method: bytes = b"GET", at_end: bool = False) -> Reading | None:
    """The first final answer in some bytes, as `h11_request`. `at_end`: the connection ends with them."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    connection.send(h11.Request(method=method, target=b"/", headers=[(b"Host", b"a")]))
    connection.send(h11.EndOfMessage())
    return _gather(connection, data, at_end)


def unordered(pairs: Pairs) -> Pairs:
    """All fields of a head in one order: `Host` and `Content-Length` may be told at another place than they had."""
    return sorted(as_h11(pairs))


def as_h11(pairs: Pairs) -> Pairs:
    """Fields in the way h11 tells them."""
    return [(name.lower(), value.strip(b" \t")) for name, value in pairs]
