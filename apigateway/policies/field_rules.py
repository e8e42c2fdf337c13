"""Rules for header fields as the configuration has them, turned into bytes and sets. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable

Fields = list[tuple[bytes, bytes]]


def lower_names(names: Iterable[str]) -> frozenset[bytes]:
    """Names to compare fields with."""
    return frozenset(name.lower().encode() for name in names)


def encoded(pairs: Iterable[tuple[str, str]]) -> tuple[tuple[bytes, bytes], ...]:
    """Fields as they go over the wire; what is not ASCII in a value is UTF-8 there."""
    return tuple((name.encode(), value.encode()) for name, value in pairs)


def without(fields: Fields, names: frozenset[bytes]) -> Fields:
    """The fields with other names than these, which are in lower case."""
    return [field for field in fields if field[0].lower() not in names]
