"""What services have been seen to answer, or could, that two readers take for two things: a table by name.

`POISON` is an answer that nobody asked for; whoever gets it instead of the own one has been betrayed.
"""

from __future__ import annotations

from typing import NamedTuple

from tests.smuggling.requests import (
    CHUNKS,
    CODINGS,
    EXTENSIONS,
    FIELDS,
    LENGTH_NAMES,
    LENGTHS,
    NO_CHUNKS,
    PIECES,
    TRAILERS,
)

POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
OK = b"HTTP/1.1 200 OK"


class Lie(NamedTuple):
    """What a service does with a request: it answers `now`, sends `later` when that was taken, and `next` before it
    answers the following request on the same connection. `closes`: it closes after `now`."""

    now: bytes
    method: bytes = b"GET"
    later: bytes = b""
    next: bytes = b""
    closes: bool = False


def answer(fields: bytes = b"", body: bytes = b"", first: bytes = OK) -> bytes:
    """An answer with what it is given."""
    return b"%b\r\n%b\r\n%b" % (first, fields, body)


def sized(body: bytes = b"honest", first: bytes = OK) -> bytes:
    """An answer with the length of its body."""
    return answer(b"Content-Length: %d\r\n" % len(body), body, first)


Family = dict[str, Lie]

_FIRST = (
    b"HTTP/1.1 200 OK", b"HTTP/1.1 200", b"HTTP/1.1 200 ", b"HTTP/1.1 200  OK", b"HTTP/1.1  200 OK",
    b"HTTP/1.1\t200 OK", b"HTTP/1.1 200\tOK", b"HTTP/1.1 200 \xff", b"HTTP/1.1 200 O\0K", b"HTTP/1.1 200 O\rK",
    b"HTTP/1.1 200 O\x0bK", b"HTTP/1.1 200 O\nX: y", b"HTTP/1.1 200 OK\r", b"HTTP/1.1 200 OK\n", b"HTTP/1.1 20 OK",
    b"HTTP/1.1 2000 OK", b"HTTP/1.1 0200 OK", b"HTTP/1.1 +200 OK", b"HTTP/1.1 -200 OK", b"HTTP/1.1 2O0 OK",
    b"HTTP/1.1 200OK", b"HTTP/1.1 OK", b"HTTP/1.1", b"HTTP/1.1 ", b"HTTP/1.0 200 OK", b"HTTP/0.9 200 OK",
    b"HTTP/1.2 200 OK", b"HTTP/2 200", b"HTTP/2.0 200 OK", b"HTTP/1 200 OK", b"HTTP/11 200 OK", b"HTTP/1.10 200 OK",
    b"http/1.1 200 OK", b"HTTPS/1.1 200 OK", b"RTSP/1.0 200 OK", b"ICE/1.0 200 OK", b"ICY 200 OK", b"XTTP/1.1 200 OK",
    b" HTTP/1.1 200 OK", b"\tHTTP/1.1 200 OK", b"\r\nHTTP/1.1 200 OK", b"\nHTTP/1.1 200 OK", b"\0HTTP/1.1 200 OK",
    b"garbage", b"", b"GET / HTTP/1.1", b"HTTP/1.1 000 No", b"HTTP/1.1 099 No", b"HTTP/1.1 600 Odd",
    b"HTTP/1.1 999 Odd", b"HTTP/1.1 200 OK\r\n folded", b"HTTP/1.1 200 " + b"x" * 1000, b"HTTP/1.1 205 Reset",
    b"HTTP/1.1 206 Part", b"HTTP/1.1 226 IM", b"HTTP/1.1 206 Part\r\nContent-Range: bytes 0-5/100",
    b"HTTP/1.1 301 Moved", b"HTTP/1.1 401 No", b"HTTP/1.1 407 No", b"HTTP/1.1 408 Late", b"HTTP/1.1 417 No",
    b"HTTP/1.1 421 No", b"HTTP/1.1 500 No", b"HTTP/1.1 503 No",
)  # fmt: skip
"""Status lines, right and wrong."""

_BODILESS = (
    b"204 No Content",
    b"304 Not Modified",
    b"100 Continue",
    b"101 Switching",
    b"102 Wait",
    b"103 Hints",
    b"199 Odd",
)


_ANNOUNCING = {
    "": b"",
    "with a length": b"Content-Length: %d\r\n" % len(POISON),
    "in chunks": PIECES,
    "with no length": b"Content-Length: 0\r\n",
    "with both": PIECES + b"Content-Length: 6\r\n",
}


def _framings() -> Family:
    lies = {}
    for line in CODINGS:
        name = repr(line)[2:-1]
        lies[f"TE and CL {name}"] = Lie(
            answer(line + b"\r\nContent-Length: %d\r\n" % len(NO_CHUNKS + POISON), NO_CHUNKS + POISON)
        )
        lies[f"CL and TE {name}"] = Lie(answer(b"Content-Length: 6\r\n" + line + b"\r\n", b"honest" + POISON))
        lies[f"TE alone {name}"] = Lie(answer(line + b"\r\n", NO_CHUNKS))
        lies[f"TE until the end {name}"] = Lie(answer(line + b"\r\n", NO_CHUNKS + POISON), closes=True)
        lies[f"TE on 1.0 {name}"] = Lie(answer(line + b"\r\nConnection: keep-alive\r\n", NO_CHUNKS, b"HTTP/1.0 200 OK"))
    for value in LENGTHS:
        name = repr(value)[2:-1]
        lies[f"CL {name}"] = Lie(answer(b"Content-Length: " + value + b"\r\n", b"abcde"))
        lies[f"CL and more {name}"] = Lie(answer(b"content-length:" + value + b"\r\n", b"abcde" + POISON))
        lies[f"CL until the end {name}"] = Lie(answer(b"Content-Length: " + value + b"\r\n", b"abcde"), closes=True)
    for value in LENGTH_NAMES:
        lies[f"name {value!r}"] = Lie(answer(value + b" 0\r\nContent-Length: 6\r\n", b"honest"))
        lies[f"name alone {value!r}"] = Lie(answer(value + b" 6\r\n", b"honest" + POISON), closes=True)
    return lies


def _chunks() -> Family:
    lies = {}
    for body in CHUNKS:
        lies[f"chunks {body!r}"] = Lie(answer(PIECES, body))
        lies[f"chunks and more {body!r}"] = Lie(answer(PIECES, body + POISON))
        lies[f"chunks and the end {body!r}"] = Lie(answer(PIECES, body), closes=True)
    for extension in EXTENSIONS:
        lies[f"EXT {extension[:60]!r}"] = Lie(
            answer(PIECES, b"5" + extension + b"\r\nabcde\r\n0" + extension + b"\r\n\r\n")
        )
        lies[f"EXT hides {extension[:60]!r}"] = Lie(answer(PIECES, b"2" + extension + b"\r\nxx\r\n0\r\n\r\n" + POISON))
    for lines in TRAILERS:
        lies[f"trailer {lines[:60]!r}"] = Lie(answer(PIECES, b"5\r\nabcde\r\n0\r\n" + lines + b"\r\n"))
        lies[f"trailer and more {lines[:60]!r}"] = Lie(
            answer(PIECES, b"5\r\nabcde\r\n0\r\n" + lines + b"\r\n" + POISON)
        )
    return lies


def _heads() -> Family:
    lies = {}
    for first in _FIRST:
        lies[f"first {first[:60]!r}"] = Lie(sized(first=first))
        lies[f"first and the end {first[:60]!r}"] = Lie(answer(b"", b"honest", first), closes=True)
    for line in FIELDS:
        lies[f"field {line[:60]!r}"] = Lie(answer(line + b"\r\nContent-Length: 6\r\n", b"honest"))
        lies[f"field last {line[:60]!r}"] = Lie(answer(b"Content-Length: 6\r\n" + line + b"\r\n", b"honest"))
        lies[f"field and chunks {line[:60]!r}"] = Lie(answer(PIECES + line + b"\r\n", b"5\r\nabcde\r\n0\r\n\r\n"))
    return lies | {
        "a head that never ends": Lie(OK + b"\r\n" + b"A: b\r\n" * 50_000),
        "a field that never ends": Lie(OK + b"\r\nA: " + b"b" * 300_000),
        "a name that never ends": Lie(OK + b"\r\n" + b"A" * 300_000),
        "a reason that never ends": Lie(OK + b"x" * 300_000),
        "300 fields": Lie(answer(b"A: b\r\n" * 300 + b"Content-Length: 6\r\n", b"honest")),
        "line feeds": Lie(b"HTTP/1.1 200 OK\nContent-Length: 6\n\nhonest"),
        "an empty line of a line feed": Lie(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\nhonest"),
        "an empty line of a carriage return": Lie(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\rhonest"),
        "HTTP/0.9": Lie(b"<html>honest</html>", closes=True),
        "nothing": Lie(b"", closes=True),
        "half a head": Lie(b"HTTP/1.1 200 OK\r\nContent-Le", closes=True),
        "half a body": Lie(answer(b"Content-Length: 60\r\n", b"honest"), closes=True),
        "half a body in chunks": Lie(answer(PIECES, b"5\r\nab"), closes=True),
        "set cookies, and split":
            Lie(answer(b"Set-Cookie: a=b\r\nSet-Cookie: c\rX: y\r\nContent-Length: 6\r\n", b"honest")),
        "forged request id": Lie(answer(b"X-Request-Id: forged\r\nContent-Length: 6\r\n", b"honest")),
        "1.0 that stays":
            Lie(answer(b"Connection: keep-alive\r\nContent-Length: 6\r\n", b"honest", b"HTTP/1.0 200 OK")),
        "1.0 that stays, and more":
            Lie(answer(b"Connection: keep-alive\r\nContent-Length: 6\r\n", b"honest" + POISON, b"HTTP/1.0 200 OK")),
        "1.0 without a length that stays": Lie(answer(b"Connection: keep-alive\r\n", b"honest", b"HTTP/1.0 200 OK")),
        "without a length": Lie(answer(b"", b"honest"), closes=True),
        "without a length, and another": Lie(answer(b"", b"honest" + POISON), closes=True),
        "last, and more": Lie(answer(b"Connection: close\r\nContent-Length: 6\r\n", b"honest" + POISON)),
    }  # fmt: skip


def _bodiless() -> Family:
    lies = {}
    for status in _BODILESS:
        first, name = b"HTTP/1.1 " + status, status.decode()
        for kind, fields in _ANNOUNCING.items():
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(POISON), POISON) if PIECES in fields else POISON
            lies[f"{name} {kind}, a body at once"] = Lie(answer(fields, body, first))
            lies[f"{name} {kind}, a body later"] = Lie(answer(fields, b"", first), later=body)
            lies[f"{name} {kind}, then an answer"] = Lie(answer(fields, b"", first) + sized())
            lies[f"{name} {kind}, then two"] = Lie(answer(fields, b"", first) + sized() + POISON)
            if fields and b" 0" not in fields and not status.startswith(b"1"):
                lies[f"{name} {kind}, a body with the next"] = Lie(answer(fields, b"", first), next=body)
        lies[f"{name} and the end"] = Lie(answer(b"", b"", first), closes=True)
    return lies | {
        "HEAD, a body at once": Lie(sized(POISON), b"HEAD"),
        "HEAD, a body later": Lie(answer(b"Content-Length: 44\r\n"), b"HEAD", later=POISON),
        "HEAD, a body with the next": Lie(answer(b"Content-Length: 44\r\n"), b"HEAD", next=POISON),
        "HEAD in chunks, a body at once": Lie(answer(PIECES, b"2c\r\n" + POISON + b"\r\n0\r\n\r\n"), b"HEAD"),
        "HEAD in chunks, a body later": Lie(answer(PIECES), b"HEAD", later=b"2c\r\n" + POISON + b"\r\n0\r\n\r\n"),
        "HEAD in chunks, a body with the next": Lie(answer(PIECES), b"HEAD", next=POISON),
        "HEAD without a length, a body later": Lie(answer(), b"HEAD", later=POISON),
        "HEAD without a length, a body with the next": Lie(answer(), b"HEAD", next=POISON),
        "HEAD, a 304 with a length":
            Lie(answer(b"Content-Length: 44\r\n", first=b"HTTP/1.1 304 No"), b"HEAD", next=POISON),
        "HEAD and an interim answer": Lie(b"HTTP/1.1 103 Hints\r\n\r\n" + sized(POISON), b"HEAD"),
        "HEAD and two lengths": Lie(answer(b"Content-Length: 44\r\nContent-Length: 45\r\n"), b"HEAD", next=POISON),
    }  # fmt: skip


def _excess() -> Family:
    wait = b"HTTP/1.1 102 Wait\r\n\r\n"
    lies = {
        "two answers": Lie(sized() + POISON),
        "two answers, in chunks": Lie(answer(PIECES, b"6\r\nhonest\r\n0\r\n\r\n" + POISON)),
        "an answer later": Lie(sized(), later=POISON),
        "an answer in chunks, another later": Lie(answer(PIECES, b"6\r\nhonest\r\n0\r\n\r\n"), later=POISON),
        "half an answer later": Lie(sized(), later=POISON[:9]),
        "a byte later": Lie(sized(), later=b"\0"),
        "a timeout later":
            Lie(sized(), later=b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
        "an interim answer later": Lie(sized(), later=wait),
        "an interim answer too much": Lie(sized() + wait),
        "empty lines too much": Lie(sized() + b"\r\n\r\n"),
        "a body too long": Lie(answer(b"Content-Length: 6\r\n", b"honest, and more")),
        "an error and more": Lie(sized(first=b"HTTP/1.1 500 No") + POISON),
        "an answer to POST and more": Lie(sized() + POISON, b"POST"),
        "an early answer": Lie(sized(), b"POST"),
        "an early answer, another later": Lie(sized(), b"POST", later=POISON),
        "a flood of interim answers": Lie(wait * 400 + sized()),
        "a flood of hints": Lie(b"HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n" * 400 + sized()),
        "a flood of continues": Lie(b"HTTP/1.1 100 Continue\r\n\r\n" * 400 + sized()),
        "a continue, unasked": Lie(b"HTTP/1.1 100 Continue\r\n\r\n" + sized()),
        "a large interim answer": Lie(b"HTTP/1.1 103 Hints\r\nLink: " + b"x" * 200_000 + b"\r\n\r\n" + sized()),
        "interim answers and a bad one": Lie(wait * 3 + b"HTTP/1.1 103 Hints\r\nX : y\r\n\r\n" + sized()),
        "a protocol switch": Lie(b"HTTP/1.1 101 Switch\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + POISON),
        "a protocol switch to h2c": Lie(b"HTTP/1.1 101 Switch\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n\0\0\0\4"),
    }  # fmt: skip
    for status in (b"100", b"102", b"103"):
        for line in (
            b"Content-Length: 0",
            b"Content-Length: 6",
            b"Transfer-Encoding: chunked",
            b"X: y\rz",
            b"X: y\0",
            b"X: y\r\n z",
            b"X-Request-Id: forged",
            b"Connection: close",
        ):
            lies[f"{status.decode()} with {line!r}"] = Lie(
                b"HTTP/1.1 " + status + b" Interim\r\n" + line + b"\r\n\r\n" + sized()
            )
    return lies


CATEGORIES: dict[str, Family] = {
    "framing of answers": _framings(), "chunks of answers": _chunks(), "heads of answers": _heads(),
    "answers without a body": _bodiless(),
    "more than was asked for": _excess(),
}  # fmt: skip
"""All lies, by what they are about."""

HONEST: Family = {
    "an answer": Lie(sized()),
    "an answer in chunks": Lie(answer(PIECES, b"6\r\nhonest\r\n0\r\n\r\n")),
    "204": Lie(answer(first=b"HTTP/1.1 204 No Content")),
    "304": Lie(answer(b'ETag: "a"\r\n', first=b"HTTP/1.1 304 Not Modified")),
    "HEAD of nothing": Lie(answer(b"Content-Length: 0\r\n"), b"HEAD"),
    "HEAD and 404 of nothing": Lie(answer(b"Content-Length: 0\r\n", first=b"HTTP/1.1 404 No"), b"HEAD"),
    "HEAD and 304": Lie(answer(first=b"HTTP/1.1 304 Not Modified"), b"HEAD"),
    "an interim answer first": Lie(b"HTTP/1.1 103 Hints\r\n\r\n" + sized()),
    "an error": Lie(sized(first=b"HTTP/1.1 500 No")),
}
"""No lies: after these the connection is used again."""
