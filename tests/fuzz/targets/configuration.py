"""The reader of the configuration: any text is a `Configuration`, or a `ConfigurationError` that says where.

It ends in time, whatever the text. What is read can be printed, and a gateway can be built of it.
"""

from __future__ import annotations

import re

from twisted.internet.endpoints import serverFromString

from apigateway.config.check import routes_table
from apigateway.config.model import Configuration
from apigateway.config.read import ConfigurationError, parse_text
from apigateway.gateway import Gateway
from apigateway.testing.memory import MemoryNetwork
from tests.fuzz.target import Target, nothing_logged_as_failed

ENVIRON = {"SET": "http://orders:8003", "EMPTY": "", "NUMBER": "7", "ODD": "a\nb: ${SET} \u2028\x00", "BYTES": "\udcff"}
LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
SECRET = "correct-horse-battery-staple"


def check(data: bytes) -> None:
    """The input is the text; bytes that are no UTF-8 become what a broken file or environment may hold."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        configuration = parse_text(text, "gateway.yaml", {**ENVIRON, "SECRET": SECRET})
    except ConfigurationError as error:
        _check_problems(error, text)
    else:
        _check_use(configuration)


def _check_problems(error: ConfigurationError, text: str) -> None:
    assert error.problems
    # What is missing is missed in the line after the last.
    lines = len(LINE_BREAK.findall(text)) + 2
    for problem in error.problems:
        assert problem.file == "gateway.yaml"
        assert 0 <= problem.line <= lines, (problem, lines)
        assert problem.message
        assert len(problem.path) <= 4000, "a place that nobody can read"
    said = str(error)
    assert len(said) <= 20_000 + 400 * len(text)
    assert said.isprintable() or not set(said) & {"\0", "\x1b", "\r"}, said
    assert SECRET not in said
    said.encode()


def _check_use(configuration: Configuration) -> None:
    assert configuration.services
    routes_table(configuration)
    assert configuration.admin.token is None or configuration.admin.token not in repr(configuration)
    network = MemoryNetwork()
    try:
        for listener in configuration.listen:
            serverFromString(network.reactor, listener.endpoint)
    except Exception:
        # Their words are plugins', and are looked at where there is a reactor.
        return
    with nothing_logged_as_failed():
        Gateway(configuration, network.reactor, network.now)


_KEYS = (
    b"services", b"listen", b"defaults", b"admin", b"access_log", b"limits", b"stop", b"log", b"watch", b"dns_ttl",
    b"trusted_proxies", b"prefix", b"targets", b"routes", b"path", b"host", b"methods", b"strip_prefix",
    b"match_headers",
    b"timeouts", b"rate_limit", b"circuit_breaker", b"health_check", b"retries", b"pool", b"fallback", b"cors",
    b"headers", b"max_body", b"content_types", b"required_headers", b"allow_paths", b"transport", b"token", b"allow",
    b"file", b"format", b"query", b"rotate", b"keep", b"level", b"head", b"uri", b"lag", b"limit", b"window", b"key",
    b"failures", b"recovery", b"ratio", b"min_volume", b"interval", b"timeout", b"statuses", b"attempts", b"budget",
    b"connections", b"waiting", b"idle", b"connect", b"response", b"status", b"body", b"service", b"origins",
    b"credentials", b"max_age", b"expose", b"set_request", b"remove_request", b"set_response", b"url", b"weight",
    b"max_in_flight", b"finish_abandoned", b"drain", b"accept", b"security", b"via",
)  # fmt: skip
_YAML = (
    b": ", b"- ", b"\n", b"\n  ", b"\n    ", b"{", b"}", b"[", b"]", b", ", b"'", b'"', b"|\n", b">\n", b"#", b"&a ",
    b"*a",
    b"<<: ", b"!!python/object ", b"!!binary ", b"!x ", b"? ", b"---\n", b"...\n", b"%YAML 1.1\n", b"%TAG ! x\n", b"~",
    b"null", b"false", b"true", b"off", b"\t", b"\xef\xbb\xbf", b"\xc2\x85", b"\xe2\x80\xa8", b"\xf0\x9f\xa6\x84",
    b"\xff", b"\0", b"\x1b", b"\r", b"${SET}", b"${EMPTY}", b"${UNSET}", b"${UNSET:-x}", b"${NUMBER}", b"${ODD}",
    b"${BYTES}", b"${SECRET}", b"${", b"$$", b"$${x}", b"${A:-${B}}", b"[" * 40, b"{a: " * 40,
)  # fmt: skip
_VALUES = (
    b"http://a:1", b"https://a", b"http://[::1]:80", b"http://u:p@h", b"http://a:99999", b"http://a/b?c", b"/api", b"/",
    b"//", b"/gateway", b"/a/../b", b"/%2e", b"tcp:8000", b"tcp:8000:interface=127.0.0.1", b"unix:/a", b"ssl:1",
    b"10.0.0.0/8", b"::/0", b"10.0.0.1/99", b"30s", b"0s", b"1h", b"1e9", b"1.5", b"-1", b"0", b"9" * 19, b"9" * 400,
    b"0x10", b"1_000", b"nan", b"inf", b".5", b"10MiB", b"1.5KiB", b"client", b"header:X-A", b"header:", b"GET", b"get",
    b"*", b"*.example.com", b"https://*.example.com", b"native", b"treq", b"json", b"combined", b"keep", b"200-299",
    b"299-200", b"999", b"X-A", b"X A", b"content-length", b"host", b"transfer-encoding", b"a\\nb", b'"a\\r\\nb"',
    b'"\\0"', b"\xc3\xa4", b"image/*", b"dot-segments", b"orders", b"a" * 300,
)  # fmt: skip
TARGET = Target(check, (*_KEYS, *_YAML, *_VALUES), most=8192, short_runs=400)
