"""The event log: words, lines and levels."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.logger import ILogObserver, Logger, LogPublisher
from twisted.python import log as legacy
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

import apigateway
from apigateway.telemetry.events import EVENTS, FORMATS, LEVELS, EventWriter, json_event, text_event

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers() | st.tuples(), inner),
    max_leaves=8,
)


class Odd:
    """Nothing can be learned from it."""

    def __repr__(self) -> str:
        raise RuntimeError("no")

    __str__ = __repr__


def emitted(format: str = "json", level: str = "debug") -> tuple[Logger, StringIO]:
    """A logger, and where its events are written."""
    stream = StringIO()
    return Logger(namespace="apigateway.test", observer=EventWriter(stream, level, format)), stream


def words_in(source: Path) -> Iterator[str]:
    """Every word that a module gives as the field `event`."""
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        if isinstance(node, ast.keyword) and node.arg == "event" and isinstance(node.value, ast.Constant):
            yield str(node.value.value)


class WordsTests(SynchronousTestCase):
    """The catalogue of events."""

    def test_it_holds_every_word_that_the_gateway_uses_and_no_other(self) -> None:
        package = Path(apigateway.__file__).parent
        used = {word for source in package.rglob("*.py") for word in words_in(source)}
        self.assertEqual(used, set(EVENTS))

    def test_the_page_on_observability_explains_every_word(self) -> None:
        page = (Path(__file__).parents[2] / "docs" / "observability.md").read_text("utf-8")
        self.assertEqual([word for word in EVENTS if f"| `{word}` |" not in page], [])


class JsonTests(SynchronousTestCase):
    """Events as JSON."""

    def test_an_event_is_told_with_all_its_fields(self) -> None:
        log, stream = emitted()
        log.warn("{target}: {old} -> {new}", event="breaker-changed", target="http://a:1", old="closed", new="open")
        told = json.loads(stream.getvalue())
        self.assertRegex(told.pop("time"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual(
            told,
            {
                "level": "warn",
                "namespace": "apigateway.test",
                "event": "breaker-changed",
                "message": "http://a:1: closed -> open",
                "fields": {"target": "http://a:1", "old": "closed", "new": "open"},
            },
        )

    def test_a_failure_is_told_with_its_traceback(self) -> None:
        log, stream = emitted()
        try:
            raise ValueError("broken\nin two")
        except ValueError:
            log.failure("that went wrong")
        told = json.loads(stream.getvalue())
        self.assertEqual((told["level"], told["message"]), ("critical", "that went wrong"))
        self.assertIn("ValueError: broken\nin two", told["traceback"])
        self.assertEqual(stream.getvalue().count("\n"), 1)

    @settings(deadline=None)
    @given(VALUES)
    def test_whatever_the_value_an_event_is_one_line_of_valid_json(self, value: Any) -> None:
        def refuse(constant: str) -> None:
            raise ValueError(f"{constant} is no JSON")

        log, stream = emitted()
        log.info("it is {value}", value=value)
        told = stream.getvalue()
        self.assertEqual(told.splitlines(), [told[:-1]])
        json.loads(told, parse_constant=refuse)

    def test_values_that_nothing_can_be_learned_of_do_no_harm(self) -> None:
        circle: list[object] = []
        circle.append(circle)
        log, stream = emitted()
        log.info("{odd}", odd=Odd(), circle=circle, number=1 << 100, none=None, many={(1, 2): 3})
        fields = json.loads(stream.getvalue())["fields"]
        self.assertEqual((fields["number"], fields["none"], fields["many"]), (1 << 100, None, "{(1, 2): 3}"))
        self.assertIn("Odd", fields["odd"])
        self.assertEqual(fields["circle"], "[[...]]")

    def test_a_failure_whose_text_cannot_be_made_is_told_all_the_same(self) -> None:
        class Unprintable(Exception):
            __str__ = __repr__ = Odd.__repr__

        log, stream = emitted()
        try:
            raise Unprintable
        except Unprintable:
            log.failure("that went wrong")
        self.assertIn("Unprintable", json.loads(stream.getvalue())["traceback"])


class TextTests(SynchronousTestCase):
    """Events as text."""

    def test_an_event_is_told_with_all_its_fields(self) -> None:
        log, stream = emitted("text")
        log.warn("{target} is {state}", event="target-unhealthy", target="http://a:1", state="ill")
        self.assertRegex(
            stream.getvalue(),
            r"^\S+Z warn apigateway\.test target-unhealthy http://a:1 is ill target=\"http://a:1\" state=\"ill\"\n$",
        )

    def test_a_traceback_follows_on_lines_that_begin_with_spaces(self) -> None:
        log, stream = emitted("text")
        try:
            raise ValueError("broken\n2030-01-01T00:00:00.000Z info forged - all is well")
        except ValueError:
            log.failure("that went wrong")
        first, *others = stream.getvalue().splitlines()
        self.assertIn(" critical apigateway.test - that went wrong", first)
        self.assertTrue(others)
        self.assertTrue(all(line.startswith("    ") for line in others))

    @settings(deadline=None)
    @given(VALUES)
    def test_whatever_the_value_an_event_is_one_line_of_printable_ascii(self, value: Any) -> None:
        log, stream = emitted("text")
        log.info("it is {value}", value=value)
        told = stream.getvalue()
        self.assertTrue(told.endswith("\n") and told[:-1].isascii() and told[:-1].isprintable(), told)


class ObserverTests(SynchronousTestCase):
    """What is written at all."""

    def test_it_is_an_observer_as_twisted_wants_it(self) -> None:
        verifyObject(ILogObserver, EventWriter(StringIO(), "info", "text"))

    def test_events_below_the_level_are_left_out(self) -> None:
        told = {}
        for level in LEVELS:
            log, stream = emitted(level=level)
            for emit in (log.debug, log.info, log.warn, log.error, log.critical):
                emit("x")
            told[level] = stream.getvalue().count("\n")
        self.assertEqual(told, {"debug": 5, "info": 4, "warn": 3, "error": 2})

    def test_level_and_format_can_change_while_it_runs(self) -> None:
        stream = StringIO()
        observer = EventWriter(stream, "warn", "text")
        log = Logger(namespace="x", observer=observer)
        log.info("one")
        observer.change("info", "json")
        log.info("two")
        self.assertEqual(json.loads(stream.getvalue())["message"], "two")

    def test_events_of_the_older_log_are_told_too(self) -> None:
        for format in FORMATS:
            stream = StringIO()
            publisher = legacy.LogPublisher(publishPublisher=LogPublisher(EventWriter(stream, "debug", format)))
            publisher.msg("Starting factory", "twice")
            self.assertIn("Starting factory twice", stream.getvalue())
            self.assertNotIn("isError", stream.getvalue())

    def test_what_twisted_only_tells_for_information_is_left_out_unless_debugging(self) -> None:
        told = {}
        for level in ("debug", "info"):
            stream = StringIO()
            log = Logger(namespace="twisted.web.client", observer=EventWriter(stream, level, "text"))
            log.info("Starting factory")
            log.warn("out of files")
            told[level] = stream.getvalue().count("\n")
        self.assertEqual(told, {"debug": 2, "info": 1})

    def test_a_stream_that_cannot_be_written_to_loses_events_and_no_more(self) -> None:
        stream = StringIO()
        observer = EventWriter(stream, "info", "text")
        stream.close()
        observer({"log_format": "x"})
        self.assertTrue(stream.closed)

    def test_an_event_without_anything_is_still_told(self) -> None:
        self.assertEqual(json.loads(json_event({}))["message"], "")
        self.assertEqual(text_event({}), "1970-01-01T00:00:00.000Z - - - \n")
