"""Regular expressions, our own and those that the configuration makes: none of them can stall the loop."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.http.lines import lines_named
from apigateway.http.paths import _spellings
from apigateway.policies.cors import _origin_check
from apigateway.upstream.steps.deadline_field import DeadlineField
from tests.security.patterns import is_slow_to_find, slow_parts
from tests.test_architecture import modules

LINEAR_ALL_THE_SAME = {
    "http.ordinary.match_request": "a line that is heeded is never one of the others: a run of lines has one reading",
    "http.ordinary.match_response": "the same",
}
"""Patterns that the rule finds, and why they are linear."""

MADE_OF_VALUES = {
    "http.lines.lines_named": "names of fields, escaped",
    "http.lines.lines_spelled": "the same",
    "http.paths._spellings": "the prefix of a route, each byte escaped",
    "http.framing.check_protocol": "the target of a request, escaped",
    "policies.cors._origin_check": "origins, escaped",
    "config.scalars.matching": "the forms of values, which are ours",
    "config.scalars.number": "the same",
    "config.scalars.integer": "the same",
    "config.web._target_url": "a table of forms, which is ours",
}
"""Functions that make patterns out of what they are given, and what that is."""

SEARCHES = ("search", "sub", "subn", "findall", "finditer", "split")


def own_patterns() -> dict[str, re.Pattern[Any]]:
    """The patterns of all modules, by name."""
    found: dict[re.Pattern[Any], str] = {}
    for name in modules():
        if not name.endswith("__main__"):
            for key, value in vars(import_module(f"apigateway.{name.removesuffix('.__init__')}")).items():
                pattern = getattr(value, "__self__", value)
                if isinstance(pattern, re.Pattern):
                    found.setdefault(pattern, f"{name}.{key}")
    return {name: pattern for pattern, name in found.items()}


def calls_of_re(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Where `re` is given a pattern: the function in which that is, and the pattern."""
    for outer in tree.body:
        for node in ast.walk(outer):
            function = node.func if isinstance(node, ast.Call) else None
            if (
                isinstance(function, ast.Attribute)
                and isinstance(function.value, ast.Name)
                and function.value.id == "re"
            ):
                assert isinstance(node, ast.Call)
                if function.attr != "escape":
                    yield getattr(outer, "name", ""), node.args[0]


def is_constant(node: ast.expr) -> bool:
    """Made of literals, names of constants, and functions of such only."""
    return all(
        isinstance(part, ast.Constant | ast.BinOp | ast.Add | ast.JoinedStr | ast.FormattedValue | ast.Call | ast.Load)
        or (isinstance(part, ast.Name) and (part.id.lstrip("_").isupper() or part.id == "_lines"))
        for part in ast.walk(node)
    )


class RuleTests(SynchronousTestCase):
    """The rule finds what is slow."""

    def test_it_finds_runs_that_can_be_cut_in_many_ways(self) -> None:
        for slow in (
            r"(a+)+b",
            r"(?:a|aa)+$",
            r"a*a*b",
            r"[^/]*[^#]*x",
            r"(?:\w+\s*)+;",
            r".*a.*b",
            r"[^/]*[^#]*+x",
            r"(?:a*b?)*c",
        ):
            self.assertTrue(slow_parts(re.compile(slow)), slow)

    def test_and_only_those(self) -> None:
        for fast in (
            r"a+b",
            r"[^/]*/[^#]*",
            r"(?:a+b)*c",
            r"[^/]*+[^#]*+",
            r"a*x.*",
            r"\.a+(?:\.a+)*\.com",
            "[a-z]+:[0-9]*",
        ):
            self.assertEqual(slow_parts(re.compile(fast)), [], fast)

    def test_it_finds_what_begins_in_vain_at_many_places(self) -> None:
        for slow, found in (
            (r"[^:]+:", True),
            (r"a[^b]*c", True),
            (r"^[^:]+:", False),
            (r"//+", False),
            (r";[^/]*", False),
        ):
            self.assertEqual(is_slow_to_find(re.compile(slow)), found, slow)


class OwnPatternTests(SynchronousTestCase):
    maxDiff = None

    def test_a_match_takes_time_in_proportion_to_the_text(self) -> None:
        patterns = own_patterns()
        self.assertGreater(len(patterns), 20)
        slow = {name for name, pattern in patterns.items() if slow_parts(pattern)}
        self.assertEqual(slow, set(LINEAR_ALL_THE_SAME))

    def test_so_does_a_search(self) -> None:
        slow = {name for name, pattern in own_patterns().items() if is_slow_to_find(pattern)}
        wrong = []
        for module, tree in modules().items():
            for node in ast.walk(tree):
                if isinstance(node, ast.Attribute) and node.attr in SEARCHES and isinstance(node.value, ast.Name):
                    wrong += [f"{module}.{node.value.id}"] if f"{module}.{node.value.id}" in slow else []
        self.assertEqual(wrong, [])

    def test_patterns_are_constants_but_for_those_that_are_known(self) -> None:
        made = set()
        for module, tree in modules().items():
            if not module.startswith("testing."):
                made |= {f"{module}.{name}" for name, pattern in calls_of_re(tree) if not is_constant(pattern)}
        self.assertEqual(made - set(MADE_OF_VALUES), set())


hostile = st.text(st.sampled_from("a.*+()[]{}|\\^$?-_~"), min_size=1, max_size=12)


class ConfiguredPatternTests(SynchronousTestCase):
    """Whatever stands in the file."""

    @settings(deadline=None, max_examples=200)
    @given(hostile)
    def test_an_origin_means_itself_and_its_star_is_matched_in_linear_time(self, name: str) -> None:
        name = name.replace("*", "x")
        check: Any = _origin_check((f"https://*.{name}.example",))
        patterns = [cell.cell_contents for cell in check.__closure__ if isinstance(cell.cell_contents, re.Pattern)]
        self.assertEqual([slow_parts(pattern) for pattern in patterns], [[]])
        self.assertTrue(check(f"https://a.b.{name}.example".encode()))
        self.assertFalse(check(f"https://{name}.example".encode()))
        self.assertFalse(check(f"https://a.{name}.example.attacker.example".encode()))

    @settings(deadline=None, max_examples=200)
    @given(hostile)
    def test_a_prefix_to_strip_is_matched_in_linear_time(self, name: str) -> None:
        pattern = _spellings(f"/{name}/x".encode())
        self.assertEqual(slow_parts(pattern), [])
        self.assertIsNotNone(pattern.match(f"//%2f{name}//x/y".encode()))

    @settings(deadline=None, max_examples=200)
    @given(st.lists(hostile, min_size=1, max_size=3))
    def test_so_are_names_of_fields(self, names: list[str]) -> None:
        pattern = lines_named([name.encode() for name in names])
        self.assertEqual((slow_parts(pattern), is_slow_to_find(pattern)), ([], False))
        self.assertEqual(pattern.sub(b"", f"{names[0]}: 1\r\nz: 2\r\n".encode()), b"z: 2\r\n")

    @settings(deadline=None, max_examples=200)
    @given(hostile)
    def test_so_is_the_field_for_the_deadline(self, name: str) -> None:
        pattern: Any = DeadlineField(name.encode())._spellings
        self.assertEqual((slow_parts(pattern), is_slow_to_find(pattern)), ([], False))
        self.assertEqual(pattern.sub(b"", f"{name}: 1\r\nz: 2\r\n".encode()), b"z: 2\r\n")
