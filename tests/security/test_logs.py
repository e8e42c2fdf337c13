"""Nobody can write into the logs but the gateway, whatever comes over the wire."""

from __future__ import annotations

import io
import json
import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from twisted.logger import LogLevel
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from apigateway.exchange import Exchange
from apigateway.telemetry.events import FORMATS as EVENT_FORMATS
from apigateway.telemetry.events import EventWriter
from apigateway.telemetry.lines import FORMATS, QUERY_RULES
from apigateway.testing.gateway import running_gateway
from apigateway.testing.memory import MemoryNetwork
from apigateway.testing.scripted_service import ScriptedService
from tests.telemetry.test_lines import COMBINED

CONFIGURATION = """
trusted_proxies: [10.0.0.9]
admin: {allow: [10.0.0.9]}
services: {one: {prefix: /, targets: ["http://one:80"], health_check: false, rate_limit: false}}
"""
NASTY = (
    b'"', b"\\", b"\\x0a", b"\x1b[2J", b"\x1b]0;x\x07", b"\xc2\x9b31m", b"\xe2\x80\xa8", b"\xe2\x80\xa9",
    b"\xe2\x80\xae", b"\x85",
    b"\xff\xfe", b"\xed\xa0\x80", b"\t", b" ", b"%0d%0a", b"\r", b"\n", b"\r\n", b"\x00", b"\x0b", b"\x0c", b"\x1c",
    b"\x7f", b"{", b"}",
    b'"}\n{"status": 200', b"' - - [", b"</script>", b"a",
)  # fmt: skip

nasty = st.lists(st.sampled_from(NASTY), max_size=6).map(b"".join)


class AccessLogTests(SynchronousTestCase):
    """Lines of the access log."""

    def setUp(self) -> None:
        network = MemoryNetwork()
        network.hosts["one"] = ["10.1.1.1"]
        service = ScriptedService()
        service.listen(network.reactor, 80, "10.1.1.1")
        service.answers(200, b"x")
        self.gateway = running_gateway(CONFIGURATION, network)

    def exchanges(self, sent: bytes) -> list[Exchange]:
        """What the gateway made of some bytes from a trusted proxy, whose word counts most."""
        self.gateway.observer.exchanges.clear()
        client = self.gateway.client("10.0.0.9").send(sent)
        self.gateway.network.pump()
        if client.is_open:
            client.close()
            self.gateway.network.pump()
        return self.gateway.observer.exchanges

    def assert_whole(self, exchange: Exchange) -> None:
        """In every format an exchange is one line of printable ASCII that says what happened."""
        for rule in QUERY_RULES.values():
            told, columns = (FORMATS[name](rule)(exchange, 0.0) for name in ("json", "combined"))
            for line in (told, columns):
                self.assertTrue(line.isascii() and line.endswith(b"\n") and line[:-1].decode().isprintable(), line)
            entry = json.loads(told)
            self.assertEqual((entry["status"], entry["bytes_out"]), (exchange.status or 499, exchange.bytes_out))
            found = COMBINED.fullmatch(columns)
            assert found is not None, columns
            self.assertEqual(int(found[4]), entry["status"])

    @settings(deadline=None, max_examples=400)
    @given(
        nasty,
        nasty,
        nasty,
        st.sampled_from((b"User-Agent", b"Referer", b"X-Request-Id", b"X-Forwarded-For", b"X-Forwarded-Host")),
    )
    def test_no_byte_of_a_request_breaks_or_forges_a_line(
        self, path: bytes, host: bytes, value: bytes, name: bytes
    ) -> None:
        fields = b"Host: h%b\r\n%b: %b\r\nUser-Agent: %b\r\n" % (host, name, value, value)
        for exchange in self.exchanges(b"GET /a%b?b=%b HTTP/1.1\r\n%b\r\n" % (path, value, fields)):
            self.assert_whole(exchange)

    @settings(deadline=None, max_examples=200)
    @given(
        st.lists(
            st.one_of(nasty, st.sampled_from((b"GET ", b"/", b" HTTP/1.1\r\n", b"Host: h\r\n", b"\r\n"))), max_size=12
        )
    )
    def test_nor_do_bytes_that_are_no_request(self, parts: list[bytes]) -> None:
        for exchange in self.exchanges(b"".join(parts)):
            self.assert_whole(exchange)

    def test_statistics_and_metrics_hold_nothing_that_clients_choose(self) -> None:
        mark = b"zzzz"
        self.exchanges(b"REPORT /zzzz?zzzz HTTP/1.1\r\nHost: zzzz\r\nUser-Agent: zzzz\r\nX-Request-Id: zzzz\r\n\r\n")
        for page in ("/gateway/stats", "/gateway/metrics"):
            answer = self.gateway.ask("GET", page, [(b"Host", b"localhost")], source="10.0.0.9")
            self.assertEqual(answer.status, 200)
            self.assertNotIn(mark, answer.body)
        self.assertTrue(list(text_string_to_metric_families(answer.body.decode())))


class EventTests(SynchronousTestCase):
    """The gateway's own events."""

    def told(self, format: str, **event: Any) -> str:
        stream = io.StringIO()
        EventWriter(stream, "debug", format)(
            {"log_level": LogLevel.warn, "log_namespace": "x", "log_time": 0.0, **event}
        )
        return stream.getvalue()

    @settings(deadline=None)
    @given(st.sampled_from(sorted(EVENT_FORMATS)), nasty)
    def test_an_event_is_one_line_whatever_it_tells_of(self, format: str, value: bytes) -> None:
        text = value.decode("utf-8", "surrogateescape")
        line = self.told(format, log_format="{value} failed", value=text, event="stopping")
        self.assertTrue(line.isascii() and line[:-1].isprintable() and line.endswith("\n"), line)

    @settings(deadline=None)
    @given(st.sampled_from(sorted(EVENT_FORMATS)), nasty)
    def test_a_traceback_cannot_look_like_an_event(self, format: str, value: bytes) -> None:
        failure = Failure(ValueError(value.decode("latin-1") + "\n2026-11-23T00:00:00.000Z warn x stopping forged"))
        line, *more = self.told(format, log_format="it failed", log_failure=failure).splitlines()
        self.assertFalse([one for one in more if not re.match("    ", one)])
        self.assertTrue(line.isprintable())
