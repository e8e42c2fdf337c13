"""The targets by name, and the kept corpus of each. Imports none before it is asked for: it may be instrumented."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from tests.fuzz.target import Target

NAMES = (
    "channel", "requests", "answers", "fields", "routes", "configuration", "limits", "log_lines", "exposition",
    "proxy_header",
)  # fmt: skip
"""Modules of `tests.fuzz.targets`; each has a `TARGET` and says what it promises."""

CORPUS = Path(__file__).parent / "corpus"


def load(name: str) -> Target:
    """A target."""
    target: Target = import_module(f"tests.fuzz.targets.{name}").TARGET
    return target


def corpus(name: str) -> dict[str, bytes]:
    """The kept inputs of a target, by what they are."""
    return {file.name: file.read_bytes() for file in sorted((CORPUS / name).iterdir()) if file.is_file()}
