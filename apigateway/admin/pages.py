"""The gateway's own pages by path, and the one Resource that shows them.

Each tree of pages is a single leaf of the resource tree, so that however a path below it is spelled, the request goes
through one `render`, and there through one question whether it may.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from apigateway import __version__
from apigateway.admin.access import Access, Guesses
from apigateway.admin.answers import json_answer, page_answer, problem_answer, render_answer
from apigateway.admin.health import health, readiness
from apigateway.admin.metrics import metrics
from apigateway.admin.reload import reload_page
from apigateway.admin.stats import stats
from apigateway.admin.view import View
from apigateway.errors import FORBIDDEN, METHOD_NOT_ALLOWED, NO_ROUTE, GatewayError, unforeseen_error
from apigateway.http.answers import Answer
from apigateway.telemetry.prometheus import CONTENT_TYPE

Page = Callable[[Any], "Answer | Deferred[Answer]"]
"""Makes the answer to a stock request, now or later."""

_READING = (b"GET", b"HEAD")
_DOING = (b"POST",)

_log = Logger(namespace="apigateway.admin")


class Pages(Resource):
    """Some pages by their path below this node; a slash at the end changes nothing. `actions` are asked for with POST.

    `check` is asked before anything else and raises `GatewayError` for who may see none of the pages, not even whether
    they exist.
    """

    isLeaf = True
    max_body = 4096
    """None of them wants a body; a small one does no harm. Bytes."""

    def __init__(
        self,
        pages: Mapping[bytes, Page],
        check: Callable[[Any], None] = lambda request: None,
        actions: Mapping[bytes, Page] | None = None,
    ) -> None:
        super().__init__()
        self._pages: dict[bytes, tuple[Page, tuple[bytes, ...]]]
        self._pages = {path: (page, _READING) for path, page in pages.items()}
        self._pages |= {path: (page, _DOING) for path, page in (actions or {}).items()}
        self._check = check

    def render(self, request: Any) -> bytes | int:
        """Show a page, or say why not."""
        try:
            answer = self._answer(request)
        except GatewayError as error:
            answer = problem_answer(error, request)
        if isinstance(answer, Answer):
            return render_answer(request, answer)
        answer_later(request, answer)
        return NOT_DONE_YET

    def _answer(self, request: Any) -> Answer | Deferred[Answer]:
        self._check(request)
        page, methods = self._pages.get(b"/".join(request.postpath).removesuffix(b"/"), (None, ()))
        if page is None:
            raise GatewayError(NO_ROUTE, "The gateway has no such page.")
        if request.method not in methods:
            allowed = b", ".join(methods)
            raise GatewayError(METHOD_NOT_ALLOWED, f"Allowed: {allowed.decode()}.", fields=((b"Allow", allowed),))
        return page(request)


def answer_later(request: Any, answer: Deferred[Answer]) -> None:
    """Give an answer to a stock request when it is there, if the client still is."""
    gone: list[Failure] = []
    request.notifyFinish().addErrback(gone.append)

    def write(made: Answer) -> None:
        if not gone:
            request.write(render_answer(request, made))
            request.finish()

    def failed(failure: Failure) -> None:
        _log.failure("a page failed", failure)
        write(problem_answer(unforeseen_error(), request))

    answer.addCallback(write).addErrback(failed)


def gateway_pages(view: View) -> dict[bytes, Resource]:
    """The pages of the gateway, by the path where they are mounted."""
    access = Access(Guesses(view.now), view.allow, view.token, view.hosts)

    def check(request: Any) -> None:
        if not access.may_see(request):
            raise GatewayError(FORBIDDEN, "Ask from an allowed network, or with the admin token.")

    return {
        b"/": Pages({b"": lambda request: json_answer(_about(view))}),
        b"/health": Pages(
            {
                b"": lambda request: json_answer(*health(view, access.may_see(request))),
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
            {b"reload": lambda request: reload_page(view, request)},
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
    },
    "actions": {
        "/gateway/reload": "with POST: the configuration is read again, and used if all of it can be",
    },
}
