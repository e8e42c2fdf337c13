"""YAML text as a tree of nodes that know their places."""

from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.problems import ConfigurationError, Problems
from apigateway.config.source import Node, parse_tree


def plain(node: Node) -> object:
    """A tree without its places."""
    if isinstance(node.value, list):
        return [plain(child) for child in node.value]
    if isinstance(node.value, dict):
        return {key: plain(child) for key, child in node.value.items()}
    return node.value


def places(node: Node) -> list[str]:
    """The places of a tree's nodes, from the top down."""
    children = (
        node.value if isinstance(node.value, list) else node.value.values() if isinstance(node.value, dict) else ()
    )
    return [f"{node.where.line} {node.where.path}", *(place for child in children for place in places(child))]


def tree(text: str, **environ: str) -> Node:
    """The tree of a text with which nothing is wrong."""
    problems = Problems()
    node = parse_tree(text, "g", environ, problems)
    problems.raise_any()
    return node


def wrong(text: str) -> list[str]:
    """What is wrong with a text."""
    try:
        tree(text)
    except ConfigurationError as error:
        return str(error).splitlines()
    return []


class TreeTests(SynchronousTestCase):
    """What is read."""

    def test_scalars_stay_the_text_that_was_written(self) -> None:
        self.assertEqual(
            plain(tree("[1.10, no, 0x1F, 'a', 2001-01-01, '']")), ["1.10", "no", "0x1F", "a", "2001-01-01", ""]
        )

    def test_where_nothing_is_written_nothing_is_read(self) -> None:
        self.assertEqual(plain(tree("{a: , b: ~, c: null, d: 'null'}")), {"a": None, "b": None, "c": None, "d": "null"})
        for text in ("", "# nothing\n", "---\n"):
            self.assertIsNone(tree(text).value)

    def test_each_value_knows_its_line_and_path(self) -> None:
        text = "a:\n  b:\n  - x\n  - c: 1\n'odd.key':\n  2\n"
        self.assertEqual(
            places(tree(text)), ["1 ", "1 a", "2 a.b", "3 a.b[0]", "4 a.b[1]", "4 a.b[1].c", "5 ['odd.key']"]
        )

    def test_variables_are_replaced_in_values_and_not_in_keys(self) -> None:
        self.assertEqual(plain(tree("${A}: [\"${A}\", 'x${A}']", A="1")), {"${A}": ["1", "x1"]})

    def test_an_alias_repeats_its_anchor_at_its_own_path(self) -> None:
        node = tree("a: &x {p: 1}\nb: *x\n")
        self.assertEqual(plain(node), {"a": {"p": "1"}, "b": {"p": "1"}})
        self.assertEqual(places(node)[3:], ["2 b", "1 b.p"])


class RefusalTests(SynchronousTestCase):
    """What is refused."""

    def test_a_key_that_is_given_twice_is_told_with_the_first_line(self) -> None:
        self.assertEqual(wrong("a: 1\nb: {c: 1}\na: 2\n"), ["g:3: a: given twice, first in line 1"])

    def test_a_syntax_error_is_told_with_its_line(self) -> None:
        for text, begin in {
            "a: 1\nb: [1, 2\n": "g:3: not YAML: ",
            "a: b: c": "g:1: not YAML: ",
            "a: \x01": "g: not YAML: ",
        }.items():
            (problem,) = wrong(text)
            self.assertTrue(problem.startswith(begin), problem)

    def test_an_unset_variable_is_told_where_it_stands(self) -> None:
        self.assertEqual(
            wrong("a:\n  b: ${NAME}\n"),
            ["g:2: a.b: the variable NAME is not set; a default is written ${NAME:-default}"],
        )

    def test_a_second_document_is_refused(self) -> None:
        self.assertEqual(wrong("a: 1\n---\nb: 2\n"), ["g:2: a second document begins here; only one is read"])

    def test_tags_merge_keys_and_keys_that_are_no_text_are_refused(self) -> None:
        self.assertEqual(
            wrong("a: !!python/name:os.system x\nb:\n  <<: {c: 1}\n? [d]\n: 1\n"),
            [
                "g:1: a: tags are not read: 'tag:yaml.org,2002:python/name:os.system'",
                "g:3: b: merge keys (<<) are not read; use `defaults`",
                "g:4: a key must be plain text",
            ],
        )

    def test_text_that_is_not_unicode_is_refused(self) -> None:
        self.assertEqual(wrong("a: \ud800"), ["g: not text in UTF-8"])
        problems = Problems()
        parse_tree("a: ${A}", "g", {"A": "\udcff"}, problems)
        error = self.assertRaises(ConfigurationError, problems.raise_any)
        self.assertEqual(str(error), "g:1: a: holds bytes that are not text in UTF-8")

    def test_an_alias_without_its_anchor_or_inside_it_is_refused(self) -> None:
        self.assertEqual(wrong("a: *x"), ["g:1: a: no anchor &x stands before this alias"])
        self.assertEqual(wrong("a: &x [*x]"), ["g:1: a[0]: no anchor &x stands before this alias"])

    def test_depth_without_bound_is_refused(self) -> None:
        for text in ("[" * 100_000, "- " * 100_000, "{a: " * 100_000):
            self.assertIn("nested deeper than 32 levels", wrong(text)[0])

    def test_aliases_that_multiply_are_refused(self) -> None:
        levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 10))
        self.assertIn("more than 100000 values", wrong(f"l0: &l0 x\n{levels}")[0])
