"""Rules for header fields as the configuration has them, turned into bytes and sets. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

Fields = list[tuple[bytes, bytes]]
Pairs = tuple[tuple[str, str], ...]


class HeaderRules(Protocol):
    """What is done with fields. Names are in any spelling."""

    @property
    def hide_server(self) -> bool:
        """Whether answers are to hide what the service runs on."""

    @property
    def security(self) -> bool:
        """Whether answers are to make browsers careful."""

    @property
    def set_request(self) -> Pairs:
        """Fields of the request that are replaced, or added where they aren't there."""

    @property
    def remove_request(self) -> tuple[str, ...]:
        """Fields of the request that the service doesn't see."""

    @property
    def set_response(self) -> Pairs:
        """Fields of the answer that are replaced, or added where they aren't there."""

    @property
    def remove_response(self) -> tuple[str, ...]:
        """Fields of the answer that the client doesn't see."""


class HeaderOptions(Protocol):
    """What the policies about fields want to know."""

    @property
    def headers(self) -> HeaderRules:
        """The rules."""


def lower_names(names: Iterable[str]) -> frozenset[bytes]:
    """Names to compare fields with."""
    return frozenset(name.lower().encode() for name in names)


def encoded(pairs: Iterable[tuple[str, str]]) -> tuple[tuple[bytes, bytes], ...]:
    """Fields as they go over the wire; what is not ASCII in a value is UTF-8 there."""
    return tuple((name.encode(), value.encode()) for name, value in pairs)


def without_any_spelling(fields: Fields, names: frozenset[bytes]) -> Fields:
    """The fields with other names than these, which are in lower case and have dashes only.

    `X_User` is `X-User`: services that see fields as CGI variables can't tell them apart.
    """
    return [field for field in fields if field[0].lower().replace(b"_", b"-") not in names]
