"""Paths that every parser reads alike: what a route is matched on, and what is too ambiguous to be routed.

A path is matched after one percent-decoding (RFC 3986 §6.2.2.2) with runs of slashes folded, so that no spelling
reaches another route than the plain one would; it is forwarded as it came.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote_to_bytes

_UNUSUAL = re.compile(rb"[%\\\x00-\x20\x7f-\xff]|/\.|//")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_OVERLONG = re.compile(rb"[\xc0\xc1][\x80-\xbf]|\xe0[\x80-\x9f][\x80-\xbf]|\xf0[\x80-\x8f][\x80-\xbf]{2}")
_DOT_SEGMENT = re.compile(rb"(?:^|[/\\])\.{1,2}(?:[/\\;]|$)")
_ENCODED_SLASH = re.compile(rb"%2f", re.IGNORECASE)
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_SLASHES = re.compile(rb"//+")
_ANY_SLASHES = re.compile(rb"(?:/|%2[Ff])*")
_PARAMETERS = re.compile(rb";[^/]*")

CONTROL = "control"
"""Never allowed: control bytes, percent signs that escape nothing, and overlong UTF-8 (RFC 3629 §10)."""

PARAMETERS = "path-parameters"
"""Parameters of segments (RFC 3986 §3.3) that hide the prefix of another route; `read_path` knows no routes."""

SEMICOLON = ord(";")
"""What parameters begin with. As a number: to look for bytes in bytes costs CPython ten times as much."""


def read_path(path: bytes) -> tuple[bytes, frozenset[str]]:
    """The path to match routes on, and in which ways it is ambiguous.

    The ways are `control`, and those that a route can allow: `dot-segments`, `encoded-slash`, `backslash`.
    """
    if _UNUSUAL.search(path) is None:
        return path, _NONE
    decoded = unquote_to_bytes(path)
    ways = {
        way
        for way, found in (
            (CONTROL, _CONTROL.search(decoded) or _BAD_ESCAPE.search(path) or _OVERLONG.search(decoded)),
            ("dot-segments", _DOT_SEGMENT.search(decoded)),
            ("encoded-slash", _ENCODED_SLASH.search(path)),
            ("backslash", b"\\" in decoded),
        )
        if found
    }
    return _SLASHES.sub(b"/", decoded), frozenset(ways)


_NONE: frozenset[str] = frozenset()


def without_parameters(path: bytes) -> bytes:
    """What a service that drops path parameters (`;…` up to the next slash) makes of a path that `read_path` read."""
    return _SLASHES.sub(b"/", _PARAMETERS.sub(b"", path))


def without_prefix(target: bytes, prefix: bytes) -> bytes:
    """A request target without the prefix on which its path was matched, however the target spells that.

    `prefix` is decoded and does not end in a slash. What is left begins with just one: a target that begins with two is
    the name of another host to some (RFC 3986 §4.2).
    """
    if target.startswith(prefix) and b"%" not in prefix:
        rest = target[len(prefix) :]
    else:
        match = _spellings(prefix).match(target)
        rest = target[match.end() :] if match else target
    # The expression matches everywhere, if only nothing.
    return b"/" + _ANY_SLASHES.sub(b"", rest, 1)


@lru_cache(1024)
def _spellings(prefix: bytes) -> re.Pattern[bytes]:
    """All that `read_path` makes this prefix of."""
    return re.compile(b"".join(map(_spelling, prefix)))


def _spelling(byte: int) -> bytes:
    if byte == ord("/"):
        return rb"(?:/|%2[Ff])++"
    return b"(?:(?i:%%%02x)|%b)" % (byte, re.escape(bytes((byte,))))
