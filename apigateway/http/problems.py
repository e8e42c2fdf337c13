"""The gateway's own errors as RFC 9457 problem details, or as text or HTML where `Accept` prefers those.

Nothing that the client sent is echoed but the request id, which is checked where it is taken. Should anything slip
through all the same, browsers are told to take no answer for what it is not called, and to run nothing in a page.
"""

from __future__ import annotations

import json
from html import escape

from apigateway.errors import Cause, GatewayError
from apigateway.http.answers import Answer
from apigateway.http.heads import RequestHead

_NO_SNIFFING = (b"X-Content-Type-Options", b"nosniff")
_NO_SCRIPTS = (b"Content-Security-Policy", b"default-src 'none'; frame-ancestors 'none'")

TYPE_BASE = "urn:apigateway:problem:"


def _media_type(accept: bytes | None) -> str:
    """The first of our three media types that `accept` names; JSON where it names none."""
    if accept:
        for part in accept.lower().split(b","):
            name = part.split(b";", 1)[0].strip()
            if name in (b"application/problem+json", b"application/json"):
                return "application/problem+json"
            if name in (b"text/html", b"application/xhtml+xml"):
                return "text/html; charset=utf-8"
            if name == b"text/plain":
                return "text/plain; charset=utf-8"
    return "application/problem+json"


def _json(members: dict[str, object]) -> str:
    return json.dumps(members) + "\n"


def _text(members: dict[str, object]) -> str:
    return "".join(f"{name}: {value}\n" for name, value in members.items())


def _html(members: dict[str, object]) -> str:
    title = escape(f"{members['status']} {members['title']}")
    rows = "".join(f"<dt>{escape(name)}<dd>{escape(str(value))}" for name, value in members.items())
    return f"<!doctype html><meta charset=utf-8><title>{title}</title><h1>{title}</h1><dl>{rows}</dl>\n"


_WRITERS = {"application/problem+json": _json, "text/html; charset=utf-8": _html, "text/plain; charset=utf-8": _text}


def members_of(cause: Cause, detail: str, request_id: bytes) -> dict[str, object]:
    """The members of a problem document (RFC 9457 §3.1), and our two: `cause` and `request_id`."""
    members: dict[str, object] = {"type": TYPE_BASE + cause.code, "title": cause.title, "status": cause.status}
    if detail:
        members["detail"] = detail
    if request_id:
        members["instance"] = "urn:request:" + request_id.decode("ascii", "replace")
    members["cause"] = cause.code
    if request_id:
        members["request_id"] = request_id.decode("ascii", "replace")
    return members


_JSON = "application/problem+json"
_ID = b"(request-id)"
_MOST_KNOWN = 256
_known: dict[tuple[str, str, int, str], list[str]] = {}


def _around_id(cause: Cause, detail: str) -> list[str]:
    """A document as JSON, taken apart where the request id stands.

    Refusals of one kind differ in nothing else, and where there are many of them each has to be cheap.
    """
    key = (cause.code, cause.title, cause.status, detail)
    parts = _known.get(key)
    if parts is None:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        parts = _known[key] = _json(members_of(cause, detail, _ID)).split(_ID.decode())
    return parts


def problem(error: GatewayError, head: RequestHead | None, request_id: bytes) -> Answer:
    """The answer for a failure. `head` is None where no head could be read."""
    media_type = _media_type(head.get(b"accept") if head else None)
    if media_type == _JSON and request_id.isalnum():
        body = request_id.decode().join(_around_id(error.cause, error.detail))
    else:
        body = _WRITERS[media_type](members_of(error.cause, error.detail, request_id))
    fields = [(b"Content-Type", media_type.encode()), (b"Cache-Control", b"no-store"), _NO_SNIFFING, *error.fields]
    if media_type.startswith("text/html"):
        fields.append(_NO_SCRIPTS)
    if error.retry_after_s is not None:
        fields.append((b"Retry-After", b"%d" % error.retry_after_s))
    return Answer(error.cause.status, fields, body.encode())
