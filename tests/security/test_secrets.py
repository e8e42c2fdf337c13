"""Secrets of the operator and of clients show nowhere: in no log, page, problem of a file, `repr` or traceback."""

from __future__ import annotations

import gc
import io
import json
import re
from collections.abc import Iterator
from types import FunctionType
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.logger import LogLevel, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.check import routes_table
from apigateway.config.read import ConfigurationError, parse_text
from apigateway.telemetry.events import EventWriter
from apigateway.telemetry.lines import FORMATS, QUERY_RULES
from apigateway.testing.gateway import RunningGateway, running_gateway
from apigateway.testing.memory import MemoryNetwork
from apigateway.testing.scripted_service import ScriptedService
from tests.starting import ROOT

Way = tuple[Any, ...]

HIDDEN = "hunter2hunter2"

CONFIGURATION = """
admin: {token: "${HIDDEN}"}
services:
  one:
    targets: ["http://one:80"]
    health_check: false
    headers:
      set_request: {Authorization: "Bearer ${HIDDEN}"}
      set_response: {X-Internal: "${HIDDEN}"}
    fallback: {status: 503, headers: {X-Key: "${HIDDEN}"}, body: "${HIDDEN}"}
    routes:
      - {path: /one}
      - {path: /one, match_headers: {X-Api-Key: "${HIDDEN}"}}
"""
CREDENTIALS = tuple(
    (name, f"secret {HIDDEN}".encode())
    for name in (b"Authorization", b"Cookie", b"Proxy-Authorization", b"X-Api-Key", b"X-Auth-Token", b"X-Csrf-Token")
)


class RunningCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.network = network = MemoryNetwork()
        network.hosts["one"] = ["10.1.1.1"]
        self.service = ScriptedService()
        self.service.listen(network.reactor, 80, "10.1.1.1")
        self.service.answers(200, b"x", {"Set-Cookie": f"session={HIDDEN}"})
        self.gateway: RunningGateway = running_gateway(CONFIGURATION, network, {"HIDDEN": HIDDEN})


class ReprTests(RunningCase):
    def test_a_configuration_does_not_show_them(self) -> None:
        self.assertNotIn(HIDDEN, repr(self.gateway.gateway.configuration))

    def test_nor_does_anything_that_was_made_of_it(self) -> None:
        self.gateway.ask("GET", "/one", CREDENTIALS)
        shown = [type(one).__name__ for one in gc.get_objects() if _is_ours(one) and HIDDEN in _repr(one)]
        self.assertEqual(shown, [])

    def test_the_test_would_notice(self) -> None:
        class Leak:
            def __repr__(self) -> str:
                return HIDDEN

        Leak.__module__ = "apigateway.leak"
        one = Leak()
        self.assertTrue(_is_ours(one))
        self.assertIn(HIDDEN, _repr(one))


def _is_ours(one: object) -> bool:
    """Of the gateway; doubles of tests may show what they hold."""
    module = str(type(one).__module__)
    is_running = module.startswith("apigateway.") and not module.startswith("apigateway.testing.")
    return is_running and not isinstance(one, type | FunctionType)


def _repr(one: object) -> str:
    try:
        return repr(one)
    except Exception:  # half-made things of other tests
        return ""


class LogTests(RunningCase):
    def test_lines_of_the_access_log_hold_no_credentials(self) -> None:
        self.gateway.ask("GET", "/one", CREDENTIALS)
        (exchange,) = self.gateway.observer.exchanges
        for name, format in FORMATS.items():
            self.assertNotIn(HIDDEN.encode(), format(QUERY_RULES["mask"])(exchange, 0.0), name)

    def test_pages_hold_none_of_the_operators(self) -> None:
        self.gateway.ask("GET", "/one", CREDENTIALS)
        for page in ("/", "/health", "/gateway", "/gateway/stats", "/gateway/metrics"):
            answer = self.gateway.ask("GET", page, [(b"Host", b"localhost")], source="127.0.0.1")
            self.assertEqual(answer.status, 200)
            self.assertNotIn(HIDDEN.encode(), answer.body, page)

    def test_the_traceback_of_a_failure_shows_no_values_of_variables(self) -> None:
        stream = io.StringIO()
        for format in ("text", "json"):
            EventWriter(stream, "debug", format)(
                {
                    "log_level": LogLevel.critical,
                    "log_format": "x",
                    "log_failure": self.failure(HIDDEN),
                    "log_time": 0.0,
                }
            )
        self.assertIn("ZeroDivisionError", stream.getvalue())
        self.assertNotIn(HIDDEN, stream.getvalue())

    def failure(self, password: str) -> Failure:
        try:
            assert password
            return Failure(ValueError(str(1 / 0)))
        except ZeroDivisionError:
            return Failure(captureVars=True)

    def test_events_of_a_life_hold_none(self) -> None:
        stream = io.StringIO()
        observer = EventWriter(stream, "debug", "text")
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        for service_answers in (200, 500, 500, 500, 500, 500, 500):
            self.service.answers(service_answers)
            self.gateway.ask("GET", "/one", CREDENTIALS)
        self.gateway.ask("GET", "/gateway", [(b"Authorization", f"Bearer {HIDDEN}x".encode())])
        self.gateway.stop()
        self.network.advance(60)
        self.assertIn("breaker-changed", stream.getvalue())
        self.assertNotIn(HIDDEN, stream.getvalue())


class CheckTests(SynchronousTestCase):
    def test_the_table_of_routes_holds_none(self) -> None:
        table = routes_table(parse_text(CONFIGURATION, "gateway.yaml", {"HIDDEN": HIDDEN}))
        self.assertIn("match X-Api-Key", table)
        self.assertNotIn(HIDDEN, table)


BAD = st.sampled_from(
    (
        HIDDEN, f"http://user:{HIDDEN}@host", f"http://{HIDDEN}:99999", f"http://[{HIDDEN}]", f"/{HIDDEN}//x",
        f"10.0.0.1/{HIDDEN}",
        f"{HIDDEN}\n", f"http://host/{HIDDEN}", f"http://host?{HIDDEN}", f"{HIDDEN}ms", f"1.5{HIDDEN}", f"-{HIDDEN}",
        f" {HIDDEN} ",
        f"${{{HIDDEN}", f"a,{HIDDEN}", f"tcp:{HIDDEN}", f"header:{HIDDEN} x", f"\ud800{HIDDEN}", f"\x00{HIDDEN}",
    )
)  # fmt: skip


class ProblemTests(SynchronousTestCase):
    """What is wrong with a file is told without the values of variables."""

    def told(self, tree: Any, value: str) -> str:
        try:
            parse_text(json.dumps(tree), "gateway.yaml", {"HIDDEN": value})
        except ConfigurationError as error:
            return f"{error} {error!r} {Failure(error).getTraceback()}"
        return ""

    @settings(deadline=None, max_examples=500)
    @given(st.data(), BAD, st.sampled_from(("${HIDDEN}", "a${HIDDEN}", "http://${HIDDEN}", "${NONE:-x}${HIDDEN}")))
    def test_wherever_a_variable_stands(self, data: st.DataObject, value: str, written: str) -> None:
        place = data.draw(st.sampled_from(PLACES))
        self.assertNotIn(HIDDEN, self.told(changed(TREE, place, written), value), place)

    def test_what_is_told_instead_is_the_variable(self) -> None:
        for place, written, told in (
            (("limits", "head"), "${HIDDEN}", "at least 1KiB, not what '${HIDDEN}' stands for"),
            (("services", "auth", "prefix"), "/${HIDDEN}//x", "holds an empty segment"),
        ):
            self.assertIn(told, self.told(changed(TREE, place, written), HIDDEN))

    def test_a_value_that_stands_in_the_file_itself_is_told(self) -> None:
        self.assertIn("not '5 s'", self.told(changed(TREE, ("limits", "head_timeout"), "5 s"), ""))


def leaves(tree: Any, way: Way = ()) -> Iterator[Way]:
    """The ways to all single values."""
    children = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, child in children:
        yield from leaves(child, (*way, key))
    if not isinstance(tree, dict | list):
        yield way


def changed(tree: Any, way: Way, value: str) -> Any:
    """The tree with another value there."""
    if not way:
        return value
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    copy[way[0]] = changed(tree[way[0]], way[1:], value)
    return copy


EVERY_KEY = re.sub(r"(?m)^( *)#(?=[a-z-])", r"\1", (ROOT / "gateway.yaml").read_text(encoding="utf-8"))
TREE = yaml.safe_load(EVERY_KEY)
PLACES = sorted(leaves(TREE), key=str)
