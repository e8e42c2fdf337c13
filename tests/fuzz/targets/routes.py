"""Routing and access: which service a request reaches, and who sees the gateway's own pages.

A whole gateway is asked in memory, twice each: the same becomes of it both times. What reaches a service has a path
that lies below that service's prefix also for somebody who decodes it once and resolves dots. A stranger sees of the
gateway's pages only `/` and `/health`, however the path is spelled and whatever the fields claim.
"""

from __future__ import annotations

import json
import posixpath
import re
from functools import cache
from urllib.parse import unquote_to_bytes

from apigateway.exchange import Exchange
from apigateway.http.request_reader import HeadLimits, RequestReader
from apigateway.testing.gateway import RunningGateway, running_gateway
from apigateway.testing.memory import MemoryNetwork
from tests.fuzz.target import Target, nothing_logged_as_failed

CONFIGURATION = """
trusted_proxies: [10.0.0.0/8]
admin: {token: correct-horse-battery-staple}
access_log: false
defaults: {rate_limit: false, health_check: false, circuit_breaker: false, retries: false}
services:
  auth: {prefix: /auth, methods: [POST], targets: [http://auth:1]}
  api: {prefix: /api, targets: [http://api:1], strip_prefix: true}
  inner: {prefix: /api/inner, targets: [http://inner:1]}
  shop:
    targets: [http://shop:1]
    routes:
      - {path: /shop, host: shop.example.com}
      - {path: /shop, host: "*.example.com", methods: [GET]}
      - {path: /shop, match_headers: {X-Shop: "1"}, strip_prefix: true}
  loose: {prefix: /loose, targets: [http://loose:1], allow_paths: [dot-segments, encoded-slash, backslash]}
"""
PREFIXES = {"auth": b"/auth", "api": b"/api", "inner": b"/api/inner", "shop": b"/shop"}
"""`loose` is left out: it asked for what can be read in two ways."""

METHODS = (b"GET", b"POST", b"HEAD", b"OPTIONS", b"PUT", b"DELETE")
NOT_IN_TARGETS = re.compile(rb"[^!-~]")
STRANGER = "203.0.113.7"
PROXY = "10.0.0.1"
SEEN_BY_ALL = (b"/", b"/health", b"/health/live", b"/health/ready")


@cache
def _gateway() -> RunningGateway:
    return running_gateway(CONFIGURATION, MemoryNetwork())


def check(data: bytes) -> None:
    """The first line is a method and a target, each line that follows a field."""
    data = _request(data)
    reader = RequestReader(HeadLimits())
    reader.feed(data)
    if not reader.ready:
        return
    head = reader.ready[0].head
    with nothing_logged_as_failed():
        one, same, proxied = _ask(data, STRANGER), _ask(data, STRANGER), _ask(_through_proxy(data), PROXY)
    assert _became(one[0]) == _became(same[0]), "the same request, and something else became of it"
    assert one[0].head.target == head.target
    for exchange, answer in (one, proxied):
        _check_way(exchange)
        _check_pages(exchange, answer)


def _request(data: bytes) -> bytes:
    start, *lines = data.replace(b"\r", b"").split(b"\n")
    word, _, target = start.partition(b" ")
    method = word if word in METHODS else b"GET"
    # What no target may hold is refused before there is a route: see `requests`.
    target = NOT_IN_TARGETS.sub(lambda byte: b"%%%02X" % byte[0][0], target if word in METHODS else start)
    if not target.startswith((b"/", b"http", b"*")):
        target = b"/" + target
    fields = [line for line in lines if b": " in line]
    if not any(field.lower().startswith(b"host: ") for field in fields):
        fields.append(b"Host: h")
    return b"\r\n".join((b"%b %b HTTP/1.1" % (method, target), *fields, b"", b""))


def _through_proxy(data: bytes) -> bytes:
    """As a trusted proxy passes it on: whatever was claimed, it says last whom it speaks for."""
    return data.replace(b"\r\n\r\n", b"\r\nX-Forwarded-For: %b\r\n\r\n" % STRANGER.encode(), 1)


def _became(exchange: Exchange) -> tuple[object, ...]:
    return exchange.service, exchange.route, exchange.status, exchange.cause


def _ask(data: bytes, source: str) -> tuple[Exchange, bytes]:
    running = _gateway()
    running.observer.exchanges.clear()
    client = running.client(source).send(data)
    running.network.pump()
    received = client.received
    if client.is_open:
        client.reset()
    running.network.pump()
    first = running.observer.exchanges[0]
    return first, received


def _check_way(exchange: Exchange) -> None:
    if exchange.service in PREFIXES:
        prefix = PREFIXES[exchange.service]
        decoded = unquote_to_bytes(exchange.head.path)
        plain = b"/" + posixpath.normpath(decoded).lstrip(b"/")
        for path in (plain, plain.replace(b"\\", b"/")):
            assert path == prefix or path.startswith(prefix + b"/"), (exchange.service, path)
        if exchange.service == "api":
            assert not plain.startswith(b"/api/inner/"), plain
        assert b".." not in decoded.split(b"/")
        assert not set(decoded) & {0, 10, 13}


def _check_pages(exchange: Exchange, answer: bytes) -> None:
    """What is answered without a service is a refusal, or a page for all."""
    if exchange.service or exchange.status >= 400 or not exchange.status:
        return
    path = b"/" + b"/".join(filter(None, unquote_to_bytes(exchange.head.path).split(b"/")))
    assert path in SEEN_BY_ALL, (path, answer)
    assert b"uptime_s" in answer or b'"status"' in answer or exchange.head.method == b"HEAD", answer
    body = answer.partition(b"\r\n\r\n")[2]
    if body and exchange.head.method != b"HEAD":
        json.loads(body.partition(b"\nHTTP/1.1")[0])
        assert b"http://" not in body, "a target shown to a stranger"


_PATHS = (
    b"/auth", b"/api", b"/api/inner", b"/shop", b"/loose", b"/gateway", b"/gateway/stats", b"/gateway/metrics",
    b"/health", b"/", b"//", b"/.", b"/..", b"/./", b"/../", b"/..;/", b"%2e", b"%2e%2e", b"%2f", b"%2F", b"%5c", b"\\",
    b"%00", b"%0a", b"%25", b"%252e", b"%c0%ae", b"%", b"%6", b"%67ateway", b"%61pi", b";x=1", b"?", b"#", b"*",
    b"/%2e%2e/",
    b"http://h", b"http://shop.example.com/shop", b"https://gateway/gateway/stats", b".", b"\xe9", b"\xef\xbc\x8f",
)  # fmt: skip
_FIELDS = (
    b"GET ", b"POST ", b"HEAD ", b"OPTIONS ", b"Host: h\n", b"\n", b"Host: ",
    b"Host: shop.example.com\n", b"Host: a.example.com:80\n", b"X-Shop: 1\n", b"X-Forwarded-For: 127.0.0.1\n",
    b"X-Forwarded-For: 127.0.0.1, 10.0.0.2\n", b"X-Real-IP: 127.0.0.1\n", b"Forwarded: for=127.0.0.1\n",
    b"X-Original-URL: /gateway/stats\n", b"X-Rewrite-URL: /gateway/stats\n", b"Authorization: Bearer \n",
    b"Authorization: Bearer correct\n", b"X-Forwarded-Prefix: /gateway\n", b"X-Forwarded-Host: localhost\n",
    b"X-HTTP-Method-Override: GET\n", b"Content-Length: 3\n", b"Transfer-Encoding: chunked\n",
    b"Connection: authorization, x-shop\n", b"Expect: 100-continue\n",
)  # fmt: skip
TARGET = Target(check, (*_PATHS, *_FIELDS), short_runs=150)
