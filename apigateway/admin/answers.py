"""Answers as stock requests want them. Knows HTTP and `twisted.web` requests, not what the pages say."""

from __future__ import annotations

from typing import Any

import orjson

from apigateway.errors import GatewayError
from apigateway.exchange import Exchange
from apigateway.http.answers import Answer
from apigateway.http.heads import RequestHead
from apigateway.http.problems import problem

_COMMON = [(b"Cache-Control", b"no-store"), (b"X-Content-Type-Options", b"nosniff")]


def page_answer(content_type: bytes, body: bytes, status: int = 200) -> Answer:
    """A page, which nobody may keep."""
    return Answer(status, [(b"Content-Type", content_type), *_COMMON], body)


def json_answer(value: object, status: int = 200) -> Answer:
    """A page of JSON, indented, for people look at it too."""
    body = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return page_answer(b"application/json", body, status)


def problem_answer(error: GatewayError, request: Any) -> Answer:
    """The answer for a page that can't be shown. The exchange, where the request has one, notes the cause."""
    exchange: Exchange | None = getattr(request, "exchange", None)
    if exchange is None:
        fields = [(name, value) for name, values in request.requestHeaders.getAllRawHeaders() for value in values]
        answer = problem(error, RequestHead(request.method, request.uri, 1, fields, [], {}), b"")
    else:
        exchange.cause = error.cause
        answer = problem(error, exchange.head, exchange.request_id)
    return answer


def render_answer(request: Any, answer: Answer) -> bytes:
    """Give an answer to a stock request; returns the body that its `render` must return."""
    request.setResponseCode(answer.status, answer.reason)
    for name in dict.fromkeys(name for name, _ in answer.fields):
        request.responseHeaders.setRawHeaders(name, [value for key, value in answer.fields if key == name])
    request.setHeader(b"Content-Length", b"%d" % len(answer.body))
    return b"" if request.method == b"HEAD" else answer.body
