"""Heads of requests and answers as values: the fields sorted into what is passed on and what concerns this hop only."""

from __future__ import annotations

from apigateway.http.fields import Fields
from apigateway.http.lines import find_value, join_lines, split_lines

CHUNKED = -1
"""The `length` of a body whose end its own framing tells (RFC 9112 §7.1)."""


class RequestHead:
    """The head of one request.

    `target` is as received, `path` and `query` (None where there is no "?") its raw parts, `minor` the digit after
    "HTTP/1.". `fields` is all that came, `plain` those of it that a proxy passes on unchanged, `lines` the same as
    field lines, `special` the others by lower-case name, repeated ones joined by ", ". `length` is the body's: 0 none,
    above 0 known, `CHUNKED`. `special` may be shared with other heads.

    A head is made of pairs or, with `fields` None, of lines; the other form is made when somebody asks for it.
    """

    __slots__ = (
        "method", "target", "path", "query", "minor", "special", "length", "keep_alive", "_fields", "_plain", "_lines",
    )  # fmt: skip

    def __init__(
        self,
        method: bytes,
        target: bytes,
        minor: int,
        fields: Fields | None,
        plain: Fields | None,
        special: dict[bytes, bytes],
        lines: bytes | None = None,
    ) -> None:
        self.method = method
        self.target = target
        self.path, mark, query = target.partition(b"?")
        self.query = query if mark else None
        self.minor = minor
        self.special = special
        self.length = 0
        self.keep_alive = minor == 1
        self._fields = fields
        self._plain = plain
        self._lines = lines

    @property
    def fields(self) -> Fields:
        """All fields that came."""
        if self._fields is None:
            self._fields = [*((name.title(), value) for name, value in self.special.items()), *self.plain]
        return self._fields

    @property
    def plain(self) -> Fields:
        """The fields that are passed on unchanged. To change them, assign a new list."""
        if self._plain is None:
            self._plain = split_lines(self._lines or b"")
        return self._plain

    @plain.setter
    def plain(self, fields: Fields) -> None:
        if self._fields is None:
            self._fields = self.fields  # what came stays what came
        self._plain = fields
        self._lines = None

    @property
    def lines(self) -> bytes:
        """`plain` as field lines."""
        if self._lines is None:
            self._lines = join_lines(self._plain or ())
        return self._lines

    def own(self, names: frozenset[bytes], fields: Fields) -> None:
        """Let `fields` be the only ones of these names, which are in lower case and with dashes.

        What came by them, also with underscores for dashes, nobody sees any more.
        """

        def without(some: Fields) -> Fields:
            return [field for field in some if field[0].lower().replace(b"_", b"-") not in names]

        all_that_came = self._fields
        self._plain = [*without(self.plain), *fields]
        self._lines = None
        if all_that_came is not None:
            self._fields = [*without(all_that_came), *fields]
        if not names.isdisjoint(self.special):
            self.special = {name: value for name, value in self.special.items() if name not in names}

    def get(self, name: bytes) -> bytes | None:
        """The first value of a field; `name` in lower case."""
        if self._fields is None and self._lines is not None:
            value = self.special.get(name)
            return find_value(self._lines, name) if value is None else value.strip()
        for key, value in self.fields:
            if key.lower() == name:
                return value.strip()
        return None


class ResponseHead:
    """The head of one answer, for policies to change. `length` is that of the body, None where it is not known.

    `fields` are made of the lines when somebody asks for them; `lines` are what became of them.
    """

    __slots__ = ("status", "reason", "length", "_lines", "_fields")

    def __init__(self, status: int, reason: bytes, lines: bytes, length: int | None) -> None:
        self.status = status
        self.reason = reason
        self.length = length
        self._lines = lines
        self._fields: Fields | None = None

    @property
    def fields(self) -> Fields:
        """The fields as pairs, which may be changed in place."""
        if self._fields is None:
            self._fields = split_lines(self._lines)
        return self._fields

    @fields.setter
    def fields(self, fields: Fields) -> None:
        self._fields = fields

    @property
    def lines(self) -> bytes:
        """The fields as lines."""
        return self._lines if self._fields is None else join_lines(self._fields)

    @lines.setter
    def lines(self, lines: bytes) -> None:
        self._lines = lines
        self._fields = None
