"""The JSON Schema of the configuration file, made from the catalogue of keys."""

from __future__ import annotations

import json
from typing import Any

from apigateway.config.keys.process import TOP


def schema() -> dict[str, Any]:
    """The schema (JSON Schema 2020-12). It knows each key by itself; `--check` knows what goes together."""
    definitions: dict[str, Any] = {}
    TOP.schema(definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:apigateway:configuration",
        "title": "Configuration of the API gateway",
        **definitions.pop(TOP.name),
        "$defs": definitions,
    }


def schema_text() -> str:
    """The schema as it is published."""
    return json.dumps(schema(), indent=2) + "\n"
