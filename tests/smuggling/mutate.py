"""Attacks nobody has thought of yet: those of the tables, joined, changed and cut by chance."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from random import Random

from tests.smuggling import requests, responses
from tests.smuggling.responses import Lie

NOISE = (
    b"\r", b"\n", b"\r\n", b"\r\n\r\n", b" ", b"\t", b":", b"\0", b"\x0b", b"\x7f", b"\x80", b"\xff", b",", b";",
    b"\"", b"0", b"1", b"5", b"a", b"+", b"-", b"_", b"/", b"?", b"#", b"%", b"\\", b"HTTP/1.1", b"HTTP/1.0", b"GET ",
    b"POST ", b"chunked", b"close", b"keep-alive",
)  # fmt: skip
"""What is put where it does not belong."""

LINES = (
    *requests.CODINGS, *requests.FIELDS, *(b"Content-Length: " + value for value in requests.LENGTHS),
    *(name + b" 5" for name in requests.LENGTH_NAMES),
)  # fmt: skip

_STREAMS = {name: tuple(family.values()) for name, family in requests.CATEGORIES.items()}
_LIES = {name: tuple(family.values()) for name, family in responses.CATEGORIES.items()}
_LARGE = 3000


def _noisy(random: Random, data: bytes) -> bytes:
    """Some bytes taken away, added or repeated, or a line more."""
    for _ in range(random.choice((0, 0, 1, 1, 2, 3))):
        kind = random.random()
        at = random.randint(0, len(data))
        if kind < 0.5:
            data = data[:at] + random.choice(NOISE) + data[at + random.randint(0, 2) :]
        elif kind < 0.8:
            at = data.find(b"\r\n", random.randint(0, len(data)))
            data = data if at < 0 else data[: at + 2] + random.choice(LINES) + b"\r\n" + data[at + 2 :]
        elif kind < 0.9:
            data = data[:at] + data[at + random.randint(1, 40) :]
        else:
            data = data[:at] + data[random.randint(0, len(data)) :]
    return data


def pieces(random: Random, data: bytes) -> Sequence[bytes]:
    """Some bytes as they may arrive: at once, in a few pieces, or nearly each by itself."""
    most = random.choice((0, 0, 1, 3, 10, 60))
    edges = sorted({0, len(data), *(random.randint(0, len(data)) for _ in range(min(most, len(data))))})
    return [data[start:end] for start, end in pairwise(edges)]


def stream(random: Random) -> tuple[str, bytes]:
    """What a client may send on one connection, and which part of the table it comes from."""
    category = random.choice(list(_STREAMS))
    parts = [random.choice(_STREAMS[category])]
    while random.random() < 0.4:
        parts.insert(random.randint(0, len(parts)), random.choice(_STREAMS[random.choice(list(_STREAMS))]))
    return category, b"".join(_noisy(random, part) for part in parts if len(part) < _LARGE)


def lie(random: Random) -> tuple[str, Lie]:
    """What a service may answer, and which part of the table it comes from."""
    category = random.choice(list(_LIES))
    told = random.choice(_LIES[category])
    while len(told.now) > _LARGE:
        told = random.choice(_LIES[category])
    closes = told.closes if random.random() < 0.8 else not told.closes
    method = told.method if random.random() < 0.8 else random.choice((b"GET", b"HEAD", b"POST"))
    return category, Lie(_noisy(random, told.now), method, told.later, told.next, closes)
