"""The gateway's own errors as documents."""

from __future__ import annotations

import json
from html import unescape
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from apigateway.errors import BREAKER_OPEN, CAUSES, METHOD_NOT_ALLOWED, NO_ROUTE, GatewayError
from apigateway.http import problems
from apigateway.http.answers import Answer
from apigateway.http.heads import RequestHead
from apigateway.http.problems import problem


def asked_for(accept: bytes | None) -> RequestHead:
    fields = [] if accept is None else [(b"accept", accept)]
    return RequestHead(b"GET", b"/<script>", 1, fields, fields, {})


def media_type(answer: Answer) -> str:
    return dict(answer.fields)[b"Content-Type"].decode()


class DocumentTests(SynchronousTestCase):
    def document(self, error: GatewayError, request_id: bytes = b"id-1") -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(problem(error, None, request_id).body)
        return loaded

    def test_it_says_what_happened(self) -> None:
        self.assertEqual(
            self.document(GatewayError(NO_ROUTE, "Look again.")),
            {
                "type": "urn:apigateway:problem:no-route",
                "title": NO_ROUTE.title,
                "status": 404,
                "detail": "Look again.",
                "instance": "urn:request:id-1",
                "cause": "no-route",
                "request_id": "id-1",
            },
        )

    def test_what_there_is_not_is_left_out(self) -> None:
        members = self.document(GatewayError(NO_ROUTE), b"")
        self.assertEqual(members.keys(), {"type", "title", "status", "cause"})

    def test_every_cause_makes_one_of_its_own(self) -> None:
        for cause in CAUSES.values():
            answer = problem(GatewayError(cause, "x"), None, b"id")
            self.assertEqual(answer.status, cause.status)
            self.assertEqual(json.loads(answer.body)["cause"], cause.code)

    def test_it_differs_in_nothing_but_the_request_id_however_often_it_is_made(
        self,
    ) -> None:
        error = GatewayError(NO_ROUTE, 'Look at 100% of "it".')
        for request_id in (b"5f1d7c0aa3", b"a.b:c/d+e=f@g-h", b"5f1d7c0aa3", b"0"):
            document = self.document(error, request_id)
            self.assertEqual((document.pop("request_id"), document["detail"]), (request_id.decode(), error.detail))
            self.assertEqual(document["instance"], f"urn:request:{request_id.decode()}")

    def test_more_kinds_of_refusals_than_are_remembered_are_no_trouble(self) -> None:
        for number in range(1000):
            error = GatewayError(NO_ROUTE, f"Number {number}.")
            self.assertEqual(self.document(error, b"1d")["detail"], error.detail)
        self.assertLessEqual(len(problems._known), problems._MOST_KNOWN)

    def test_it_must_not_be_cached(self) -> None:
        self.assertIn((b"Cache-Control", b"no-store"), problem(GatewayError(NO_ROUTE), None, b"").fields)

    def test_browsers_are_told_to_take_it_for_what_it_is_called(self) -> None:
        for accept in (None, b"text/html", b"text/plain"):
            fields = problem(GatewayError(NO_ROUTE), asked_for(accept), b"").fields
            self.assertIn((b"X-Content-Type-Options", b"nosniff"), fields)

    def test_no_script_runs_in_a_page_whatever_it_says(self) -> None:
        fields = dict(problem(GatewayError(NO_ROUTE), asked_for(b"text/html"), b"").fields)
        self.assertEqual(fields[b"Content-Security-Policy"], b"default-src 'none'; frame-ancestors 'none'")
        self.assertNotIn(b"Content-Security-Policy", dict(problem(GatewayError(NO_ROUTE), None, b"").fields))

    def test_it_says_when_to_come_again_where_that_is_known(self) -> None:
        self.assertIn((b"Retry-After", b"7"), problem(GatewayError(BREAKER_OPEN, "", 7), None, b"").fields)
        self.assertNotIn(b"Retry-After", dict(problem(GatewayError(BREAKER_OPEN), None, b"").fields))

    def test_fields_of_the_error_go_with_it(self) -> None:
        allow = (b"Allow", b"GET")
        self.assertIn(allow, problem(GatewayError(METHOD_NOT_ALLOWED, fields=(allow,)), None, b"").fields)


class MediaTypeTests(SynchronousTestCase):
    JSON = "application/problem+json"
    TEXT = "text/plain; charset=utf-8"
    HTML = "text/html; charset=utf-8"

    def test_it_is_json_unless_text_or_html_is_asked_for_before(self) -> None:
        for accept, expected in (
            (None, self.JSON),
            (b"", self.JSON),
            (b"*/*", self.JSON),
            (b"image/png", self.JSON),
            (b"application/json, text/html", self.JSON),
            (b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", self.HTML),
            (b"TEXT/HTML", self.HTML),
            (b"text/plain;q=0.5", self.TEXT),
            (b"\xff, text/plain", self.TEXT),
        ):
            self.assertEqual(media_type(problem(GatewayError(NO_ROUTE), asked_for(accept), b"")), expected, accept)

    def test_text_has_a_line_for_each_member(self) -> None:
        lines = (
            problem(GatewayError(NO_ROUTE, "Look again."), asked_for(b"text/plain"), b"id").body.decode().splitlines()
        )
        self.assertIn("status: 404", lines)
        self.assertIn("detail: Look again.", lines)

    def test_html_cannot_be_broken_out_of(self) -> None:
        page = problem(GatewayError(NO_ROUTE, "<b>&\"'"), asked_for(b"text/html"), b"id").body.decode()
        self.assertNotIn("<b>", page)
        self.assertIn("<b>&\"'", unescape(page))

    def test_nothing_of_the_target_is_repeated(self) -> None:
        for accept in (None, b"text/html", b"text/plain"):
            self.assertNotIn(b"script", problem(GatewayError(NO_ROUTE), asked_for(accept), b"id").body)
