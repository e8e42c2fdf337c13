"""`POST /gateway/reload`: asks for a reload and tells what came of it. Knows reloads as something to ask for."""

from __future__ import annotations

from typing import Any

import orjson
from twisted.internet.defer import Deferred

from apigateway.admin.access import hosts_of, is_of_this_site
from apigateway.admin.answers import json_answer, problem_answer
from apigateway.admin.view import View
from apigateway.errors import CONFIGURATION_REFUSED, FORBIDDEN, STOPPING, GatewayError
from apigateway.http.answers import Answer
from apigateway.telemetry.reloads import REFUSED, Reload


def reload_page(view: View, request: Any) -> Deferred[Answer]:
    """Reload, and answer when that is done: 200 with what changed, 422 with every problem, 503 while stopping.

    Raises `GatewayError` for a browser that asks on behalf of another site's page, whatever else it may.
    """
    if not is_of_this_site(request, hosts_of(request)):
        raise GatewayError(FORBIDDEN, "Pages of other sites may not do this.")
    return view.reload("page").addCallback(_answer, request)


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
