"""The catalogue of keys."""

import re
from collections.abc import Iterator
from pathlib import Path

import yaml
from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.given import Kind
from apigateway.config.keys.process import TOP
from apigateway.config.kinds import ListOf, Named, OrFalse, all_tables, tables_in
from apigateway.config.problems import Problems
from apigateway.config.source import parse_tree
from apigateway.config.tables import Table

EXAMPLE = Path(__file__).parents[3] / "gateway.yaml"


def switched_on(text: str) -> str:
    """The example with the settings that have no default."""
    return re.sub(r"(?m)^( *)#(?=[a-z-])", r"\1", text)


TABLES = {TOP.name: TOP, **all_tables(TOP.keys)}


def used(value: object, kind: Kind) -> Iterator[tuple[str, str]]:
    """The (table, key) pairs that a YAML value uses."""
    if isinstance(kind, OrFalse):
        yield from used(value, kind.kind)
    elif isinstance(kind, Named) and isinstance(value, dict):
        for item in value.values():
            yield from used(item, kind.item)
    elif isinstance(value, list):
        for item in value:
            yield from used(item, kind.item if isinstance(kind, ListOf) else kind)
    elif isinstance(value, dict):
        for table in tables_in(kind):
            for key, inner in value.items():
                yield table.name, key
                yield from used(inner, table.keys[key].kind)


def built(table: Table, value: object) -> object:
    """The value of the model that a YAML value gives."""
    problems = Problems()
    model = table.build(table.read(parse_tree(yaml.safe_dump(value), "g", {}, problems), problems), problems)
    problems.raise_any()
    return model


class CatalogueTests(SynchronousTestCase):
    """What holds for every key."""

    def test_defaults_are_written_in_a_way_that_reads_back_as_the_default(self) -> None:
        required: dict[str, dict[str, object]] = {
            "cors": {"origins": ["*"]},
            "target": {"url": "http://a"},
            "discovery": {"srv": "_http._tcp.a"},
            "sticky": {"secret": "0123456789abcdef"},
            "listener": {"endpoint": "tcp:1"},
            "split": {"service": "a", "share": "5%"},
            "mirror": {"service": "a"},
            "tls": {"certificates": ["a"]},
            "certificate": {"certificate": "a"},
            "client_certificates": {"ca": "a"},
        }
        for table in (table for table in TABLES.values() if table.make is not dict):
            least = required.get(table.name, {})
            defaults = {name: key.default for name, key in table.keys.items() if key.default is not None}
            self.assertEqual(built(table, least | defaults), built(table, least), table.name)

    def test_every_key_tells_its_meaning_in_a_sentence(self) -> None:
        for table in TABLES.values():
            for name, key in table.keys.items():
                self.assertRegex(key.text, r"^[A-Z`…].*[.…]$", f"{table.name}.{name}")
