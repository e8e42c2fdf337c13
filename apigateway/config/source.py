"""YAML text to a tree of nodes, each of which knows its place; variables are replaced on the way.

Knows no keys. It walks the parser's events itself, because composing a document recurses as deep as the text says,
which in the C library ends the process. Scalars stay text: what `1.10` or `no` means is for the key to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

from apigateway.config.problems import INVALID, ConfigurationError, Invalid, Problem, Problems, Where
from apigateway.config.variables import substitute

MAX_NODES = 100_000
MAX_DEPTH = 32

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,60}")
_NOT_TEXT = re.compile("[\ud800-\udfff]")


_DESCRIPTIONS: dict[type, str] = {str: "text", list: "a list", dict: "a mapping"}


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the file: text, a list, a mapping, None where nothing stands, INVALID where a problem was noted.

    `written` is the text as the file has it, where variables made another one of it.
    """

    where: Where
    value: Value = field(repr=False)
    written: str | None = None

    def describe(self) -> str:
        """What it is, for a message. A text is not repeated: it may be a secret that stands in a wrong place."""
        return _DESCRIPTIONS.get(type(self.value), "nothing")


Value: TypeAlias = str | list[Node] | dict[str, Node] | Invalid | None


def shortened(text: str) -> str:
    """A text quoted for a message, cut where it is long."""
    return repr(text if len(text) <= 60 else text[:57] + "...")


def child_path(path: str, key: str) -> str:
    """The path of a mapping's entry."""
    if not _PLAIN_KEY.fullmatch(key):
        return f"{path}[{shortened(key)}]"
    return f"{path}.{key}" if path else key


def parse_tree(text: str, filename: str, environ: Mapping[str, str], problems: Problems, most: int = MAX_NODES) -> Node:
    """Read one YAML document of so many values at most.

    Raises `ConfigurationError` where the text is no YAML; what is wrong with single values goes to `problems`.
    """
    tree = _Tree(filename, environ, problems, most)
    try:
        return tree.document(yaml.parse(text, Loader=_LOADER))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        message = getattr(error, "problem", None) or str(error).split("\n", 1)[0]
        raise _broken(Where(filename, mark.line + 1 if mark else 0), f"not YAML: {message}") from None
    except UnicodeError:
        raise _broken(Where(filename), "not text in UTF-8") from None


def _broken(where: Where, message: str) -> ConfigurationError:
    return ConfigurationError((Problem(where.file, where.line, where.path, message),))


class _Tree:
    """Builds the nodes of one document from its events."""

    def __init__(self, filename: str, environ: Mapping[str, str], problems: Problems, most: int) -> None:
        self._filename = filename
        self._environ = environ
        self._problems = problems
        self._anchors: dict[str, Node] = {}
        self._nodes = 0
        self._most = most
        self._events: Iterator[Any] = iter(())

    def document(self, events: Iterator[Any]) -> Node:
        self._events = events
        next(events)
        if isinstance(next(events), yaml.StreamEndEvent):
            return Node(Where(self._filename, 1), None)
        root = self._node(next(events), Where(self._filename, 1), 0)
        next(events)
        following = next(events)
        if not isinstance(following, yaml.StreamEndEvent):
            raise _broken(self._place(following, ""), "a second document begins here; only one is read")
        return root

    def _place(self, event: Any, path: str) -> Where:
        return Where(self._filename, event.start_mark.line + 1, path)

    def _count(self, where: Where, depth: int) -> None:
        self._nodes += 1
        if self._nodes > self._most:
            raise _broken(where, f"more than {self._most} values")
        if depth > MAX_DEPTH:
            raise _broken(where, f"nested deeper than {MAX_DEPTH} levels")

    def _node(self, event: Any, where: Where, depth: int) -> Node:
        self._count(where, depth)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, where, depth)
        if event.tag not in (None, "!"):
            self._problems.add(where, f"tags are not read: {shortened(event.tag)}")
        value = self._value(event, where, depth)
        is_made = isinstance(event, yaml.ScalarEvent) and isinstance(value, str) and value != event.value
        node = Node(where, value, event.value if is_made else None)
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _value(self, event: Any, where: Where, depth: int) -> Value:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, where)
        return self._list(where, depth) if isinstance(event, yaml.SequenceStartEvent) else self._mapping(where, depth)

    def _scalar(self, event: Any, where: Where) -> str | Invalid | None:
        if event.implicit[0] and event.value in _NULL:
            return None
        text, faults = substitute(event.value, self._environ)
        if _NOT_TEXT.search(text):
            faults = [*faults, "holds bytes that are not text in UTF-8"]
        for fault in faults:
            self._problems.add(where, fault)
        return INVALID if faults else text

    def _list(self, where: Where, depth: int) -> list[Node]:
        items: list[Node] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            place = self._place(event, f"{where.path}[{len(items)}]")
            items.append(self._node(event, place, depth + 1))
        return items

    def _mapping(self, where: Where, depth: int) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event, where, depth)
            place = self._place(event, child_path(where.path, key or "?"))
            value = self._node(next(self._events), place, depth + 1)
            if key in entries:
                self._problems.add(place, f"given twice, first in line {entries[key].where.line}")
            elif key is not None:
                entries[key] = value
        return entries

    def _key(self, event: Any, where: Where, depth: int) -> str | None:
        """The text of a key; None where it is refused."""
        if not isinstance(event, yaml.ScalarEvent):
            self._node(event, self._place(event, where.path), depth + 1)
            self._problems.add(self._place(event, where.path), "a key must be plain text")
            return None
        key: str = event.value
        if key == "<<" and event.implicit[0]:
            self._problems.add(self._place(event, where.path), "merge keys (<<) are not read; use `defaults`")
            return None
        return _NOT_TEXT.sub("\ufffd", key)

    def _alias(self, event: Any, where: Where, depth: int) -> Node:
        node = self._anchors.get(event.anchor)
        if node is None:
            raise _broken(where, f"no anchor &{event.anchor} stands before this alias")
        return self._moved(node, where, depth)

    def _moved(self, node: Node, where: Where, depth: int) -> Node:
        """A copy of an anchored node under the path where its alias stands; lines stay those of the anchor."""
        self._count(where, depth)
        if isinstance(node.value, list):
            return Node(where, [self._moved_child(n, f"{where.path}[{i}]", depth) for i, n in enumerate(node.value)])
        if isinstance(node.value, dict):
            entries = node.value.items()
            return Node(where, {k: self._moved_child(n, child_path(where.path, k), depth) for k, n in entries})
        return Node(where, node.value, node.written)

    def _moved_child(self, node: Node, path: str, depth: int) -> Node:
        return self._moved(node, Where(self._filename, node.where.line, path), depth + 1)
