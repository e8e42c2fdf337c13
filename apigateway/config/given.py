"""What the mappings of a file give, before it is laid over one another and built into the model. Knows no keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from apigateway.config.problems import Problems, Where
from apigateway.config.source import Node


class Kind(Protocol):
    """What may stand at a key. The only place where reading, schema and documents learn it."""

    @property
    def noun(self) -> str:
        """What is accepted, for messages and documents."""

    def read(self, node: Node, problems: Problems) -> Any:
        """What a node gives, or INVALID."""

    def build(self, value: Any, problems: Problems) -> Any:
        """The value of the model made from what was given, or INVALID."""

    def show(self, value: Any) -> Any:
        """How a value of the model would be written."""

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        """Its JSON Schema; what is used in several places goes into `definitions`."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a mapping gives: values by key, and the place of each. `whole` ones are replaced, others laid over."""

    where: Where
    values: dict[str, Any] = field(repr=False)
    places: dict[str, Where]
    whole: bool = False

    def only(self, keys: Mapping[str, Any]) -> Given:
        """The part that these keys give."""
        return Given(self.where, {k: v for k, v in self.values.items() if k in keys}, self.places)

    def place(self, key: str) -> Where:
        """Where a key stands; without it, where the mapping does."""
        return self.places.get(key, self.where)


def overlay(below: Any, above: Any) -> Any:
    """What holds where `above` is nearer: mappings key by key, everything else as it stands above."""
    if not isinstance(below, Given) or not isinstance(above, Given) or above.whole:
        return above
    values = {key: overlay(below.values.get(key), value) for key, value in above.values.items()}
    return Given(above.where, below.values | values, below.places | above.places)
