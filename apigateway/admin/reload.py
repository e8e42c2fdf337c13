"""`POST /gateway/reload`: asks for a reload and tells what came of it. Knows reloads as something to ask for."""

from __future__ import annotations

from typing import Any

import orjson
from twisted.internet.defer import Deferred

from apigateway.admin.answers import json_answer, problem_answer
from apigateway.admin.view import View
from apigateway.errors import CONFIGURATION_REFUSED, FORBIDDEN, STOPPING, GatewayError
from apigateway.http.answers import Answer
from apigateway.telemetry.reloads import REFUSED, Reload

_OWN_SITE = (b"same-origin", b"none")


def reload_page(view: View, request: Any) -> Deferred[Answer]:
    """Reload, and answer when that is done: 200 with what changed, 422 with every problem, 503 while stopping.

    Raises `GatewayError` for a browser that asks on behalf of another site's page, whatever else it may.
    """
    if _is_of_another_site(request):
        raise GatewayError(FORBIDDEN, "Pages of other sites may not do this.")
    if view.reload is None:
        raise GatewayError(CONFIGURATION_REFUSED, "There is nothing that could be reloaded.")
    return view.reload("page").addCallback(_answer, request)


def _is_of_another_site(request: Any) -> bool:
    if request.getHeader(b"sec-fetch-site") not in (None, *_OWN_SITE):
        return True
    origin = request.getHeader(b"origin")
    host = request.getHeader(b"host") or b""
    return origin is not None and origin.lower().partition(b"://")[2] != host.strip().lower()


def _answer(reload: Reload, request: Any) -> Answer:
    if reload.is_good:
        return json_answer(reload.describe())
    if reload.outcome == REFUSED:
        return problem_answer(GatewayError(STOPPING, reload.detail), request)
    error = GatewayError(CONFIGURATION_REFUSED, "\n".join((reload.detail, *reload.problems)))
    answer = problem_answer(error, request)
    if (b"Content-Type", b"application/problem+json") in answer.fields:
        members = orjson.loads(answer.body) | {"problems": list(reload.problems)}
        answer.body = orjson.dumps(members, option=orjson.OPT_APPEND_NEWLINE)
    return answer
