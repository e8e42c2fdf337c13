"""Lists, free names, and tables that may be written in another way."""

from typing import Any

from jsonschema import Draft202012Validator
from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.given import Kind
from apigateway.config.kinds import ListOf, Named, OneOrMany, OrFalse, Pairs, Shorthand
from apigateway.config.problems import ConfigurationError, Problems
from apigateway.config.scalars import BOOLEAN, integer, size
from apigateway.config.source import parse_tree
from apigateway.config.web import FIELD_NAME, FIELD_VALUE, SERVICE_NAME

from .test_tables import LAMP, Lamp


def built(kind: Kind, text: str) -> Any:
    """The value of the model that a text gives, or what is wrong with it."""
    problems = Problems()
    value = kind.build(kind.read(parse_tree(text, "g", {}, problems), problems), problems)
    try:
        problems.raise_any()
    except ConfigurationError as error:
        return str(error).splitlines()
    return value


def allowed(kind: Kind, *values: object) -> list[bool]:
    """Which values a kind's schema allows."""
    definitions: dict[str, Any] = {}
    schema = {**kind.schema(definitions), "$defs": definitions}
    return [Draft202012Validator(schema).is_valid(value) for value in values]


class KindTests(SynchronousTestCase):
    """What each kind reads, and that its schema says the same."""

    def test_a_list_keeps_its_order_and_tells_each_wrong_item(self) -> None:
        self.assertEqual(built(ListOf(integer(0)), "[3, 1, 2]"), (3, 1, 2))
        self.assertEqual(len(built(ListOf(integer(0)), "[3, x, -1]")), 2)
        self.assertEqual(
            built(ListOf(integer(0)), "{watts: 3}"),
            ["g:1: expected a list, each item a whole number, at least 0, not a mapping"],
        )

    def test_one_value_is_told_how_it_becomes_a_list(self) -> None:
        (message,) = built(ListOf(integer(0)), "3")
        self.assertEqual(
            message,
            "g:1: expected a list, each item a whole number, at least 0, not text; "
            "a list of one is written in brackets: [ … ]",
        )

    def test_a_list_may_have_to_hold_something(self) -> None:
        kind = ListOf(integer(0), 1)
        self.assertEqual(built(kind, "[]"), ["g:1: expected at least one item, or leave the key out"])
        self.assertEqual(allowed(kind, [], [1], ["x"]), [False, True, False])

    def test_items_of_a_list_may_have_to_go_together(self) -> None:
        def check(lamps: tuple[Lamp, ...]) -> tuple[int, str] | None:
            return (1, "one lamp is enough") if len(lamps) > 1 else None

        kind = ListOf(LAMP, check=check)
        self.assertEqual(built(kind, "[{watts: 1}]"), (Lamp(1),))
        self.assertEqual(built(kind, "[{watts: 1},\n {watts: 2}]"), ["g:2: [1]: one lamp is enough"])
        self.assertEqual(len(built(kind, "[{watts: 0}, {watts: 2}]")), 1, "what is wrong itself")

    def test_names_are_free_but_must_be_names(self) -> None:
        kind = Named(SERVICE_NAME, BOOLEAN, 1)
        self.assertEqual(built(kind, "{a: true, b: false}"), {"a": True, "b": False})
        self.assertEqual(built(kind, "{}"), ["g:1: expected at least one entry"])
        self.assertIn("['a b']: expected the name of a service", built(kind, "{a b: true}")[0])
        self.assertEqual(allowed(kind, {}, {"a b": True}, {"a": True}), [False, False, True])

    def test_fields_are_pairs_whose_names_have_no_case(self) -> None:
        kind = Pairs(FIELD_NAME, FIELD_VALUE)
        self.assertEqual(built(kind, "{X-B: 1.10, x-a: no}"), (("X-B", "1.10"), ("x-a", "no")))
        self.assertIn("given twice", built(kind, "{x-a: 1, X-A: 2}")[0])
        self.assertEqual(len(built(kind, '{"a b": 1, c: "\\n"}')), 2)
        self.assertEqual(allowed(kind, {"a b": ""}, {"a": [1]}, {"a": 1}), [False, False, True])

    def test_a_single_value_may_stand_for_a_table(self) -> None:
        kind = Shorthand("watts", LAMP)
        self.assertEqual([built(kind, "40"), built(kind, "{watts: 40, lit: yes}")], [Lamp(40), Lamp(40, lit=True)])
        self.assertEqual(built(kind, "[]")[0][:38], "g:1: expected a whole number, at least")
        self.assertEqual(allowed(kind, 40, {"watts": 40}, {"lit": True}, []), [True, True, False, False])

    def test_one_table_or_several_are_always_several(self) -> None:
        kind = OneOrMany(LAMP)
        self.assertEqual(
            [built(kind, "{watts: 40}"), built(kind, "[{watts: 1}, {watts: 2}]")], [(Lamp(40),), (Lamp(1), Lamp(2))]
        )
        self.assertEqual(
            built(kind, "[{watts: 1}, {watts: 0}]"), ["g:1: [1].watts: expected a whole number, at least 1, not '0'"]
        )
        self.assertEqual(allowed(kind, {"watts": 1}, [{"watts": 1}], [], 1), [True, True, False, False])
        self.assertEqual(kind.show((Lamp(1),)), LAMP.show(Lamp(1)))

    def test_false_switches_off(self) -> None:
        kind = OrFalse(LAMP)
        self.assertEqual([built(kind, "false"), built(kind, "off"), built(kind, "{watts: 1}")], [None, None, Lamp(1)])
        self.assertEqual(built(kind, "5"), ["g:1: expected `false`, or a mapping of `watts`, `delay`, `lit`, not text"])
        self.assertEqual(
            built(kind, "true"),
            ["g:1: expected `false`, or a mapping of `watts`, `delay`, `lit`; `true` is written {}, or with keys"],
        )
        self.assertEqual(allowed(kind, False, {"watts": 1}, True), [True, True, False])
        self.assertEqual([built(OrFalse(size()), text) for text in ("no", "1KiB")], [None, 1024])
        self.assertEqual([kind.show(None), kind.show(Lamp(1))], [False, LAMP.show(Lamp(1))])
