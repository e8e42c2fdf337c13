"""What a fuzz target is, and what the targets share: taking an input apart, and noticing what was only logged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any
from zlib import crc32

from twisted.logger import ILogObserver, globalLogPublisher
from zope.interface import provider


@dataclass(frozen=True)
class Target:
    """`check` raises where a promise is broken. `tokens` are pieces that mean something to what is tested.

    `most` bounds inputs, in bytes; `short_runs` is how many mutated inputs the tests try.
    """

    check: Callable[[bytes], None]
    tokens: tuple[bytes, ...]
    most: int = 4096
    short_runs: int = 500


def parts(data: bytes) -> tuple[bytes, bytes]:
    """The first line of an input, which says what is done with the rest; and the rest."""
    script, _, rest = data.partition(b"\n")
    return script, rest


def split(data: bytes) -> list[bytes]:
    """The bytes in pieces, at places that depend on nothing but them."""
    random = Random(crc32(data))
    most = random.choice((1, 2, 7, 40, 400, 4000))
    pieces = []
    while data:
        size = random.randint(1, most)
        pieces.append(data[:size])
        data = data[size:]
    return pieces


@contextmanager
def nothing_logged_as_failed() -> Iterator[None]:
    """Raise afterwards where a traceback went to the log."""
    failures: list[Any] = []

    @provider(ILogObserver)
    def look(event: dict[str, Any]) -> None:
        if "log_failure" in event:
            failures.append(event["log_failure"])

    globalLogPublisher.addObserver(look)
    try:
        yield
    finally:
        globalLogPublisher.removeObserver(look)
    if failures:
        raise AssertionError(f"a failure was logged: {failures[0].getTraceback()}")
