"""Mappings of known keys, on a small model of their own."""

from dataclasses import dataclass

from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.given import Given
from apigateway.config.problems import ConfigurationError, Problems
from apigateway.config.scalars import BOOLEAN, duration, integer
from apigateway.config.source import parse_tree
from apigateway.config.tables import Table, keys_of


@dataclass(frozen=True)
class Lamp:
    """What the tests configure."""

    watts: int
    delay: float = 1.5
    lit: bool = False


def _check(given: Given) -> tuple[str, str] | None:
    return ("lit", "is too bright") if given.values.get("lit") and given.values["watts"] > 100 else None


LAMP = Table(
    "lamp",
    keys_of(Lamp, watts=(integer(1), "Power."), delay=(duration(), "Delay."), lit=(BOOLEAN, "Lit?")),
    Lamp,
    _check,
)


def lamp(text: str) -> object:
    """The lamp that a text describes, or what is wrong with it."""
    problems = Problems()
    built = LAMP.build(LAMP.read(parse_tree(text, "g", {}, problems), problems), problems)
    try:
        problems.raise_any()
    except ConfigurationError as error:
        return str(error).splitlines()
    return built


class TableTests(SynchronousTestCase):
    """One table."""

    def test_what_is_given_goes_into_the_model_and_the_rest_is_its_default(self) -> None:
        self.assertEqual(lamp("{watts: 40, lit: on}"), Lamp(40, 1.5, True))

    def test_every_wrong_key_and_value_is_told(self) -> None:
        self.assertEqual(
            lamp("watts: 0\ndelay: soon\nlitt: yes\n"),
            [
                "g:1: watts: expected a whole number, at least 1, not '0'",
                "g:2: delay: expected a duration (30s, 500ms, 5m, 1h, or a number of seconds), at least 1ms,"
                " not 'soon'",
                "g:3: litt: unknown key; did you mean `lit`?",
            ],
        )

    def test_a_required_key_is_missed_only_where_it_is_not_there(self) -> None:
        self.assertEqual(lamp("{}"), ["g:1: needs `watts`"])
        self.assertEqual(lamp("{watts: x}"), ["g:1: watts: expected a whole number, at least 1, not 'x'"])

    def test_what_does_not_go_together_is_told_at_its_key(self) -> None:
        self.assertEqual(lamp("watts: 101\nlit: true\n"), ["g:2: lit: is too bright"])

    def test_anything_but_a_mapping_is_refused(self) -> None:
        self.assertEqual(lamp("[]"), ["g:1: expected a mapping of `watts`, `delay`, `lit`, not a list"])

    def test_its_schema_holds_meaning_default_and_what_is_required(self) -> None:
        definitions: dict[str, object] = {}
        self.assertEqual(LAMP.schema(definitions), {"$ref": "#/$defs/lamp"})
        schema = definitions["lamp"]
        assert isinstance(schema, dict)
        self.assertEqual((schema["required"], schema["additionalProperties"]), (["watts"], False))
        self.assertEqual(
            {key: part.get("default") for key, part in schema["properties"].items()},
            {"watts": None, "delay": "1500ms", "lit": False},
        )
        self.assertEqual(schema["properties"]["watts"]["description"], "Power.")

    def test_a_model_is_shown_as_it_would_be_written(self) -> None:
        self.assertEqual(LAMP.show(Lamp(40)), {"watts": 40, "delay": "1500ms", "lit": False})
