"""How services read a path: all that is published of it, in any order. Written anew here, to compare with."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote_to_bytes

Reading = Callable[[bytes], bytes]


def merge_slashes(path: bytes) -> bytes:
    """As nginx, and most that serve files."""
    return re.sub(rb"/+", b"/", path)


def drop_parameters(path: bytes) -> bytes:
    """As Tomcat, Jetty and Spring."""
    return b"/".join(segment.partition(b";")[0] for segment in path.split(b"/"))


def turn_backslashes(path: bytes) -> bytes:
    """As whatever runs on Windows, and readers of URLs that follow browsers."""
    return path.replace(b"\\", b"/")


def remove_dots(path: bytes) -> bytes:
    """RFC 3986 §5.2.4."""
    kept: list[bytes] = []
    segments = path.split(b"/")
    for at, segment in enumerate(segments):
        if segment == b".." and len(kept) > 1:
            kept.pop()
        elif segment not in (b".", b".."):
            kept.append(segment)
        if segment in (b".", b"..") and at == len(segments) - 1:
            kept.append(b"")
    return b"/".join(kept) or b"/"


READINGS: tuple[Reading, ...] = (merge_slashes, drop_parameters, turn_backslashes, remove_dots)


def all_readings(path: bytes) -> set[bytes]:
    """What services can make of a path on the wire: decoded once, then any of `READINGS`, in any order."""
    found: set[bytes] = set()
    new = {unquote_to_bytes(path)}
    while new:
        found |= new
        new = {read(one) for one in new for read in READINGS} - found
    return found
