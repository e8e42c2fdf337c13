"""The table of every key for `docs/configuration.md`, made from the catalogue of keys.

`python -m apigateway.config.reference docs/configuration.md` puts the current table in its place there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from apigateway.config.keys.process import TOP_KEYS
from apigateway.config.keys.route import POLICY_KEYS, ROUTE_KEYS
from apigateway.config.keys.service import PLACE_KEYS, SHARED_KEYS
from apigateway.config.keys.traffic import TRAFFIC_KEYS
from apigateway.config.kinds import all_tables
from apigateway.config.tables import Key

BEGIN, END = "<!-- keys: made by apigateway.config.reference -->\n", "<!-- end of keys -->\n"

_LAYERED = ("defaults", "service", "route")

_SECTIONS: tuple[tuple[str, Mapping[str, Key]], ...] = (
    ("The top level", TOP_KEYS),
    ("`services.NAME`: where a service is", PLACE_KEYS),
    ("`services.NAME` and `defaults`: how a service is spoken to", SHARED_KEYS),
    ("`routes[]`, `services.NAME` and `defaults`: policies", POLICY_KEYS),
    ("`routes[]`: what a route matches", ROUTE_KEYS),
    ("`routes[]` and `services.NAME`: traffic to other services", TRAFFIC_KEYS),
    *((f"`{table.name}`", table.keys) for table in all_tables(TOP_KEYS).values() if table.name not in _LAYERED),
)


def keys_reference() -> str:
    """Markdown with a table for each kind of mapping."""
    return "\n".join(f"### {title}\n\n{_table(keys)}" for title, keys in _SECTIONS)


def with_reference(page: str) -> str:
    """A page with what stands between its two marks replaced by the current tables."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{keys_reference()}\n{END}{after}"


def _table(keys: Mapping[str, Key]) -> str:
    rows = (f"| `{name}` | {_default(key)} | {_cell(key.text)} |\n" for name, key in keys.items())
    return "| key | default | meaning |\n|---|---|---|\n" + "".join(rows)


def _default(key: Key) -> str:
    if key.required:
        return "*required*"
    if isinstance(key.default, dict) and key.default:
        return "see below"
    return "" if key.default is None else f"`{_cell(_flow(key.default))}`"


def _flow(value: object) -> str:
    """A value as it could stand in a YAML file."""
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    return value if isinstance(value, str) and value else json.dumps(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    for page in map(Path, sys.argv[1:]):
        page.write_text(with_reference(page.read_text("utf-8")), "utf-8")
