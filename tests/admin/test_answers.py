"""Answers as stock requests want them."""

from __future__ import annotations

from typing import Any

from treq.testing import StubTreq
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from apigateway.admin.answers import json_answer, render_answer
from apigateway.http.answers import Answer


class _Page(Resource):
    isLeaf = True

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self._answer = answer

    def render(self, request: object) -> bytes:
        return render_answer(request, self._answer)


class RenderAnswerTests(SynchronousTestCase):
    """An answer on its way through twisted.web."""

    def test_status_reason_fields_and_body_arrive(self) -> None:
        answer = Answer(429, [(b"Retry-After", b"3"), (b"X-Twice", b"1"), (b"X-Twice", b"2")], b"wait")
        stub: Any = StubTreq(_Page(answer))
        response = self.successResultOf(stub.get("http://gateway.example/"))
        self.assertEqual((response.code, response.phrase), (429, b"Too Many Requests"))
        self.assertEqual(response.headers.getRawHeaders(b"retry-after"), [b"3"])
        self.assertEqual(response.headers.getRawHeaders(b"x-twice"), [b"1", b"2"])
        self.assertEqual(self.successResultOf(stub.content(response)), b"wait")

    def test_json_is_indented_and_ends_with_a_newline(self) -> None:
        self.assertEqual(json_answer({"a": 1}, 503).body, b'{\n  "a": 1\n}\n')
        self.assertEqual(json_answer({}, 503).status, 503)
