"""How long a search with a regular expression can take, told from its form: a backtracking search is slow where a run
of characters can be cut in more than one way before the search fails.

The rule is stricter than need be: what it lets pass is linear, what it finds may still be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from re import _constants as op  # type: ignore[attr-defined]  # the parser of `re` has no public name
from re import _parser  # type: ignore[attr-defined]
from typing import Any

ALL = frozenset(range(256))
MANY = 1000
"""Repeats of fewer than this are constants."""

_BACKTRACKING = (op.MAX_REPEAT, op.MIN_REPEAT)
_REPEATS = (*_BACKTRACKING, op.POSSESSIVE_REPEAT)
_EMPTY = (op.AT, op.ASSERT, op.ASSERT_NOT)

Items = Sequence[tuple[Any, Any]]


def slow_parts(pattern: re.Pattern[Any]) -> list[str]:
    """The repeats of a pattern that make a match at one place take more than linear time."""
    flags = pattern.flags
    return [str(part) for part in _slow(_parser.parse(pattern.pattern, flags), frozenset(), False, False, flags)]


def is_slow_to_find(pattern: re.Pattern[Any]) -> bool:
    """Whether looking for it everywhere may take more than linear time: long matches begin in vain at many places."""
    items = list(_parser.parse(pattern.pattern, pattern.flags))
    if items and items[0][0] is op.AT:
        return False
    return any(_is_unbounded(item) and not _first(items[at + 1 :], pattern.flags)[1] for at, item in enumerate(items))


def _slow(items: Items, follow: frozenset[int], more: bool, looped: bool, flags: int) -> Iterator[Any]:
    """`follow` is what may come after these items, `more` whether that holds a repeat without bound, `looped` whether
    they are in one."""
    for at, (kind, value) in enumerate(items):
        rest = items[at + 1 :]
        first, is_nullable = _first(rest, flags)
        after = first | follow if is_nullable else first
        has_more = more or any(map(_is_unbounded, _flat(rest)))
        is_loop = looped
        if kind in _REPEATS:
            begin = _first(value[2], flags)[0]
            if kind in _BACKTRACKING and value[1] >= MANY:
                if has_more and begin & after:
                    yield (kind, value)
                is_loop, after = True, after | begin
        elif kind is op.BRANCH and looped and _overlap(value[1], after, flags):
            yield (kind, value)
        for body in _bodies(kind, value):
            yield from _slow(body, after, has_more or is_loop, is_loop, flags)


def _overlap(bodies: list[Items], after: frozenset[int], flags: int) -> bool:
    """Whether two alternatives can begin alike; one that can be nothing begins as what comes after."""
    firsts = [_first(body, flags) for body in bodies]
    begins = [begin | after if is_nullable else begin for begin, is_nullable in firsts]
    return any(one & other for at, one in enumerate(begins) for other in begins[:at])


def _is_unbounded(item: tuple[Any, Any]) -> bool:
    return item[0] in _REPEATS and item[1][1] >= MANY


def _flat(items: Items) -> Iterator[tuple[Any, Any]]:
    for kind, value in items:
        yield kind, value
        for body in _bodies(kind, value):
            yield from _flat(body)


def _bodies(kind: Any, value: Any) -> list[Items]:
    if kind in _REPEATS:
        return [value[2]]
    if kind is op.BRANCH:
        return list(value[1])
    if kind is op.SUBPATTERN:
        return [value[3]]
    if kind is op.ATOMIC_GROUP:
        return [value]
    return [value[1]] if kind in (op.ASSERT, op.ASSERT_NOT) else []


def _first(items: Items, flags: int) -> tuple[frozenset[int], bool]:
    """The characters with which these items can begin, and whether they can be nothing."""
    found: frozenset[int] = frozenset()
    for kind, value in items:
        begin, is_nullable = _first_of(kind, value, flags)
        found |= begin
        if not is_nullable:
            return found, False
    return found, True


def _first_of(kind: Any, value: Any, flags: int) -> tuple[frozenset[int], bool]:
    if kind in _EMPTY:
        return frozenset(), True
    if kind in _REPEATS:
        begin, is_nullable = _first(value[2], flags)
        return begin, is_nullable or value[0] == 0
    bodies = _bodies(kind, value)
    if bodies:
        parts = [_first(body, flags | (value[1] if kind is op.SUBPATTERN else 0)) for body in bodies]
        return frozenset().union(*(part[0] for part in parts)), any(part[1] for part in parts)
    return _characters(kind, value, flags), False


def _characters(kind: Any, value: Any, flags: int) -> frozenset[int]:
    if kind is op.LITERAL:
        both = {ord(chr(value).lower()), ord(chr(value).upper())} if flags & re.IGNORECASE else {value}
        return frozenset(both) & ALL
    if kind is op.NOT_LITERAL:
        return ALL - {value}
    if kind is op.RANGE:
        return frozenset().union(
            *(_characters(op.LITERAL, one, flags) for one in range(value[0], min(value[1], 255) + 1))
        )
    if kind is op.IN:
        negated = value[0][0] is op.NEGATE
        inside = frozenset().union(*(_characters(part[0], part[1], flags) for part in value[negated:]))
        return ALL - inside if negated else inside
    return ALL
