"""Heads of requests as values: the fields sorted into what is passed on and what concerns this hop only."""

from __future__ import annotations

CHUNKED = -1
"""The `length` of a body whose end its own framing tells (RFC 9112 §7.1)."""


class RequestHead:
    """The head of one request.

    `target` is as received, `path` and `query` (None where there is no "?") its raw parts, `minor` the digit after
    "HTTP/1.". `fields` is all that came, `plain` those of it that a proxy passes on unchanged, `special` the others by
    lower-case name, repeated ones joined by ", ". `length` is the body's: 0 none, above 0 known, `CHUNKED`.
    """

    __slots__ = ("method", "target", "path", "query", "minor", "fields", "plain", "special", "length", "keep_alive")

    def __init__(
        self,
        method: bytes,
        target: bytes,
        minor: int,
        fields: list[tuple[bytes, bytes]],
        plain: list[tuple[bytes, bytes]],
        special: dict[bytes, bytes],
    ) -> None:
        self.method = method
        self.target = target
        self.path, mark, query = target.partition(b"?")
        self.query = query if mark else None
        self.minor = minor
        self.fields = fields
        self.plain = plain
        self.special = special
        self.length = 0
        self.keep_alive = minor == 1

    def get(self, name: bytes) -> bytes | None:
        """The first value of a field; `name` in lower case."""
        for key, value in self.fields:
            if key.lower() == name:
                return value.strip()
        return None


class ResponseHead:
    """The head of one answer, for policies to change. `length` is that of the body, None where it is not known."""

    __slots__ = ("status", "reason", "fields", "length")

    def __init__(self, status: int, reason: bytes, fields: list[tuple[bytes, bytes]], length: int | None) -> None:
        self.status = status
        self.reason = reason
        self.fields = fields
        self.length = length
