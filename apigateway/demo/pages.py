"""What the demo's pages have in common: JSON answers, and resources made of one function a method."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import isnan
from typing import cast

from twisted.web import resource
from twisted.web.server import Request

from apigateway.demo.bodies import HashedBody

Answer = Callable[[Request], bytes | int]
"""Answers one request: the body, or `NOT_DONE_YET`."""


def answer(request: Request, status: int, value: object) -> bytes:
    """Set the status and the content type; returns the body."""
    request.setResponseCode(status)
    request.setHeader(b"Content-Type", b"application/json")
    return json.dumps(value).encode() + b"\n"


def body_of(request: Request) -> HashedBody:
    """The body of a request to a `DemoSite`."""
    return cast(HashedBody, request.content)


def read_object(request: Request) -> dict[str, object]:
    """The JSON object in the request's body; anything else reads as an empty one."""
    body = body_of(request)
    try:
        value = json.loads(body.read()) if body.is_whole() else None
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {}


def argument(request: Request, name: bytes, default: float, least: float, most: float) -> float:
    """A number of the query string, kept between two bounds; the default where it is missing or no number."""
    try:
        value = float(request.args[name][0])
    except (KeyError, ValueError):
        value = default
    return min(max(value, least), most) if not isnan(value) else default


class Page(resource.Resource):
    """A leaf that answers with one function a method; HEAD is GET, whose body twisted.web leaves out."""

    isLeaf = True

    def __init__(self, **answers: Answer) -> None:
        resource.Resource.__init__(self)
        self._answers = answers

    def render(self, request: Request) -> bytes | int:
        """Called by twisted.web with a whole request."""
        if request.postpath:
            return NOT_FOUND.render(request)
        method = request.method.decode("ascii")
        found = self._answers.get("GET" if method == "HEAD" else method)
        if found is None:
            request.setHeader(b"Allow", ", ".join(self._answers).encode())
            return answer(request, 405, {"error": "method not allowed"})
        return found(request)


class Always(resource.Resource):
    """A leaf that answers the same, whatever is asked."""

    isLeaf = True

    def __init__(self, status: int, value: object) -> None:
        resource.Resource.__init__(self)
        self._status = status
        self._value = value

    def render(self, request: Request) -> bytes:
        """Called by twisted.web with a whole request."""
        return answer(request, self._status, self._value)


NOT_FOUND = Always(404, {"error": "not found"})


class Folder(resource.Resource):
    """A resource that only has children, and perhaps a page of its own."""

    def __init__(self, index: resource.Resource | None = None, **children: resource.Resource) -> None:
        resource.Resource.__init__(self)
        self._index = index or NOT_FOUND
        for name, child in children.items():
            self.putChild(name.encode(), child)

    def getChild(self, path: bytes, request: Request) -> resource.Resource:
        """Called by twisted.web for a child that was not put here."""
        return NOT_FOUND if path else self._index

    def render(self, request: Request) -> bytes | int:
        """Called by twisted.web for the folder itself."""
        answered: bytes | int = self._index.render(request)
        return answered


def health(request: Request) -> bytes:
    """The answer to a health check."""
    return answer(request, 200, {"status": "healthy"})
