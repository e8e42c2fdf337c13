"""Mappings of known keys. Knows what a table is, not which there are.

A table reads a node into what was given there; what `defaults`, a service and a route give is laid over one another,
and only then built into values of the model, which fill in what nobody gave.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from apigateway.config.given import Given, Kind
from apigateway.config.problems import INVALID, Problems, nearest
from apigateway.config.scalars import mismatch
from apigateway.config.source import Node


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a table. `text` is its meaning; `default` as it would be written, None where it has none."""

    kind: Kind
    text: str
    default: Any = None
    required: bool = False


def keys_of(model: type[Any], **entries: tuple[Kind, str]) -> dict[str, Key]:
    """Keys for the fields of a model of the same names; defaults are the model's own."""
    defaults = {field.name: field.default for field in fields(model)}

    def key(kind: Kind, text: str, default: Any) -> Key:
        return Key(kind, text, required=True) if default is MISSING else Key(kind, text, kind.show(default))

    return {name: key(kind, text, defaults[name]) for name, (kind, text) in entries.items()}


def build_keys(keys: Mapping[str, Key], given: Given, problems: Problems) -> dict[str, Any]:
    """The values of the model for what was given; what is invalid is left out."""
    built = {key: keys[key].kind.build(value, problems) for key, value in given.values.items() if key in keys}
    return {key: value for key, value in built.items() if value is not INVALID}


Check = Callable[[Given], tuple[str, str] | None]


def _nothing(given: Given) -> None:
    """There is nothing more to check."""


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping of known keys. `make` builds the model, and is told `where` if that is to be `placed`.

    `check` tells (key, message) of what does not go together.
    """

    name: str
    keys: Mapping[str, Key]
    make: Callable[..., Any] = dict
    check: Check = _nothing
    whole: bool = False
    json: Mapping[str, Any] | None = None
    placed: bool = False

    @property
    def noun(self) -> str:
        shown = [f"`{key}`" for key in self.keys]
        return f"a mapping of {', '.join(shown[:9])}{' and more' if len(shown) > 9 else ''}"

    def read(self, node: Node, problems: Problems) -> Any:
        if not isinstance(node.value, dict):
            return mismatch(node, self.noun, problems)
        values, places = {}, {}
        for name, child in node.value.items():
            if name in self.keys:
                values[name] = self.keys[name].kind.read(child, problems)
                places[name] = child.where
            else:
                problems.add(child.where, f"unknown key; {nearest(name, list(self.keys))}")
        return Given(node.where, values, places, self.whole)

    def build(self, value: Any, problems: Problems) -> Any:
        if not isinstance(value, Given):
            return INVALID
        missing = [name for name, key in self.keys.items() if key.required and name not in value.places]
        if missing:
            return problems.add(value.where, f"needs {' and '.join(f'`{name}`' for name in missing)}")
        fault = self.check(value) if INVALID not in value.values.values() else None
        if fault:
            return problems.add(value.place(fault[0]), fault[1])
        built = build_keys(self.keys, value, problems)
        if any(key.required and name not in built for name, key in self.keys.items()):
            return INVALID
        return self.make(**built, where=value.where) if self.placed else self.make(**built)

    def show(self, value: Any) -> Any:
        shown = {name: key.kind.show(getattr(value, name)) for name, key in self.keys.items()}
        return {name: text for name, text in shown.items() if text is not None}

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        if self.name not in definitions:
            definitions[self.name] = {}
            definitions[self.name] = self._definition(definitions)
        return {"$ref": f"#/$defs/{self.name}"}

    def _definition(self, definitions: dict[str, Any]) -> dict[str, Any]:
        properties = {name: key_schema(key, definitions) for name, key in self.keys.items()}
        required = [name for name, key in self.keys.items() if key.required]
        own = {"required": required} if required else {}
        return {"type": "object", "properties": properties, "additionalProperties": False, **own, **(self.json or {})}


def key_schema(key: Key, definitions: dict[str, Any]) -> dict[str, Any]:
    """The JSON Schema of a key: its kind's, with meaning and default."""
    schema = {**key.kind.schema(definitions), "description": key.text}
    return schema if key.default is None else {**schema, "default": key.default}
