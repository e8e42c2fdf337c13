"""Bytes near the grammar of HTTP: heads that are ordinary, nearly ordinary, or made to be read in two ways."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hypothesis import strategies as st

from tests.http.messages import cuts, pieces

Answers = Sequence[tuple[bool, list[bytes]]]
"""For each answer of a connection: whether HEAD asked for it, and the segments that it arrives in."""

HEEDED = (
    b"Host", b"Content-Length", b"Transfer-Encoding", b"Connection", b"Keep-Alive", b"Proxy-Connection",
    b"Proxy-Authenticate", b"Proxy-Authorization", b"TE", b"Upgrade", b"Forwarded", b"X-Forwarded-For",
    b"X-Forwarded-Proto", b"X-Forwarded-Host", b"X-Forwarded-Port", b"X-Request-Id", b"Via", b"X-Real-IP", b"Expect",
    b"X-Original-URL", b"X-Rewrite-URL",
)  # fmt: skip
"""Every name that decides about something."""

_PLAIN = (b"A", b"User-Agent", b"Cookie", b"Accept", b"Set-Cookie", b"Date", b"C", b"T", b"x", b"!#$%&'*+-.^`|~09")


def almost(name: bytes) -> list[bytes]:
    """Names that only look like this one."""
    return [
        b"X-" + name, b"X" + name, name + b"s", name + b"-X", name[1:], name[:-1], name.replace(b"-", b"_"),
        name.replace(b"-", b""), b" " + name, name + b" ", name + b"\t", b"\t" + name, name + b"\0", b"\0" + name,
        name + b"\r", b"\xef\xbb\xbf" + name, name.replace(b"-", b"\xad"), name.replace(b"n", b"\xf1"), name + b":",
    ]  # fmt: skip


_NAMES = (*HEEDED * 5, *_PLAIN * 12, *(close for name in HEEDED for close in almost(name)), b"", b"(", b"\xe9")
_SPELLINGS: tuple[Callable[[bytes], bytes], ...] = (bytes, bytes, bytes.lower, bytes.upper, bytes.swapcase, bytes.title)
_COLONS = (
    *(b": ",) * 14,
    b":",
    b" : ",
    b":\t",
    b":  ",
    b": \t",
    b" :",
    b"\t: ",
    b" ",
    b"",
    b"::",
    b": :",
    b":\0",
    b":\r\n ",
)
_VALUES = (
    b"h", b"h:80", b"example.com", b"[::1]", b"h:", b"h/", b"u@h", b"h h", b"h\t", b"", b" ", b"\t",
    b"0", b"3", b"3", b"5", b"03", b"3 ", b"+3", b"-3", b"3,3", b"3, 3", b"0x3", b"3.0", b"3;", b"1_0", b"\xb3",
    b"9" * 14, b"9" * 15, b"9" * 16, b"18446744073709551616", b"0" * 20 + b"3",
    b"chunked", b"Chunked", b"chunked ", b"identity", b"gzip, chunked", b"chunked, chunked", b"xchunked",
    b"\x0bchunked",
    b"keep-alive", b"Keep-Alive", b"Keep-alive", b"KEEP-ALIVE", b"close", b"Close", b"keep-alive, close",
    b"keep-alive,",
    b"keep-alive, a", b"upgrade", b"Upgrade, keep-alive", b"h2c", b"websocket", b"timeout=5", b"host",
    b"content-length",
    b"100-continue", b"trailers", b"a", b"a b", b'"a: b"', b"Mozilla/5.0 (X11; Linux)", b"a=1; b=2", b"\xe9\xff\x80",
    b"a\0b", b"a\rb", b"a\nb", b"a\x7fb", b"a\x0bb", b"a\tb", b"\ta", b"  a", b"a \t", b"a\r", b"v" * 70, b"v" * 500,
    b"a\r\n b", b"a\r\n\tb", b"a\r\nContent-Length: 3", b"a\nContent-Length: 3", b"a\rContent-Length: 3",
    b"a\r\n Content-Length: 3", b"a\r\nTransfer-Encoding: chunked", b"a\r\n\r\nGET /b HTTP/1.1\r\nHost: h",
)  # fmt: skip
_ENDS = (
    *(b"\r\n",) * 20,
    b"\n",
    b"\r",
    b"\r\r\n",
    b"\n\r\n",
    b"\r\n ",
    b"\r\n\t",
    b" \r\n",
    b"\t\r\n",
    b"\0\r\n",
    b"",
    b"\n\n",
)

_fields = st.builds(
    lambda name, spelling, colon, value, end: spelling(name) + colon + value + end,
    *(st.sampled_from(choices) for choices in (_NAMES, _SPELLINGS, _COLONS, _VALUES, _ENDS)),
)
_usual = st.sampled_from((
    *(b"Accept: */*\r\n", b"user-agent: a (b; c:d)\r\n", b"Cookie: \xe9=1\r\n", b"X-A: b \t\r\n", b"X-A: \r\n",
    b"C:  d\r\n") * 6,
    *(b"Connection: keep-alive\r\n", b"Content-Length: 3\r\n", b"content-length: 5\r\n", b"Content-length: 0\r\n") * 3,
    b"connection: Keep-Alive\r\n", b"Keep-Alive: timeout=5\r\n", b"Connection: close\r\n",
    b"Transfer-Encoding: chunked\r\n",
))  # fmt: skip
_one = st.integers(0, 7).flatmap(lambda number: _usual if number else _fields)
_heads = st.lists(_one, max_size=5).map(b"".join)
_blanks = st.sampled_from((*(b"\r\n",) * 90, b"\n", b"", b"\r", b" \r\n", b"\r\n\r\n", b"\0"))
_bodies = st.sampled_from((
    b"", b"", b"", b"abc", b"abc", b"abcde", b"abc\r\n", b"0\r\n\r\n", b"3\r\nabc\r\n0\r\n\r\n",
    b"3\r\nabc\r\n0\r\nA: b\r\n\r\n",
    b"3;x\r\nabc\r\n0\r\n\r\n", b"GET /b HTTP/1.1\r\nHost: i\r\n\r\n", b"\r\n", b"\n", b"\0", b"5\r\nab",
    b"HTTP/1.1 200 OK\r\n\r\n",
))  # fmt: skip

_methods = st.sampled_from((
    *(b"GET", b"POST", b"PUT", b"HEAD") * 20, b"DELETE", b"OPTIONS", b"PATCH", b"get", b"QUERY", b"PRI", b"CONNECT",
    b"FOO", b"",
    b"TRACE", b"\r\nGET", b"\nGET", b" GET", b"GETT", b"PUT\0", b"SOURCE", b"M-SEARCH", b"\xefGET",
))  # fmt: skip
_targets = st.sampled_from((
    *(b"/", b"/a", b"/a?b=c", b"/a?b?c&%20", b"//", b"/a//b/../c;d=1", b"/!\"$%&'()*+,-.:;<=>@[\\]^_`{|}~") * 12,
    b"*", b"",
    b"a", b"/a#b", b"/\xe9", b"/\0", b"/\t", b"/\x7f", b"/a b", b"?a", b"http://h/a", b"HTTP://i", b"https://u@h/?x",
    b"h:80",
    b"/" + b"a" * 59, b"/" + b"a" * 60, b"/a\rb", b"/a\nb",
))  # fmt: skip
_spaces = st.sampled_from((*(b" ",) * 120, b"  ", b"\t", b"", b"\r", b" \t"))
_versions = st.sampled_from((
    *(b"HTTP/1.1",) * 120, b"HTTP/1.0", b"HTTP/1.0", b"HTTP/0.9", b"HTTP/1.2", b"HTTP/2.0", b"HTTP/1.10", b"http/1.1",
    b"HTTP/1,1",
    b"HTTP/1.1 ", b"", b"ICE/1.0", b"HTTP/11", b"HTTPS/1.1",
))  # fmt: skip
_first_ends = st.sampled_from((*(b"\r\n",) * 120, b"\n", b"\r", b"\r\r\n", b" \r\n", b"\r\n "))
_hosts = st.sampled_from(
    (*(b"Host: h\r\n", b"host: example.com:8000\r\n") * 15, b"", b"HOST: h\r\n", b"Host: \r\n", b"Host:h\r\n")
)
_requests = st.tuples(
    _methods, _spaces, _targets, _spaces, _versions, _first_ends, _hosts, _heads, _blanks, _bodies
).map(b"".join)  # fmt: skip

_statuses = st.sampled_from((
    *(b"200", b"404", b"500") * 20, b"204", b"304", b"205", b"100", b"103", b"101", b"099", b"600", b"999", b"20",
    b"2000",
    b"2x0", b"", b"+20", b" 200",
))  # fmt: skip
_reasons = st.sampled_from(
    (*(b" OK", b" ", b" Not Found") * 12, b"", b"  OK", b" \xe9", b" O\tK", b" O\0K", b" O\rK", b"\tOK", b" OK ")
)
_lengths = st.sampled_from(
    (
        *(b"Content-Length: 3\r\n",) * 4,
        b"Transfer-Encoding: chunked\r\n",
        b"content-length: 5\r\n",
        b"Content-Length: 0\r\n",
        b"",
    )
)
_answers = st.tuples(
    _versions, _spaces, _statuses, _reasons, _first_ends, _heads, _lengths, _heads, _blanks, _bodies
).map(b"".join)  # fmt: skip

_NOISE = (
    b"\r",
    b"\n",
    b"\r\n",
    b" ",
    b"\t",
    b":",
    b"\0",
    b"\x0b",
    b"\x7f",
    b"\x80",
    b"\xff",
    b",",
    b"_",
    b"-",
    b"0",
    b"a",
    b"H",
)


@st.composite
def _noisy(draw: st.DrawFn, well_formed: st.SearchStrategy[bytes]) -> bytes:
    """One of these, and more often than not as it is; else with some bytes taken away, added or repeated."""
    data = draw(well_formed)
    for _ in range(draw(st.sampled_from((0, 0, 0, 0, 0, 1, 2)))):
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(st.sampled_from(_NOISE)) + data[at + draw(st.integers(0, 2)) :]
    return data


@st.composite
def _segments(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """Some bytes as they may arrive: at once, in a few pieces, or each by itself."""
    return pieces(data, draw(cuts(len(data))) if draw(st.integers(0, 2)) == 0 else [])


@st.composite
def _again(draw: st.DrawFn, request: bytes) -> bytes:
    """The same with another request line, as clients do; mostly with nothing behind the head."""
    start = b"".join(draw(st.tuples(_methods, _spaces, _targets, _spaces, _versions, _first_ends)))
    rest = request.partition(b"\r\n")[2]
    return start + (rest[: rest.rfind(b"\r\n\r\n") + 4] if draw(st.integers(0, 3)) else rest)


@st.composite
def request_streams(draw: st.DrawFn) -> list[bytes]:
    """What clients may send on one connection, in the segments that it arrives in."""
    requests = draw(st.lists(_noisy(_requests), min_size=1, max_size=3))
    if draw(st.booleans()):
        requests.append(draw(_again(requests[-1])))
    if draw(st.booleans()):
        return draw(_segments(b"".join(requests)))
    return [segment for request in requests for segment in draw(_segments(request))]


@st.composite
def response_streams(draw: st.DrawFn) -> Answers:
    """What a service may answer on one connection."""
    answers = draw(st.lists(_noisy(_answers), min_size=1, max_size=3))
    return [(draw(st.sampled_from((False, False, False, True))), draw(_segments(answer))) for answer in answers]
