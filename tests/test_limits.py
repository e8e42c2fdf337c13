"""The page of limits: every bound exists and is as large as it says, and so does every test that holds one."""

from __future__ import annotations

import re
from dataclasses import fields
from importlib import import_module
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.model import Limits, Mirror, Service, Upgrades
from tests.starting import ROOT

_ROW = re.compile(r"^\| `([\w.]+)` \| (\S+) \| .+ \| `([\w.]+)` \|$", re.MULTILINE)
_CONSTANT = re.compile(r"\.[A-Z][A-Z0-9_]*$")


def rows() -> list[tuple[str, str, str]]:
    """Bound, default and test of each row."""
    text = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
    found = _ROW.findall(text)
    assert len(found) == sum(line.startswith("| `") for line in text.splitlines()), "a row is not read"
    return found


def value_of(bound: str) -> Any:
    """What a bound is: a constant's value, or a key's default."""
    if _CONSTANT.search(bound):
        module, _, name = bound.rpartition(".")
        return getattr(import_module(f"apigateway.{module}"), name)
    first, *rest = bound.split(".")
    value: Any = {"limits": Limits(), "service": Service("", (), ()), "mirror": Mirror(""), "upgrades": Upgrades()}[
        first
    ]
    for name in rest:
        value = getattr(value, name)
    return value


class LimitsPageTests(SynchronousTestCase):
    def test_every_bound_is_what_it_says(self) -> None:
        wrong = [(bound, said, value_of(bound)) for bound, said, _ in rows() if str(value_of(bound)) != said]
        self.assertEqual(wrong, [])

    def test_every_key_of_limits_is_there(self) -> None:
        said = {bound for bound, _, _ in rows()}
        # How late the loop may be is no bound on a client; docs/overload.md tells of it.
        self.assertEqual({f"limits.{one.name}" for one in fields(Limits)} - said, {"limits.lag"})

    def test_every_test_is_there(self) -> None:
        missing = []
        for _, _, test in rows():
            module, case, name = test.rsplit(".", 2)
            found = getattr(import_module(f"tests.{module}"), case, None)
            # Tests of behaviour carry the way through the gateway behind their name.
            if not any(known == name or known.startswith(f"{name}__") for known in dir(found)):
                missing.append(test)
        self.assertEqual(missing, [])
