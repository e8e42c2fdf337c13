"""Options of policies that are not in the box, kept for those who know them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.extensions import read_options, refuse
from apigateway.config.model import Extension, Policies
from apigateway.config.problems import ConfigurationError, Problems
from apigateway.config.read import parse_text
from apigateway.config.scalars import integer
from apigateway.config.schema import schema_text
from apigateway.config.tables import Table, keys_of

FILE = """
defaults:
  policies:
    audit: {level: 3}
    quota:
services:
  one:
    prefix: /one
    targets: [http://a]
  two:
    prefix: /two
    targets: [http://a]
    policies:
      audit: {level: 5, deep: [a, {b: c}]}
      quota: false
      own: {}
"""


@dataclass(frozen=True)
class Audit:
    level: int = 1


AUDIT = Table("audit", keys_of(Audit, level=(integer(1, 9), "How much.")), Audit)


class ExtensionTests(SynchronousTestCase):
    def policies(self, file: str = FILE) -> list[Policies]:
        return [service.routes[0].policies for service in parse_text(file, "test.yaml", {}).services]

    def names(self) -> list[list[str]]:
        return [[one.name for one in policies.policies] for policies in self.policies()]

    def test_a_service_has_those_of_the_defaults_and_its_own_but_what_it_switches_off(self) -> None:
        self.assertEqual(self.names(), [["audit", "quota"], ["audit", "own"]])

    def test_options_are_read_by_whoever_knows_them(self) -> None:
        found = [read_options(policies.policies[0], AUDIT, Problems()) for policies in self.policies(FILE)[:1]]
        self.assertEqual(found, [Audit(3)])

    def test_one_whose_name_alone_stands_there_has_its_defaults(self) -> None:
        self.assertEqual(read_options(self.policies()[0].policies[1], AUDIT, Problems()), Audit())
        self.assertIsNone(read_options(self.policies()[0].policies[1], None, Problems()))

    def problems_with(self, extension: Extension, kind: Any) -> list[str]:
        problems = Problems()
        read_options(extension, kind, problems)
        with self.assertRaises(ConfigurationError) as caught:
            problems.raise_any()
        return [str(problem) for problem in caught.exception.problems]

    def test_what_is_wrong_is_told_with_its_line(self) -> None:
        file = FILE.replace("level: 3", "level: 33")
        self.assertEqual(
            self.problems_with(self.policies(file)[0].policies[0], AUDIT),
            ["test.yaml:4: defaults.policies.audit.level: expected a whole number, from 1 to 9, not '33'"],
        )

    def test_one_that_knows_no_options_has_none(self) -> None:
        problems = self.problems_with(self.policies()[1].policies[0], None)
        self.assertEqual(problems, ["test.yaml:14: services.two.policies.audit: has no options"])

    def test_a_policy_can_be_refused_as_a_whole(self) -> None:
        problems = Problems()
        refuse(self.policies()[0].policies[1], "is not installed", problems)
        with self.assertRaises(ConfigurationError) as caught:
            problems.raise_any()
        self.assertEqual(str(caught.exception), "test.yaml:5: defaults.policies.quota: is not installed")

    def test_they_are_the_same_wherever_they_stand_in_the_file(self) -> None:
        moved = "# a comment" + FILE
        self.assertEqual(parse_text(FILE, "a", {}), parse_text("\n\n" + FILE, "b", {}))
        self.assertEqual(hash(self.policies()[1]), hash(self.policies(moved)[1]))
        self.assertNotEqual(self.policies(), self.policies(FILE.replace("{b: c}", "{b: d}")))

    def test_a_repr_does_not_show_options_which_may_be_secret(self) -> None:
        self.assertNotIn("level", repr(self.policies()[0]))

    def test_what_is_no_mapping_and_no_name_is_refused(self) -> None:
        for wrong in ("policies: [audit]", "policies: {'a b': 1}"):
            with self.assertRaises(ConfigurationError):
                parse_text(FILE.replace("prefix: /one", f"prefix: /one\n    {wrong}"), "test.yaml", {})

    def test_the_schema_leaves_options_open(self) -> None:
        self.assertIn('"policies"', schema_text())
