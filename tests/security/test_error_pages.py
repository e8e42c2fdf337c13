"""What the gateway answers of its own says nothing that a client has put into its mouth."""

from __future__ import annotations

import json
from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.testing.gateway import RunningGateway, running_gateway
from apigateway.testing.memory import MemoryNetwork
from apigateway.testing.wire import Message

CONFIGURATION = """
trusted_proxies: [10.0.0.9]
services:
  gone: {prefix: /gone, targets: ["http://gone:80"], health_check: false, rate_limit: false}
  strict:
    prefix: /strict
    methods: [PUT]
    targets: ["http://gone:80"]
    max_body: 1
    content_types: [application/json]
    required_headers: [X-Tenant]
    health_check: false
    rate_limit: false
    cors: {origins: ["https://shop.example"]}
"""
MARK = "zq7"
ACCEPTS = (b"text/html", b"text/plain", b"*/*", b"application/problem+json", b"text/html;q=0<script>", b"")

places = st.sampled_from(("/", "/gone/", "/strict/", "/gateway/", "/health/", "/gone/%2e%2e/", "/strict/%00"))
hostile = st.sampled_from(
    (
        f"<script>{MARK}</script>",
        f'"onload={MARK}',
        f"{MARK}%0d%0aSet-Cookie:{MARK}",
        f"%3Cimg+src={MARK}%3E",
        f"{{{{{MARK}}}}}",
        MARK,
    )
)
methods = st.sampled_from(("GET", "HEAD", "POST", "DELETE", "OPTIONS", "REPORT", "PUT"))


FORMS = (
    "{} / HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET {} HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET / HTTP/{}\r\nHost: h\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: <{}\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: h\r\n({}\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: h\r\nExpect: {}\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: {}\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n",
)
"""Requests with a place in which something stands that doesn't belong there."""


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)


def tags(page: bytes) -> set[str]:
    """The elements of a page."""
    parser = _Tags()
    parser.feed(page.decode())
    return parser.seen


class EchoTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.gateway: RunningGateway = running_gateway(CONFIGURATION, MemoryNetwork())

    def assert_clean(self, answer: Message, *put: object) -> None:
        self.assertGreaterEqual(answer.status, 400, put)
        self.assertNotIn(MARK.encode(), answer.body, put)
        for name, value in answer.fields:
            self.assertNotIn(MARK.encode(), name + value, put)
        self.assertEqual(answer.get_all(b"x-content-type-options"), [b"nosniff"], put)
        self.assertEqual(answer.get_all(b"cache-control"), [b"no-store"], put)
        self.assertEqual(answer.get_all(b"access-control-allow-origin"), [], put)
        media_type = answer.get(b"content-type") or b""
        self.assertIn(
            media_type, (b"application/problem+json", b"text/html; charset=utf-8", b"text/plain; charset=utf-8")
        )
        if media_type.startswith(b"text/html"):
            self.assertLessEqual(tags(answer.body), {"meta", "title", "h1", "dl", "dt", "dd"}, put)
            self.assertIn(b"default-src 'none'", answer.get(b"content-security-policy") or b"")

    @settings(deadline=None, max_examples=300)
    @given(places, hostile, methods, st.sampled_from(ACCEPTS), st.sampled_from((b"10.0.0.9", b"203.0.113.7")))
    def test_no_answer_repeats_what_a_client_sent(
        self, place: str, said: str, method: str, accept: bytes, source: bytes
    ) -> None:
        raw = said.encode()
        fields = [
            (b"Host", b"h"), (b"Accept", accept), (b"Origin", b"https://" + raw), (b"User-Agent", raw), (b"Referer",
            raw),
            (b"X-Request-Id", b"<" + raw), (b"X-Forwarded-Host", raw), (b"Content-Type", b"text/" + raw), (b"Cookie",
            raw),
        ]  # fmt: skip
        answer = self.gateway.ask(method, f"{place}{said}?{said}", fields, b"body", source=source.decode())
        self.assert_clean(answer, place, said, method, accept)

    @settings(deadline=None, max_examples=200)
    @given(hostile, st.sampled_from(FORMS))
    def test_nor_do_refusals_of_what_is_no_request(self, said: str, form: str) -> None:
        client = self.gateway.client().send(form.format(said).encode())
        self.gateway.network.pump()
        (answer,) = client.answers()
        self.assert_clean(answer, form, said)
        self.assertLess(json.loads(answer.body)["status"], 500)

    def test_an_allowed_origin_learns_what_went_wrong_and_no_other_does(self) -> None:
        for origin, allowed in ((b"https://shop.example", [b"https://shop.example"]), (b"https://other.example", [])):
            answer = self.gateway.ask("PUT", "/strict", [(b"Origin", origin)])
            self.assertEqual((answer.status, answer.get_all(b"access-control-allow-origin")), (400, allowed))
