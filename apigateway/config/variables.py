"""Variables in the texts of a file. Knows how they are written, not what their values mean."""

from __future__ import annotations

import re
from collections.abc import Mapping

VARIABLE_PATTERN = r"\$\{"
"""Found in every text that holds a variable; also in the JSON Schema."""

_VARIABLE = re.compile(
    r"\$(?:(?P<dollar>\$)|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>(?:(?!\$\{)[^}])*))?\}|(?P<broken>\{))"
)


def substitute(text: str, environ: Mapping[str, str]) -> tuple[str, list[str]]:
    """Replace `${NAME}`, `${NAME:-default}` (for a name that is unset or empty) and `$$`; also tell what is wrong."""
    faults: list[str] = []

    def value(match: re.Match[str]) -> str:
        name, default = match["name"], match["default"]
        if match["dollar"]:
            return "$"
        if match["broken"]:
            faults.append("`${` begins a variable, ${NAME} or ${NAME:-default}; write `$${` for the characters")
            return ""
        if default is not None:
            return environ.get(name) or default
        if name not in environ:
            faults.append(f"the variable {name} is not set; a default is written ${{{name}:-default}}")
        return environ.get(name, "")

    return _VARIABLE.sub(value, text), faults
