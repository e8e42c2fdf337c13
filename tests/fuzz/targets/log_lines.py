"""Lines of the access log: one line a record whatever a client sent, and readable again.

JSON is JSON with the same keys always, and what was sent is in no other place than its own. A combined line has its
three quoted parts and no others. What a query rule hides is not there.
"""

from __future__ import annotations

import json
import re

from apigateway.errors import CAUSES
from apigateway.exchange import Exchange
from apigateway.http.heads import RequestHead
from apigateway.http.lines import split_lines
from apigateway.telemetry.lines import FORMATS, QUERY_RULES
from apigateway.testing.downstream import RecordingDownstream
from tests.fuzz.target import Target

HIDDEN = b"TOP-SECRET"
COMBINED = re.compile(
    r"(\S+) - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\] "
    r'"((?:[^"\\]|\\.)*)" (\d{3}|-) (\d+|-) "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"\n'
)
KEYS = {
    "time", "request_id", "client", "method", "path", "route", "service", "target", "status", "cause", "bytes_in",
    "bytes_out", "total_ms", "first_byte_ms", "service_ms", "attempts", "user_agent",
}  # fmt: skip


def check(data: bytes) -> None:
    """Seven parts separated by `|`: method, target, request id, client, agent, referer, and field lines."""
    exchange = _exchange([*data.split(b"|", 6), *[b""] * 7][:7])
    for rule_name, rule in QUERY_RULES.items():
        json_line, combined = (FORMATS[name](rule)(exchange, 1e9) for name in ("json", "combined"))
        for line in (json_line, combined):
            assert line.count(b"\n") == 1
            assert line.endswith(b"\n")
            assert line[:-1].decode("ascii").isprintable(), line
        _check_json(json_line, exchange)
        assert COMBINED.fullmatch(combined.decode()), combined
        query = exchange.head.query or b""
        if rule_name == "drop" and HIDDEN in query and HIDDEN not in exchange.head.path:
            assert HIDDEN not in _path_of(json_line), json_line


def _exchange(given: list[bytes]) -> Exchange:
    method, target, request_id, client, agent, referer, lines = given
    fields = [(b"User-Agent", agent), (b"Referer", referer), *split_lines(lines + b"\r\n")]
    head = RequestHead(method, target, 1, fields, fields, {})
    exchange = Exchange(head, RecordingDownstream(), "203.0.113.7", False, 5.0, lambda exchange: None)
    exchange.request_id = request_id
    exchange.client = client.decode("utf-8", "surrogateescape")
    exchange.status = len(method) % 2 * 200
    exchange.cause = list(CAUSES.values())[len(target) % len(CAUSES)] if len(agent) % 2 else None
    exchange.sent, exchange.answered, exchange.ended = 5.1, 5.2, 5.3
    return exchange


def _path_of(line: bytes) -> bytes:
    path = json.loads(line)["path"]
    return path.encode() if path else b""


def _check_json(line: bytes, exchange: Exchange) -> None:
    record = json.loads(line)
    assert set(record) == KEYS
    assert record["status"] in (None, exchange.status, exchange.cause.status if exchange.cause else 0)
    assert record["cause"] == (exchange.cause.code if exchange.cause else None)
    for name in ("request_id", "client", "method", "path", "user_agent"):
        assert record[name] is None or record[name].isprintable(), record[name]


TARGET = Target(
    check,
    (b"GET", b"|", b"/a?b=c", b"?token=TOP-SECRET", b"&", b"=", b'"', b"\\", b"\\x22", b"\n", b"\r\n", b"\x1b[31m",
     b"\0", b"\x7f", b"\xe2\x80\xa8", b"\xff", b'" 200 5 "', b'"}\n{"status": 200', b"User-Agent: x\r\n",
     b"Referer: ?a=b\r\n", b"] ", b" - - ["),
    most=2048,
    short_runs=500,
)  # fmt: skip
