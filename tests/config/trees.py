"""Random YAML values: any, and such as look like configurations."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import strategies as st

from apigateway.config.schema import schema

from .keys.test_service import TABLES

FITTING = [
    "http://a:1",
    "/a",
    "/b",
    "*",
    "GET",
    "text/plain",
    "a",
    "client",
    "X-D",
    "tcp:1",
    "10.0.0.0/8",
    "200",
    "${A}",
]
WORDS = sorted({key for table in TABLES.values() for key in table.keys})

VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.sampled_from(FITTING))
TREES = st.recursive(
    VALUES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=3), inner, max_size=4),
    ),
    max_leaves=20,
)


def configurations(noise: bool) -> st.SearchStrategy[Any]:
    """Values with known keys of which many are right; with `noise`, anything may stand here and there."""
    whole = schema()
    return shaped(whole, whole["$defs"], noise)


@st.composite
def shaped(draw: Any, definition: dict[str, Any], definitions: dict[str, Any], noise: bool) -> Any:
    """Values that keep to a schema nearly everywhere, so that they get past the first check."""
    if noise and draw(st.integers(0, 60)) == 60:
        return draw(TREES)
    if "default" in definition and draw(st.booleans()):
        return definition["default"]
    if "$ref" in definition:
        definition = definitions[definition["$ref"].rpartition("/")[2]]
    if "anyOf" in definition:
        return draw(shaped(draw(st.sampled_from(definition["anyOf"])), definitions, noise))
    if definition.get("type") == "array":
        length = draw(st.integers(definition.get("minItems", 0), 2))
        return [draw(shaped(definition["items"], definitions, noise)) for _ in range(length)]
    if definition.get("type") == "object":
        parts = definition.get("properties") or dict.fromkeys(("a", "b", "X-C"), definition["additionalProperties"])
        keys = chosen_keys(draw, definition, sorted(parts))
        return {key: draw(shaped(parts[key], definitions, noise)) for key in keys}
    return draw(leaf(definition))


def chosen_keys(draw: Any, definition: dict[str, Any], known: list[str]) -> list[str]:
    """Some keys of a mapping, among them those that it cannot do without."""
    choices = definition.get("oneOf", [{"required": []}])
    needed = {*definition.get("required", ()), *draw(st.sampled_from(choices))["required"]}
    unfit = {key for choice in choices for key in choice["required"]} - needed
    if "not" in definition:
        needed.add(draw(st.sampled_from(definition["not"]["required"])))
        unfit |= {"prefix", "host", "methods", "strip_prefix"} if "routes" in needed else {"routes"}
    some = draw(st.sets(st.sampled_from(known), min_size=1, max_size=3))
    return sorted(needed | (some - unfit))


def leaf(definition: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Single values of which some are right."""
    if "enum" in definition or "const" in definition:
        return st.sampled_from(definition.get("enum", [definition.get("const")]))
    if definition.get("type") in ("integer", "number"):
        return st.sampled_from([number for number in (1, 200) if number <= definition.get("maximum", number)])
    pattern = re.compile(definition.get("pattern", ""))
    return st.sampled_from([word for word in FITTING if pattern.search(word)] or FITTING)
