"""Field lines: the fields of a head as they stand on the wire, each ended by CRLF; and as pairs, to look into.

Most fields only pass through a gateway. As one piece of bytes they do so without being taken apart and put together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_FIELD = re.compile(rb"(?m)^([^:\r\n]++):[ \t]*+([^\r\n]*+)\r\n")


def split_lines(lines: bytes) -> list[tuple[bytes, bytes]]:
    """Field lines as (name, value) pairs, in order."""
    return _FIELD.findall(lines)


def join_lines(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Pairs as field lines."""
    joined = b"\r\n".join(map(b": ".join, fields))
    return joined + b"\r\n" if joined else b""


def lines_named(names: Iterable[bytes]) -> re.Pattern[bytes]:
    """What matches each field line of one of these names, in any case; good for `sub(b"", lines)`."""
    return re.compile(rb"(?mi)^(?:" + b"|".join(map(re.escape, names)) + rb"):[^\n]*\n")


def lines_spelled(names: Iterable[bytes]) -> re.Pattern[bytes]:
    """As `lines_named`, also with underscores for dashes: services that see CGI variables can't tell them apart."""
    spelled = (b"[-_]".join(map(re.escape, re.split(rb"[-_]", name))) for name in names)
    return re.compile(rb"(?mi)^(?:" + b"|".join(spelled) + rb")[ \t]*:[^\n]*\n")


def find_value(lines: bytes, name: bytes) -> bytes | None:
    """The first value of a field, without the whitespace around it; None where it is not there."""
    name, lowered = name.lower(), lines.lower()
    at = 0 if lowered.startswith(name + b":") else lowered.find(b"\n%b:" % name) + 1 or -1
    if at < 0:
        return None
    start = at + len(name) + 1
    return lines[start : lines.find(b"\r", start)].strip(b" \t")
