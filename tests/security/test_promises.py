"""Each promise of `docs/security.md` names the tests that hold it, and they are there."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.starting import ROOT

TEST = re.compile(r"`(tests(?:\.\w+)+)`")


def promises() -> dict[str, list[str]]:
    """The rows of the tables under "What is promised": the promise, and the names of its tests."""
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    part = page.partition("\n## What is promised\n")[2].partition("\n## ")[0]
    rows = [
        line.strip("|").split(" | ")
        for line in part.splitlines()
        if line.startswith("| ") and "| held by |" not in line
    ]
    return {row[0].strip(): TEST.findall(row[-1]) for row in rows}


def found(name: str) -> Any:
    """The module, class or method of that name."""
    words = name.split(".")
    last = next(at for at in range(len(words), 0, -1) if _is_module(".".join(words[:at])))
    thing: Any = import_module(".".join(words[:last]))
    for word in words[last:]:
        thing = getattr(thing, word)
    return thing


def _is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def holds_tests(thing: Any) -> bool:
    """Whether there is a test in it."""
    if inspect.ismodule(thing):
        return any(holds_tests(one) for one in vars(thing).values() if inspect.isclass(one))
    if inspect.isclass(thing):
        return any(name.startswith("test_") for name in dir(thing))
    return callable(thing) and thing.__name__.startswith("test_")


class PromiseTests(SynchronousTestCase):
    def test_every_promise_names_tests_that_are_there(self) -> None:
        rows = promises()
        self.assertGreater(len(rows), 15)
        for promise, names in rows.items():
            self.assertTrue(names, promise)
            for name in names:
                self.assertTrue(holds_tests(found(name)), f"{promise}: {name}")

    def test_every_module_of_attacks_holds_a_promise(self) -> None:
        named = " ".join(name for names in promises().values() for name in names)
        own = {path.stem for path in (ROOT / "tests" / "security").glob("test_*.py")} - {
            "test_promises",
            "test_readings",
        }
        self.assertEqual({name for name in own if f"tests.security.{name}" not in named}, set())

    def test_a_name_that_is_not_there_would_be_noticed(self) -> None:
        self.assertRaises(AttributeError, found, "tests.http.test_paths.NoSuchTests")
        self.assertRaises(AttributeError, found, "tests.http.test_no_such")
        self.assertFalse(holds_tests(found("tests.security.readings")))
