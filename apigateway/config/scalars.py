"""Kinds of single values: words, numbers, durations, sizes. Knows no keys and nothing of HTTP.

A kind of scalar reads text, so that a quoted number, a variable's value and a plain number are the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from apigateway.config.problems import INVALID, Problems
from apigateway.config.source import Node, shortened
from apigateway.config.units import (
    DURATION_PATTERN,
    SHARE_PATTERN,
    SIZE_PATTERN,
    duration_text,
    octets,
    part,
    seconds,
    share_text,
    size_text,
)
from apigateway.config.variables import VARIABLE_PATTERN


class RefusedError(ValueError):
    """A text is refused for a reason that its kind's `noun` does not tell.

    A reason that repeats the text, or a part of it, has a `general` form that does not.
    """

    def __init__(self, reason: str, general: str | None = None) -> None:
        super().__init__(reason)
        self.general = general or reason


def _unchanged(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value. `noun` says what is accepted; `parse` raises `ValueError`; `show` is its inverse.

    `json` is the part of a JSON Schema that describes the value.
    """

    noun: str
    parse: Callable[[str], Any]
    json: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    show: Callable[[Any], Any] = _unchanged

    def read(self, node: Node, problems: Problems) -> Any:
        """The value of a node, or INVALID. What a variable stands for is not told: it may be a secret."""
        if not isinstance(node.value, str):
            return mismatch(node, self.noun, problems)
        try:
            return self.parse(node.value)
        except RefusedError as error:
            return problems.add(node.where, str(error) if node.written is None else error.general)
        except ValueError:
            found = shortened(node.value) if node.written is None else f"what {shortened(node.written)} stands for"
            return problems.add(node.where, f"expected {self.noun}, not {found}")

    def build(self, value: Any, problems: Problems) -> Any:
        """A scalar is what was read."""
        return value

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        """Its JSON Schema."""
        return dict(self.json)


def mismatch(node: Node, noun: str, problems: Problems) -> Any:
    """Refuse a node that is not what is accepted; one that was refused before is passed over."""
    if node.value is None:
        return problems.add(node.where, f"is empty; expected {noun}, or leave the key out")
    if node.value is not INVALID:
        problems.add(node.where, f"expected {noun}, not {node.describe()}")
    return INVALID


def or_variable(json: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON Schema for a value that may also be written as a variable."""
    return {"anyOf": [dict(json), {"type": "string", "pattern": VARIABLE_PATTERN}]}


def name_schema(json: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON Schema for the names in a mapping, where variables are not replaced."""
    pattern = json.get("pattern")
    return {"propertyNames": {"pattern": pattern.removesuffix(f"|{VARIABLE_PATTERN}")}} if pattern else {}


def matching(noun: str, pattern: str, parse: Callable[[str], Any] = str, **settings: Any) -> Scalar:
    """Text that matches a regular expression as a whole (one that Python and JavaScript read alike)."""
    expression = re.compile(pattern)

    def checked(text: str) -> Any:
        if not expression.fullmatch(text):
            raise ValueError(text)
        return parse(text)

    json = {"type": "string", "pattern": f"^(?:{pattern})$|{VARIABLE_PATTERN}"}
    return Scalar(noun, checked, settings.pop("json", json), **settings)


def _within(low: float, high: float | None, parse: Callable[[str], Any]) -> Callable[[str], Any]:
    def checked(text: str) -> Any:
        value = parse(text)
        if value < low or (high is not None and value > high):
            raise ValueError(text)
        return value

    return checked


def _bounds(low: float, high: float | None, show: Callable[[Any], Any] = _unchanged) -> str:
    return f"at least {show(low)}" if high is None else f"from {show(low)} to {show(high)}"


def _json_bounds(low: float, high: float | None) -> dict[str, Any]:
    return {"minimum": low} if high is None else {"minimum": low, "maximum": high}


def choice(*words: str) -> Scalar:
    """One of some words."""

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(text)
        return text

    return Scalar(" or ".join(f"`{word}`" for word in words), parse, or_variable({"enum": list(words)}))


def integer(low: int, high: int | None = None) -> Scalar:
    """A whole number."""
    noun = f"a whole number, {_bounds(low, high)}"
    json = or_variable({"type": "integer", **_json_bounds(low, high)})
    return matching(noun, r"-?[0-9]{1,18}", _within(low, high, int), json=json)


def _shown_number(value: float) -> float:
    return int(value) if value == int(value) else value


def number(low: float, high: float | None = None) -> Scalar:
    """A number, perhaps with a fraction."""
    noun = f"a number, {_bounds(low, high)}"
    json = or_variable({"type": "number", **_json_bounds(low, high)})
    expression = r"-?[0-9]{1,15}(\.[0-9]{1,15})?"
    return matching(noun, expression, _within(low, high, float), json=json, show=_shown_number)


def duration(low: float = 0.001, parse: Callable[[str], float] = seconds) -> Scalar:
    """A duration of at least `low` seconds."""
    noun = f"a duration (30s, 500ms, 5m, 1h, or a number of seconds), {_bounds(low, None, duration_text)}"
    json = _quantity(DURATION_PATTERN, low)
    return matching(noun, DURATION_PATTERN, _within(low, None, parse), json=json, show=duration_text)


def whole_seconds(low: int = 0) -> Scalar:
    """A duration without a fraction of a second."""

    def parse(text: str) -> int:
        value = seconds(text)
        if value != int(value):
            raise RefusedError(f"expected whole seconds, not {shortened(text)}", "expected whole seconds")
        return int(value)

    return duration(low, parse)


def size(low: int = 1) -> Scalar:
    """A number of bytes."""
    noun = f"a size (10MiB, 32KiB, 10MB, or a number of bytes), {_bounds(low, None, size_text)}"
    json = _quantity(SIZE_PATTERN, low)
    return matching(noun, SIZE_PATTERN, _within(low, None, octets), json=json, show=size_text)


def share() -> Scalar:
    """A part of a whole, as a number from 0 to 1."""
    json = or_variable({"type": ["number", "string"], "minimum": 0, "maximum": 1, "pattern": f"^(?:{SHARE_PATTERN})$"})
    parse, show = _within(0.0, 1.0, part), lambda value: None if value is None else share_text(value)
    return matching("a share from 0% to 100%, or a number from 0 to 1", SHARE_PATTERN, parse, json=json, show=show)


def _quantity(pattern: str, low: float) -> dict[str, Any]:
    return {"type": ["number", "string"], "minimum": low, "pattern": f"^(?:{pattern})$|{VARIABLE_PATTERN}"}


_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def _boolean(text: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise ValueError(text)
    return _BOOLEANS[text.lower()]


BOOLEAN = Scalar("`true` or `false`", _boolean, or_variable({"type": "boolean"}))

ANY_TEXT = Scalar("text", str, {"type": ["string", "number", "boolean"]})


def is_on(text: str) -> bool:
    """Whether a text is the word that switches something on."""
    return _BOOLEANS.get(text.lower()) is True


def is_off(text: str) -> bool:
    """Whether a text is the word that switches something off."""
    return _BOOLEANS.get(text.lower()) is False
