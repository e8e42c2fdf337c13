"""The `Date` field (RFC 9110 §6.6.1), formatted once a second."""

from __future__ import annotations

import re
from email.utils import formatdate

_second = -1
_date = b""


def current_date(now: float) -> bytes:
    """The present date; `now` is the monotonic clock, which only tells when to look at the wall again."""
    global _second, _date  # noqa: PLW0603  # one value for the whole process
    second = int(now)
    if second != _second:
        _second = second
        _date = formatdate(usegmt=True).encode()
    return _date


def with_date(lines: bytes, now: float) -> bytes:
    """Field lines with a date: their own, or the present one at the end."""
    if b"\nDate: " in lines or _DATE.search(lines) is not None:
        return lines
    return b"%bDate: %b\r\n" % (lines, current_date(now))


_DATE = re.compile(rb"(?:\A|\n)date:", re.IGNORECASE)
