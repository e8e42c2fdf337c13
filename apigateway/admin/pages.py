"""The gateway's own pages by path, and the one Resource that shows them.

Each tree of pages is a single leaf of the resource tree, so that however a path below it is spelled, the request goes
through one `render`, and there through one question whether it may.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.web.resource import Resource

from apigateway import __version__
from apigateway.admin.access import may_see
from apigateway.admin.answers import json_answer, page_answer, problem_answer, render_answer
from apigateway.admin.health import health, readiness
from apigateway.admin.metrics import metrics
from apigateway.admin.stats import stats
from apigateway.admin.view import View
from apigateway.errors import FORBIDDEN, METHOD_NOT_ALLOWED, NO_ROUTE, GatewayError
from apigateway.http.answers import Answer
from apigateway.telemetry.prometheus import CONTENT_TYPE

Page = Callable[[Any], Answer]
"""Makes the answer to a stock request."""

_METHODS = (b"GET", b"HEAD")


class Pages(Resource):
    """Some pages by their path below this node; a slash at the end changes nothing.

    `check` is asked before anything else and raises `GatewayError` for who may see none of the pages, not even whether
    they exist.
    """

    isLeaf = True
    max_body = 4096
    """None of them wants a body; a small one does no harm. Bytes."""

    def __init__(self, pages: Mapping[bytes, Page], check: Callable[[Any], None] = lambda request: None) -> None:
        super().__init__()
        self._pages = pages
        self._check = check

    def render(self, request: Any) -> bytes:
        """Show a page, or say why not."""
        try:
            answer = self._answer(request)
        except GatewayError as error:
            answer = problem_answer(error, request)
        return render_answer(request, answer)

    def _answer(self, request: Any) -> Answer:
        self._check(request)
        page = self._pages.get(b"/".join(request.postpath).removesuffix(b"/"))
        if page is None:
            raise GatewayError(NO_ROUTE, "The gateway has no such page.")
        if request.method not in _METHODS:
            allowed = b", ".join(_METHODS)
            raise GatewayError(METHOD_NOT_ALLOWED, f"Allowed: {allowed.decode()}.", fields=((b"Allow", allowed),))
        return page(request)


def gateway_pages(view: View) -> dict[bytes, Resource]:
    """The pages of the gateway, by the path where they are mounted."""

    def sees(request: Any) -> bool:
        return may_see(request, view.allow, view.token)

    def check(request: Any) -> None:
        if not sees(request):
            raise GatewayError(FORBIDDEN, "Ask from an allowed network, or with the admin token.")

    return {
        b"/": Pages({b"": lambda request: json_answer(_about(view))}),
        b"/health": Pages(
            {
                b"": lambda request: json_answer(*health(view, sees(request))),
                b"live": lambda request: json_answer({"status": "live"}),
                b"ready": lambda request: json_answer(*readiness(view)),
            }
        ),
        b"/gateway": Pages(
            {
                b"": lambda request: json_answer(_INDEX),
                b"stats": lambda request: json_answer(stats(view)),
                b"metrics": lambda request: page_answer(CONTENT_TYPE, metrics(view)),
            },
            check,
        ),
    }


def _about(view: View) -> dict[str, object]:
    return {
        "name": "apigateway",
        "version": __version__,
        "status": "stopping" if view.stopping() else "running",
        "uptime_s": round(view.telemetry.statistics.uptime(), 3),
    }


_INDEX = {
    "pages": {
        "/gateway/stats": "what has been counted since start and over the last minute, and the present state, as JSON",
        "/gateway/metrics": "the same for Prometheus",
    }
}
