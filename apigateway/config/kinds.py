"""Kinds of values that hold others: lists, free names, tables that may be written in another way. Knows no keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from apigateway.config.given import Given, Kind
from apigateway.config.problems import INVALID, Problems
from apigateway.config.scalars import Scalar, is_off, is_on, mismatch, name_schema, or_variable
from apigateway.config.source import Node
from apigateway.config.tables import Key, Table


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of values of one kind. `finish` may bring what was built into its final form.

    `check` tells (number, message) of an item that does not go together with others; items are then tables.
    """

    item: Kind
    least: int = 0
    finish: Callable[[tuple[Any, ...]], tuple[Any, ...]] = tuple
    check: Callable[[tuple[Any, ...]], tuple[int, str] | None] | None = None

    @property
    def noun(self) -> str:
        return f"a list, each item {self.item.noun}"

    def read(self, node: Node, problems: Problems) -> Any:
        if isinstance(node.value, str):
            return problems.add(
                node.where, f"expected {self.noun}, not text; a list of one is written in brackets: [ … ]"
            )
        if not isinstance(node.value, list):
            return mismatch(node, self.noun, problems)
        if len(node.value) < self.least:
            return problems.add(node.where, "expected at least one item, or leave the key out")
        return tuple(self.item.read(child, problems) for child in node.value)

    def build(self, value: Any, problems: Problems) -> Any:
        if value is INVALID:
            return INVALID
        built = tuple(self.item.build(item, problems) for item in value)
        fault = self.check(built) if self.check is not None and INVALID not in built else None
        if fault:
            return problems.add(value[fault[0]].where, fault[1])
        return self.finish(tuple(item for item in built if item is not INVALID))

    def show(self, value: Any) -> Any:
        return [self.item.show(item) for item in value] if len(value) >= self.least else None

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        own = {"minItems": self.least} if self.least else {}
        return {"type": "array", "items": self.item.schema(definitions), **own}


@dataclass(frozen=True, slots=True)
class Named:
    """A mapping from free names, such as services."""

    name: Scalar
    item: Kind
    least: int = 0

    @property
    def noun(self) -> str:
        return f"a mapping from {self.name.noun} to {self.item.noun}"

    def read(self, node: Node, problems: Problems) -> Any:
        if not isinstance(node.value, dict):
            return mismatch(node, self.noun, problems)
        values: dict[str, Any] = {}
        for name, child in node.value.items():
            key = self.name.read(Node(child.where, name), problems)
            if key is not INVALID:
                values[key] = self.item.read(child, problems)
        if len(node.value) < self.least:
            problems.add(node.where, "expected at least one entry")
        return Given(node.where, values, {key: child.where for key, child in node.value.items()})

    def build(self, value: Any, problems: Problems) -> Any:
        if value is INVALID:
            return INVALID
        return {name: self.item.build(item, problems) for name, item in value.values.items()}

    def show(self, value: Any) -> Any:
        return {name: self.item.show(item) for name, item in value.items()}

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        items = {"additionalProperties": self.item.schema(definitions)}
        own = {"minProperties": self.least} if self.least else {}
        return {"type": "object", **items, **own, **name_schema(self.name.json)}


@dataclass(frozen=True, slots=True)
class Pairs:
    """Header fields by name, compared without case, built into a tuple of (name, value)."""

    name: Scalar
    value: Scalar
    noun: str = "a mapping from names of header fields to values"

    def read(self, node: Node, problems: Problems) -> Any:
        if not isinstance(node.value, dict):
            return mismatch(node, self.noun, problems)
        values: dict[str, Any] = {}
        for name, child in node.value.items():
            pair = (self.name.read(Node(child.where, name), problems), self.value.read(child, problems))
            if name.lower() in values:
                problems.add(child.where, "given twice: names of header fields are compared without case")
            values[name.lower()] = INVALID if INVALID in pair else pair
        return Given(node.where, values, {})

    def build(self, value: Any, problems: Problems) -> Any:
        return value if value is INVALID else tuple(pair for pair in value.values.values() if pair is not INVALID)

    def show(self, value: Any) -> Any:
        return dict(value)

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        values = {"additionalProperties": self.value.schema(definitions)}
        return {"type": "object", **values, **name_schema(self.name.json)}


@dataclass(frozen=True, slots=True)
class Shorthand:
    """A table for which a scalar may stand: the value of one of its keys."""

    key: str
    table: Table

    @property
    def noun(self) -> str:
        return f"{self.table.keys[self.key].kind.noun}, or {self.table.noun}"

    def read(self, node: Node, problems: Problems) -> Any:
        if isinstance(node.value, str):
            return self.table.read(Node(node.where, {self.key: node}), problems)
        return self.table.read(node, problems) if isinstance(node.value, dict) else mismatch(node, self.noun, problems)

    def build(self, value: Any, problems: Problems) -> Any:
        return self.table.build(value, problems)

    def show(self, value: Any) -> Any:
        shown = self.table.show(value)
        others = {name: text for name, text in shown.items() if name != self.key}
        is_short = all(text == self.table.keys[name].default for name, text in others.items())
        return shown[self.key] if is_short else shown

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return {"anyOf": [self.table.keys[self.key].kind.schema(definitions), self.table.schema(definitions)]}


@dataclass(frozen=True, slots=True)
class OneOrMany:
    """One table, or a list of them; always built into a tuple."""

    table: Table

    @property
    def noun(self) -> str:
        return f"{self.table.noun}, or a list of such"

    def read(self, node: Node, problems: Problems) -> Any:
        if isinstance(node.value, dict):
            return self.table.read(node, problems)
        if isinstance(node.value, list):
            return ListOf(self.table, 1).read(node, problems)
        return mismatch(node, self.noun, problems)

    def build(self, value: Any, problems: Problems) -> Any:
        return ListOf(self.table).build(value if isinstance(value, tuple) else (value,), problems)

    def show(self, value: Any) -> Any:
        return [self.table.show(item) for item in value] if len(value) > 1 else self.table.show(value[0])

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        table = self.table.schema(definitions)
        return {"anyOf": [table, {"type": "array", "items": table, "minItems": 1}]}


@dataclass(frozen=True, slots=True)
class OrFalse:
    """A kind that `false` switches off; `off` is what the model then holds."""

    kind: Kind
    off: Any = None

    @property
    def noun(self) -> str:
        return f"`false`, or {self.kind.noun}"

    def read(self, node: Node, problems: Problems) -> Any:
        if isinstance(node.value, str) and is_off(node.value):
            return False
        if isinstance(node.value, str) and not isinstance(self.kind, Scalar | Shorthand):
            if is_on(node.value) and isinstance(self.kind, Table):
                return problems.add(node.where, f"expected {self.noun}; `true` is written {{}}, or with keys")
            return mismatch(node, self.noun, problems)
        return self.kind.read(node, problems)

    def build(self, value: Any, problems: Problems) -> Any:
        return self.off if value is False else self.kind.build(value, problems)

    def show(self, value: Any) -> Any:
        return False if value == self.off else self.kind.show(value)

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return {"anyOf": [*or_variable({"const": False})["anyOf"], self.kind.schema(definitions)]}


def tables_in(kind: Kind) -> Iterator[Table]:
    """The tables that may stand where a kind does."""
    if isinstance(kind, Table):
        yield kind
    elif isinstance(kind, OneOrMany | Shorthand):
        yield kind.table
    elif isinstance(kind, ListOf | Named):
        yield from tables_in(kind.item)
    elif isinstance(kind, OrFalse):
        yield from tables_in(kind.kind)


def all_tables(keys: Mapping[str, Key], seen: dict[str, Table] | None = None) -> dict[str, Table]:
    """Every table that may stand somewhere below some keys, by name, in the order of the keys."""
    seen = {} if seen is None else seen
    for key in keys.values():
        for table in tables_in(key.kind):
            if table.name not in seen:
                seen[table.name] = table
                all_tables(table.keys, seen)
    return seen
