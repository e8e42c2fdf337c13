"""Kinds of single values."""

from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.problems import INVALID, ConfigurationError, Problems, Where
from apigateway.config.scalars import BOOLEAN, Scalar, choice, duration, integer, number, size, whole_seconds
from apigateway.config.source import Node, Value


def value(kind: Scalar, text: Value) -> object:
    """What a kind reads, or the message of its problem."""
    problems = Problems()
    read = kind.read(Node(Where("g", 1, "key"), text), problems)
    try:
        problems.raise_any()
    except ConfigurationError as error:
        assert read is INVALID
        return error.problems[0].message
    return read


class ScalarTests(SynchronousTestCase):
    """Reading single values."""

    def test_a_switch_is_what_yaml_writes_for_it(self) -> None:
        self.assertEqual(
            [value(BOOLEAN, text) for text in ("true", "Yes", "on", "false", "NO", "off")], [True] * 3 + [False] * 3
        )
        self.assertEqual(value(BOOLEAN, "1"), "expected `true` or `false`, not '1'")

    def test_a_whole_number_keeps_to_its_bounds(self) -> None:
        self.assertEqual([value(integer(1, 9), text) for text in ("1", "09")], [1, 9])
        for text in ("0", "-1", "10", "1.5", "one", "", "1_0", "\u0661", "1e3"):
            self.assertEqual(value(integer(1, 9), text), f"expected a whole number, from 1 to 9, not {text!r}")

    def test_a_number_may_have_a_fraction(self) -> None:
        self.assertEqual(value(number(0, 1), "0.25"), 0.25)
        for text in ("nan", "inf", "1.01", "-0.1", ".5", "1e-1"):
            self.assertEqual(value(number(0, 1), text), f"expected a number, from 0 to 1, not {text!r}")

    def test_a_duration_says_what_it_accepts(self) -> None:
        self.assertEqual(value(duration(), "250ms"), 0.25)
        for text in ("-5s", "0", "5 s", "5d", "soon", "1e3", "0.0001s"):
            accepted = "expected a duration (30s, 500ms, 5m, 1h, or a number of seconds), at least 1ms"
            self.assertEqual(value(duration(), text), f"{accepted}, not {text!r}")

    def test_whole_seconds_have_no_fraction(self) -> None:
        self.assertEqual(value(whole_seconds(), "10m"), 600)
        self.assertEqual(value(whole_seconds(), "1500ms"), "expected whole seconds, not '1500ms'")

    def test_a_size_says_what_it_accepts(self) -> None:
        self.assertEqual(value(size(), "10MiB"), 10 << 20)
        for text in ("-1", "0", "10Mb", "1.5B", "big"):
            accepted = "expected a size (10MiB, 32KiB, 10MB, or a number of bytes), at least 1"
            self.assertEqual(value(size(), text), f"{accepted}, not {text!r}")

    def test_a_choice_names_its_words(self) -> None:
        self.assertEqual(value(choice("json", "text"), "text"), "text")
        self.assertEqual(value(choice("json", "text"), "xml"), "expected `json` or `text`, not 'xml'")

    def test_lists_and_mappings_and_nothing_are_no_single_values(self) -> None:
        self.assertEqual(value(BOOLEAN, []), "expected `true` or `false`, not a list")
        self.assertEqual(value(BOOLEAN, {}), "expected `true` or `false`, not a mapping")
        self.assertEqual(value(BOOLEAN, None), "is empty; expected `true` or `false`, or leave the key out")

    def test_what_was_refused_before_is_not_told_again(self) -> None:
        self.assertIs(value(BOOLEAN, INVALID), INVALID)

    def test_long_texts_are_cut_in_messages(self) -> None:
        self.assertEqual(value(BOOLEAN, "x" * 99), f"expected `true` or `false`, not '{'x' * 57}...'")
