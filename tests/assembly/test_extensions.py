"""Policies that are not in the box: found, named in a configuration, and refused where they can't be."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from apigateway.assembly.extensions import PolicyPlugins, installed
from apigateway.config.problems import ConfigurationError
from apigateway.config.read import parse_text
from apigateway.config.scalars import integer
from apigateway.config.tables import Table, keys_of
from apigateway.exchange import Exchange
from apigateway.interfaces import IPolicyPlugin
from apigateway.policies.policy import Policy, PolicyTools
from apigateway.testing.gateway import running_gateway
from apigateway.testing.memory import MemoryNetwork
from apigateway.testing.scripted_service import ScriptedService
from tests.starting import environment

FILE = """
services:
  shop:
    targets: ["http://shop:80"]
    routes:
      - {path: /plain}
      - path: /tagged
        policies: {tag: {times: 2}}
        rate_limit: {limit: 2, window: 60s}
"""


@dataclass(frozen=True)
class Times:
    times: int = 1


@implementer(IPolicyPlugin)
class Tag:
    """Puts a field on the request, and on all answers to it."""

    name = "tag"
    after = "cors"
    options = Table("tag", keys_of(Times, times=(integer(1), "How often.")), Times)

    def __init__(self, name: str = "tag", after: str = "cors") -> None:
        self.name = name
        self.after = after

    def make(self, options: Times, tools: PolicyTools) -> Policy | None:
        value = f"{tools.service} {tools.route} {options.times}".encode()

        def ask(exchange: Exchange) -> None:
            exchange.head.plain = [*exchange.head.plain, (b"X-Tag", value)]
            exchange.extra.append((b"X-Tag", value))

        return Policy(self.name, ask)


class Faulty(Tag):
    """Can't be made."""

    def make(self, options: Times, tools: PolicyTools) -> Any:
        raise ZeroDivisionError("with a s3cret in it")


class Odd(Tag):
    """Makes something else."""

    def make(self, options: Times, tools: PolicyTools) -> Any:
        return "a policy"


class Absent(Tag):
    """Has nothing to do on any route."""

    def make(self, options: Times, tools: PolicyTools) -> None:
        return None


class RunningTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.network.hosts["shop"] = ["10.0.0.1"]
        self.service = ScriptedService()
        self.service.listen(self.network.reactor, 80, "10.0.0.1")

    def test_a_policy_is_asked_on_its_routes_and_on_no_others(self) -> None:
        gateway = running_gateway(FILE, self.network, policies=[Tag()])
        answers = [gateway.ask("GET", path) for path in ("/plain", "/tagged")]
        self.assertEqual([answer.get(b"x-tag") for answer in answers], [None, b"shop /tagged 2"])
        self.assertEqual([one.get(b"x-tag") for one in self.service.requests], [None, b"shop /tagged 2"])

    def test_it_has_its_place_among_those_in_the_box(self) -> None:
        for after, tagged in (("cors", [True, True, True]), ("rate-limit", [True, True, False])):
            gateway = running_gateway(FILE, MemoryNetwork(), policies=[Tag(after=after)])
            answers = [gateway.ask("GET", "/tagged") for _ in range(3)]
            self.assertEqual([answer.get(b"x-tag") is not None for answer in answers], tagged, after)
            self.assertEqual(answers[2].status, 429)

    def test_one_that_has_nothing_to_do_is_not_there(self) -> None:
        gateway = running_gateway(FILE, self.network, policies=[Absent()])
        self.assertIsNone(gateway.ask("GET", "/tagged").get(b"x-tag"))


class PluginTests(SynchronousTestCase):
    def test_ours_is_what_its_interface_says(self) -> None:
        self.assertTrue(verifyObject(IPolicyPlugin, Tag()))

    def test_two_of_one_name_or_one_without_a_place_are_refused(self) -> None:
        self.assertRaises(ValueError, PolicyPlugins, [Tag(), Tag()])
        self.assertRaises(ValueError, PolicyPlugins, [Tag(after="everything")])

    def test_repr_names_them(self) -> None:
        self.assertEqual(repr(PolicyPlugins([Tag(), Tag("tug")])), "<PolicyPlugins tag tug>")
        self.assertEqual(repr(PolicyPlugins([])), "<PolicyPlugins none>")


class RefusalTests(SynchronousTestCase):
    def problems(self, file: str, *plugins: Any) -> str:
        with self.assertRaises(ConfigurationError) as checked:
            PolicyPlugins(plugins).check(parse_text(file, "test.yaml", {}))
        with self.assertRaises(ConfigurationError) as started:
            running_gateway(parse_text(file, "test.yaml", {}), MemoryNetwork(), policies=plugins)
        self.assertEqual(str(checked.exception), str(started.exception))
        return str(checked.exception)

    PLACE = "services.shop.routes[1].policies.tag"

    def test_one_that_is_not_installed_is_told_with_its_line(self) -> None:
        said = f"test.yaml:8: {self.PLACE}: no such policy is installed; "
        self.assertEqual(self.problems(FILE), f"{said}none is")
        self.assertEqual(self.problems(FILE, Tag("tags")), f"{said}did you mean `tags`?")

    def test_options_that_it_does_not_take_are_told_with_their_line(self) -> None:
        told = self.problems(FILE.replace("times: 2", "times: 0, color: red"), Tag())
        self.assertIn(f"test.yaml:8: {self.PLACE}.times: expected a whole number, at least 1, not '0'", told)
        self.assertIn(f"test.yaml:8: {self.PLACE}.color: unknown key", told)

    def test_one_that_cannot_be_made_keeps_the_gateway_from_starting_and_the_log_tells_why(self) -> None:
        for plugin, error in ((Faulty(), ZeroDivisionError), (Odd(), TypeError)):
            with self.assertRaises(ConfigurationError) as caught:
                running_gateway(FILE, MemoryNetwork(), policies=[plugin])
            self.assertIn(f"{self.PLACE}: the policy could not be made: {error.__name__}", str(caught.exception))
            self.assertNotIn("s3cret", str(caught.exception))
            self.assertEqual(len(self.flushLoggedErrors(error)), 1)

    def test_options_whose_reading_fails_are_told_too(self) -> None:
        plugin = Tag()
        plugin.options = "none at all"  # type: ignore[assignment]  # no kind
        self.assertIn("could not be made: AttributeError", self.problems(FILE, plugin))
        self.assertEqual(len(self.flushLoggedErrors(AttributeError)), 2)


PLUGIN = """
from twisted.plugin import IPlugin
from zope.interface import implementer

from apigateway.interfaces import IPolicyPlugin
from apigateway.policies.policy import Policy


@implementer(IPlugin, IPolicyPlugin)
class Tag:
    name = "tag"
    after = "cors"
    options = None

    def make(self, options, tools):
        return Policy("tag")


tag = Tag()
"""


class DiscoveryTests(SynchronousTestCase):
    def test_nothing_of_ours_is_a_plugin(self) -> None:
        self.assertEqual([one.name for one in installed()], [])

    def test_a_module_in_a_folder_on_the_path_is_found(self) -> None:
        folder = Path(self.mktemp()).resolve()
        place = folder / "apigateway" / "plugins"
        place.mkdir(parents=True)
        (place / "tagging.py").write_text(PLUGIN, encoding="utf-8")
        file = folder / "gateway.yaml"
        file.write_text("services: {a: {prefix: /a, targets: [http://a], policies: {tag: }}}\n", encoding="utf-8")
        for path, code in ((str(folder), 0), ("", 1)):
            environ = environment()
            environ["PYTHONPATH"] = f"{path}:{environ.get('PYTHONPATH', '')}"
            done = subprocess.run(
                [sys.executable, "-m", "apigateway", "check", str(file)],
                env=environ, capture_output=True, text=True, check=False,
            )  # fmt: skip
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertIn("ok" if path else "no such policy is installed", done.stdout + done.stderr)
