"""The `Date` field (RFC 9110 §6.6.1), formatted once a second."""

from __future__ import annotations

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


def with_date(fields: list[tuple[bytes, bytes]], now: float) -> list[tuple[bytes, bytes]]:
    """The same list; a date is added where it has none."""
    for name, _ in fields:
        if len(name) == 4 and name.lower() == b"date":
            return fields
    fields.append((b"Date", current_date(now)))
    return fields
