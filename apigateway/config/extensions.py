"""Options of policies that are not in the box: kept as they stand in the file, for whoever knows them to read.

Knows names and places, not what the options are.
"""

from __future__ import annotations

from typing import Any

from apigateway.config.given import Given, Kind
from apigateway.config.model import Extension
from apigateway.config.problems import INVALID, Problems
from apigateway.config.scalars import is_off, matching, mismatch, name_schema
from apigateway.config.source import Node

NAME = matching("a name of letters, digits and dashes", r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?")


class Extensions:
    """A mapping from names of policies to their options; `false` switches one off that stands further out."""

    noun = "a mapping from names of installed policies to their options"

    def read(self, node: Node, problems: Problems) -> Any:
        if not isinstance(node.value, dict):
            return mismatch(node, self.noun, problems)
        values: dict[str, Any] = {}
        for name, child in node.value.items():
            key = NAME.read(Node(child.where, name), problems)
            if key is not INVALID:
                values[key] = child
        return Given(node.where, values, {name: child.where for name, child in node.value.items()})

    def build(self, value: Any, problems: Problems) -> Any:
        if value is INVALID:
            return INVALID
        return tuple(Extension(name, _plain(node), node) for name, node in value.values.items() if not _is_off(node))

    def show(self, value: Any) -> Any:
        return {extension.name: {} for extension in value}

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": {}, **name_schema(NAME.json)}


def _plain(node: Node) -> Any:
    """What a node says, wherever it stands."""
    if isinstance(node.value, dict):
        return tuple((name, _plain(child)) for name, child in node.value.items())
    return tuple(map(_plain, node.value)) if isinstance(node.value, list) else node.value


def _is_off(node: Node) -> bool:
    return isinstance(node.value, str) and is_off(node.value)


def read_options(extension: Extension, kind: Kind | None, problems: Problems) -> Any:
    """The options of a policy as its own `kind` reads them, or INVALID; without a kind there may be none.

    A policy whose name alone stands in the file has no options given.
    """
    node: Node = extension.given
    if node.value is None or node.value == "true":
        node = Node(node.where, {})
    if kind is not None:
        return kind.build(kind.read(node, problems), problems)
    return problems.add(node.where, "has no options") if node.value else None


def refuse(extension: Extension, message: str, problems: Problems) -> None:
    """Note what is wrong with a policy as a whole."""
    problems.add(extension.given.where, message)
