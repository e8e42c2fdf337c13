"""Lines of the access log: what they say, what they keep to themselves, and that nobody can forge one."""

from __future__ import annotations

import json
import re
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.errors import BAD_REQUEST, RATE_LIMITED
from apigateway.exchange import Exchange
from apigateway.http.heads import RequestHead
from apigateway.telemetry.lines import FORMATS, MOST_PATH, QUERY_RULES, rfc3339
from apigateway.telemetry.visible import MOST_TEXT
from tests.telemetry.ended import AGENT, ended

SECRETS = (
    (b"Authorization", b"Bearer hidden-1"),
    (b"Cookie", b"session=hidden-2"),
    (b"Proxy-Authorization", b"Basic hidden-3"),
    (b"X-Api-Key", b"hidden-4"),
)
AT = 1_763_852_281.25

COMBINED = re.compile(
    rb'(\S+) - - \[([^]]+)\] "((?:[^"\\]|\\.)*)" (\d{3}|-) (\d+|-) "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"\n'
)


def line(exchange: Exchange, format: str = "json", query: str = "keep") -> bytes:
    return FORMATS[format](QUERY_RULES[query])(exchange, AT - exchange.started)


def hostile(raw: bytes) -> Exchange:
    """An exchange in which a client had its way with everything that a client can choose."""
    exchange = ended(fields=((b"User-Agent", raw), (b"Referer", raw)))
    old = exchange.head
    exchange.head = RequestHead(raw or old.method, b"/" + raw, 1, old.fields, [], {})
    exchange.request_id = raw
    exchange.client = raw.decode("latin-1")
    return exchange


class JsonTests(SynchronousTestCase):
    """The JSON format."""

    def test_an_exchange_is_told_with_all_its_fields(self) -> None:
        told = json.loads(line(ended()))
        self.assertEqual(
            told,
            {
                "time": "2025-11-22T22:58:01.250Z",
                "request_id": "5f1d7c0aa3",
                "client": "203.0.113.7",
                "method": "GET",
                "path": "/api/products?page=2",
                "route": "product /api",
                "service": "product",
                "target": "http://a:8002",
                "status": 200,
                "cause": None,
                "bytes_in": 7,
                "bytes_out": 300,
                "total_ms": 25.0,
                "first_byte_ms": 21.0,
                "service_ms": 24.0,
                "attempts": 1,
                "user_agent": "curl/8.5.0",
            },
        )

    def test_what_did_not_happen_is_null(self) -> None:
        told = json.loads(line(ended(status=429, cause=RATE_LIMITED, attempts=0, fields=())))
        self.assertEqual((told["status"], told["cause"], told["attempts"]), (429, "rate-limited", 0))
        for name in ("target", "first_byte_ms", "service_ms", "user_agent"):
            self.assertIsNone(told[name], name)

    def test_a_request_that_could_not_be_read_is_told_without_method_and_path(self) -> None:
        exchange = ended(status=400, cause=BAD_REQUEST, attempts=0, service="", route="")
        exchange.head = RequestHead(b"", b"", 1, [], [], {})
        told = json.loads(line(exchange))
        self.assertEqual((told["status"], told["cause"]), (400, "bad-request"))
        for name in ("method", "path", "route", "service", "user_agent"):
            self.assertIsNone(told[name], name)

    def test_an_answer_from_a_fallback_is_marked(self) -> None:
        exchange = ended()
        self.assertNotIn("fallback", json.loads(line(exchange)))
        exchange.fallback = True
        self.assertIs(json.loads(line(exchange))["fallback"], True)

    def test_so_is_one_for_which_two_targets_were_asked(self) -> None:
        exchange = ended()
        self.assertNotIn("hedged", json.loads(line(exchange)))
        exchange.hedged = True
        self.assertIs(json.loads(line(exchange))["hedged"], True)

    @settings(deadline=None)
    @given(st.binary())
    def test_whatever_a_client_sends_an_exchange_is_one_line_of_json(self, raw: bytes) -> None:
        told = line(hostile(raw))
        self.assertEqual(told.decode("ascii").splitlines(), [told[:-1].decode()])
        self.assertEqual(json.loads(told)["service"], "product")


class CombinedTests(SynchronousTestCase):
    """The combined format."""

    def test_an_exchange_is_told_as_apache_does(self) -> None:
        exchange = ended(fields=(AGENT, (b"Referer", b"https://shop.example/list")))
        self.assertEqual(
            line(exchange, "combined"),
            b'203.0.113.7 - - [22/Nov/2025:22:58:01 +0000] "GET /api/products?page=2 HTTP/1.1" 200 300 '
            b'"https://shop.example/list" "curl/8.5.0"\n',
        )

    def test_what_is_not_known_is_a_dash(self) -> None:
        exchange = ended(status=0, attempts=0)
        exchange.head = RequestHead(b"", b"", 1, [], [], {})
        exchange.bytes_out = 0
        self.assertEqual(line(exchange, "combined"), b'203.0.113.7 - - [22/Nov/2025:22:58:01 +0000] "-" - - "-" "-"\n')

    @settings(deadline=None)
    @given(st.binary())
    def test_whatever_a_client_sends_the_columns_stay_where_they_are(self, raw: bytes) -> None:
        found = COMBINED.fullmatch(line(hostile(raw), "combined"))
        self.assertIsNotNone(found)
        assert found is not None
        self.assertEqual((found[2], found[4], found[5]), (b"22/Nov/2025:22:58:01 +0000", b"200", b"300"))

    def test_a_forged_line_in_a_user_agent_stays_inside_its_quotes(self) -> None:
        forged = b'x" 200 1\n10.0.0.1 - - [now] "GET /admin HTTP/1.1" 200 1 "-" "y'
        told = line(ended(fields=((b"User-Agent", forged),)), "combined")
        self.assertEqual(told.count(b"\n"), 1)
        found = COMBINED.fullmatch(told)
        assert found is not None
        self.assertTrue(found[7].startswith(rb"x\" 200 1\x0a10.0.0.1"))


class SecretTests(SynchronousTestCase):
    """What no line may tell."""

    def test_no_credential_appears_in_any_format(self) -> None:
        for format in FORMATS:
            told = line(ended(fields=(AGENT, *SECRETS)), format)
            self.assertNotIn(b"hidden", told, format)

    def test_a_query_can_be_dropped(self) -> None:
        for format in FORMATS:
            told = line(ended(target="/a?token=hidden", fields=((b"Referer", b"/b?token=hidden"),)), format, "drop")
            self.assertNotIn(b"hidden", told, format)
            self.assertNotIn(b"?", told, format)

    def test_a_query_can_be_masked_so_that_only_names_remain(self) -> None:
        told = json.loads(line(ended(target="/a?user=ann&token=a=b&flag&empty="), "json", "mask"))
        self.assertEqual(told["path"], "/a?user=*&token=*&*&empty=*")

    def test_masking_holds_for_the_referer_too(self) -> None:
        told = line(ended(fields=((b"Referer", b"https://x.example/?token=hidden"),)), "combined", "mask")
        self.assertIn(b'"https://x.example/?token=*"', told)

    def test_an_empty_query_is_told_apart_from_none_unless_dropped(self) -> None:
        paths = [json.loads(line(ended(target="/a?"), "json", rule))["path"] for rule in ("keep", "drop")]
        self.assertEqual(paths, ["/a?", "/a"])

    def test_a_password_in_the_target_of_a_refused_request_is_left_out(self) -> None:
        for target, told in (
            (b"http://ann:hidden@shop.example/a?b=c", "http://shop.example/a?b=c"),
            (b"http://ann:hid?hidden@shop.example/a", "http://?shop.example/a"),
            (b"ann:hidden@shop.example:443", "shop.example:443"),
            (b"http://shop.example/a", "http://shop.example/a"),
            (b"/a@b?c@d", "/a@b?c@d"),
            (b"*", "*"),
        ):
            exchange = ended(status=400, cause=BAD_REQUEST)
            exchange.head = RequestHead(b"GET", target, 1, [], [], {})
            self.assertEqual(json.loads(line(exchange))["path"], told)
            self.assertNotIn(b"hidden", line(exchange, "combined"))

    def test_a_query_is_hidden_although_it_looks_like_a_user(self) -> None:
        for target in (
            b"http://shop.example/a?mail=ann@x&token=hidden",
            b"http://shop.example?a@hidden",
            b"?a@b=hidden",
        ):
            exchange = ended(status=400, cause=BAD_REQUEST)
            exchange.head = RequestHead(b"GET", target, 1, [], [], {})
            for format, rule in product(FORMATS, ("drop", "mask")):
                self.assertNotIn(b"hidden", line(exchange, format, rule))


class SizeTests(SynchronousTestCase):
    """However much a client says."""

    def test_a_line_is_bounded(self) -> None:
        exchange = hostile(b"\xff" * 1_000_000)
        exchange.request_id, exchange.client = b"a" * 128, "203.0.113.7"  # a client can't choose these freely
        for format in FORMATS:
            self.assertLess(len(line(exchange, format)), 5 * (MOST_PATH + 4 * MOST_TEXT), format)

    def test_what_is_cut_says_so(self) -> None:
        told = json.loads(line(ended(target="/" + "a" * 10_000, fields=((b"User-Agent", b"b" * 10_000),))))
        self.assertEqual(told["path"], "/" + "a" * (MOST_PATH - 1) + "...")
        self.assertEqual(told["user_agent"], "b" * MOST_TEXT + "...")

    def test_what_fits_is_not(self) -> None:
        told = json.loads(line(ended(target="/" + "a" * (MOST_PATH - 1))))
        self.assertEqual(len(told["path"]), MOST_PATH)


class TimeTests(SynchronousTestCase):
    """Times of day."""

    def test_times_are_utc_with_milliseconds(self) -> None:
        self.assertEqual(rfc3339(0.0), "1970-01-01T00:00:00.000Z")
        self.assertEqual(rfc3339(951_782_400.999), "2000-02-29T00:00:00.999Z")
