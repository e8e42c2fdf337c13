"""A file of targets: the same list that stands at `targets` in a configuration. Knows no service."""

from __future__ import annotations

from apigateway.config.keys.service import PLACE_KEYS
from apigateway.config.model import Target
from apigateway.config.problems import INVALID, ConfigurationError, Problem, Problems
from apigateway.config.services import build_targets
from apigateway.config.source import parse_tree

MOST_TARGETS = 1000
"""More in one file are refused: to make a snapshot of thousands keeps all exchanges waiting."""

_MOST_VALUES = 6 * MOST_TARGETS
"""The list, and of each target its mapping with two keys and their values."""

_KIND = PLACE_KEYS["targets"].kind


def parse_targets(content: bytes, filename: str) -> tuple[Target, ...]:
    """The targets that a file of that name lists, at least one.

    JSON is read as YAML, of which it is a part. Raises `ConfigurationError` with all that is wrong, and nothing else.
    """
    problems = Problems()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeError:
        raise ConfigurationError((Problem(filename, 0, "", "not text in UTF-8"),)) from None
    root = parse_tree(text, filename, {}, problems, _MOST_VALUES)
    if isinstance(root.value, list) and len(root.value) > MOST_TARGETS:
        problems.add(root.where, f"names {len(root.value)} targets; at most {MOST_TARGETS} are taken")
    elif not root.value:
        problems.add(root.where, "names no target; expected a list with at least one URL such as http://host:port")
    else:
        given = _KIND.read(root, problems)
        targets: tuple[Target, ...] = () if given is INVALID else build_targets(given, problems)
    problems.raise_any()
    return targets
