"""The shape of the house: who may import whom, what each part must not know, and how large a room may be.

Reads the source with `ast`; nothing of it is run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.starting import ROOT

SOURCE = ROOT / "apigateway"

ORDER = (
    "tap", "gateway", "lifecycle", "assembly", "plugins", "admin", "workers", "config", "downstream", "routing",
    "policies", "upstream", "discovery", "stores", "telemetry",
)  # fmt: skip
"""Each part may import those after it, and the ground."""

GROUND = {"http", "exchange", "errors", "interfaces"}
"""What all may import. It imports nothing but itself."""

OUTSIDE = {"__init__", "__main__", "command", "demo", "sockets", "testing"}
"""Parts that stand beside the order, each with a rule of its own below."""

MUST_NOT_IMPORT = {
    "http": ("twisted", "treq", "socket", "asyncio"),
    "exchange": ("twisted", "treq", "socket", "asyncio"),
    "errors": ("twisted", "treq", "socket", "asyncio"),
    "config": ("twisted", "treq", "httptools", "socket", *(f"apigateway.{part}" for part in ORDER if part != "config"),
               "apigateway.exchange", "apigateway.interfaces"),
    "downstream": ("apigateway.config", "apigateway.policies", "apigateway.upstream", "apigateway.routing"),
    "upstream": ("apigateway.config", "apigateway.policies", "apigateway.routing", "apigateway.downstream"),
    "policies": ("apigateway.config", "apigateway.upstream", "apigateway.downstream", "twisted.internet.reactor"),
    "telemetry": ("apigateway.config", "apigateway.upstream", "apigateway.routing", "apigateway.policies"),
    "demo": tuple(f"apigateway.{part}" for part in (*ORDER, *GROUND, "sockets", "testing")),
    "sockets": tuple(f"apigateway.{part}" for part in (*ORDER, *GROUND)),
    "command": tuple(
        f"apigateway.{part}" for part in (*ORDER, *GROUND, "sockets") if part not in ("config", "lifecycle")
    ),
}  # fmt: skip

MAY_IMPORT_DEMO = {"tap", "command", "demo"}

UNTESTED_BY_NAME = {
    "__main__": "one call; run by test_command",
    "interfaces": "interfaces only; verified where they are implemented",
    "downstream.opening": "values only; read by the tests of listeners",
    **dict.fromkeys(
        (
            f"config.model.{name}"
            for name in (
                "balance",
                "discovery",
                "files",
                "listener",
                "process",
                "retries",
                "route",
                "service",
                "sizes",
                "tls",
                "traffic",
                "upgrades",
                "upstream_tls",
            )
        ),
        "values only; read by the tests of everything else",
    ),
}
"""Modules without a test file of their own, and why."""

REACTOR = "twisted.internet.reactor"

SHARED_BY_POLICIES = {"policy", "catalogue", "field_rules", "client_key", "decided"}
"""Modules of policies/ that are no policies."""

LONGEST_MODULE = 350
LONGEST_FUNCTION = 60
LONG_FUNCTION = 40
SHARE_OF_LONG_FUNCTIONS = 0.02

BANNED_NAMES = ("handler", "manager", "engine", "helper", "utils", "processor")


@cache
def modules() -> dict[str, ast.Module]:
    """Every module by its name below `apigateway`, parsed; packages are called `NAME.__init__`."""
    return {_name(path): ast.parse(path.read_text(encoding="utf-8")) for path in sorted(SOURCE.rglob("*.py"))}


def _name(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts)


def part_of(module: str) -> str:
    """The part of the house that a module belongs to."""
    return module.partition(".")[0]


def imported(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """What is imported anywhere in a module, by full name, and where; imports for types only count as well."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def own(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """The parts of the house that a module imports, and where."""
    for name, line in imported(tree):
        words = name.split(".")
        if words[0] == "apigateway" and len(words) > 1:
            yield words[1], line


def run_time_imports(tree: ast.Module) -> Iterator[ast.ImportFrom]:
    """The imports that are carried out when a module is loaded."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            yield node


def functions(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every function and its length in lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            yield node.name, node.end_lineno - node.lineno + 1


class ImportTests(SynchronousTestCase):
    maxDiff = None

    def setUp(self) -> None:
        self.modules = modules()

    def test_every_part_has_its_place(self) -> None:
        parts = {part_of(module) for module in self.modules}
        self.assertEqual(parts - {*ORDER, *GROUND, *OUTSIDE}, set())

    def test_parts_import_downwards_only(self) -> None:
        wrong = []
        for module, tree in self.modules.items():
            part = part_of(module)
            if part in OUTSIDE:
                continue
            below = GROUND if part in GROUND else {*ORDER[ORDER.index(part) :], *GROUND, "sockets"}
            allowed = below | ({"demo", "__version__"} if part in ORDER else set())
            wrong += [f"{module}:{line} imports {name}" for name, line in own(tree) if name not in allowed]
        self.assertEqual(wrong, [])

    def test_no_part_knows_what_it_must_not(self) -> None:
        wrong = []
        for module, tree in self.modules.items():
            for banned in MUST_NOT_IMPORT.get(part_of(module), ()):
                wrong += [
                    f"{module}:{line} imports {name}"
                    for name, line in imported(tree)
                    if name == banned or name.startswith(banned + ".")
                ]
        self.assertEqual(wrong, [])

    def test_only_tap_imports_the_reactor_and_not_before_it_is_wanted(self) -> None:
        importing = {m for m, tree in self.modules.items() for name, _ in imported(tree) if name == REACTOR}
        self.assertEqual(importing, {"tap", "demo.__main__"})
        early = [m for m in importing for node in run_time_imports(self.modules[m]) if node.module == REACTOR]
        self.assertEqual(early, [])

    def test_only_the_command_line_knows_the_demo(self) -> None:
        importing = {part_of(m) for m, tree in self.modules.items() for name, _ in own(tree) if name == "demo"}
        self.assertEqual(importing - MAY_IMPORT_DEMO, set())

    def test_nothing_that_serves_imports_the_test_doubles(self) -> None:
        importing = {part_of(m) for m, tree in self.modules.items() for name, _ in own(tree) if name == "testing"}
        self.assertEqual(importing - {"testing"}, set())

    def test_policies_do_not_know_each_other(self) -> None:
        rooms = {m.split(".")[1] for m in self.modules if m.startswith("policies.")} - {"__init__", *SHARED_BY_POLICIES}
        wrong = []
        for module, tree in self.modules.items():
            if part_of(module) == "policies" and module.split(".")[1] in rooms:
                names = {name.split(".")[2] for name, _ in imported(tree) if name.startswith("apigateway.policies.")}
                wrong += [f"{module} imports {name}" for name in names & rooms]
        self.assertEqual(wrong, [])

    def test_modules_import_each_other_in_no_circle(self) -> None:
        graph: dict[str, set[str]] = {}
        for module, tree in self.modules.items():
            graph[module] = set()
            for node in run_time_imports(tree):
                name = (node.module or "").removeprefix("apigateway.")
                for found in (name, *(f"{name}.{alias.name}" for alias in node.names)):
                    if found in self.modules:
                        graph[module].add(found)
        TopologicalSorter(graph).prepare()


class RoomTests(SynchronousTestCase):
    maxDiff = None

    def setUp(self) -> None:
        self.modules = modules()

    def test_every_module_says_what_it_knows(self) -> None:
        self.assertEqual([module for module, tree in self.modules.items() if not ast.get_docstring(tree)], [])

    def test_every_module_has_its_test_file(self) -> None:
        missing = []
        for module in self.modules:
            *folders, last = module.split(".")
            expected = ROOT.joinpath("tests", *folders, f"test_{last.strip('_')}.py")
            if last != "__init__" and module not in UNTESTED_BY_NAME and not expected.exists():
                missing.append(str(expected.relative_to(ROOT)))
        self.assertEqual(missing, [])

    def test_what_needs_no_test_file_still_exists_and_has_none(self) -> None:
        for module in UNTESTED_BY_NAME:
            *folders, last = module.split(".")
            self.assertIn(module, self.modules)
            self.assertFalse(ROOT.joinpath("tests", *folders, f"test_{last.strip('_')}.py").exists(), module)

    def test_every_test_file_has_its_module(self) -> None:
        orphans = []
        for path in sorted((ROOT / "tests").rglob("test_*.py")):
            folders = path.relative_to(ROOT / "tests").parts[:-1]
            if folders and (SOURCE / folders[0]).exists():
                name = path.stem.removeprefix("test_")
                if not any((SOURCE.joinpath(*folders) / f"{n}.py").exists() for n in (name, f"__{name}__")):
                    orphans.append(str(path.relative_to(ROOT)))
        self.assertEqual(orphans, [])

    def test_no_module_is_long(self) -> None:
        lengths = {str(path): path.read_text(encoding="utf-8").count("\n") for path in SOURCE.rglob("*.py")}
        self.assertEqual({path: length for path, length in lengths.items() if length > LONGEST_MODULE}, {})

    def test_functions_fit_in_the_head(self) -> None:
        lengths = [
            (length, f"{module}.{name}") for module, tree in self.modules.items() for name, length in functions(tree)
        ]
        self.assertEqual([found for found in lengths if found[0] > LONGEST_FUNCTION], [])
        long = [found for found in lengths if found[0] > LONG_FUNCTION]
        self.assertLessEqual(len(long), SHARE_OF_LONG_FUNCTIONS * len(lengths), sorted(long))

    def test_names_say_something(self) -> None:
        said = [module for module in self.modules for word in BANNED_NAMES if word in module]
        for module, tree in self.modules.items():
            names = [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.FunctionDef)]
            said += [f"{module}.{name}" for name in names for word in BANNED_NAMES if word in name.lower()]
        self.assertEqual(said, [])

    def test_nothing_of_ours_takes_the_place_of_a_package_of_twisted(self) -> None:
        self.assertEqual(sorted(path.name for path in (ROOT / "twisted").rglob("*.py")), ["apigateway_plugin.py"])

    def test_the_plugin_holds_no_logic(self) -> None:
        tree = ast.parse((ROOT / "twisted" / "plugins" / "apigateway_plugin.py").read_text(encoding="utf-8"))
        self.assertEqual(list(functions(tree)), [])
