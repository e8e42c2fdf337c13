"""Policy: which pages of other origins may use a route (the CORS protocol of the Fetch standard, §3.2).

Preflights are answered here and never reach the service. The service's own `Access-Control-*` fields give way to ours.
A request that is not allowed is not refused, as the request itself proves nothing: it goes on without the fields that
would let the page see the answer. Browsers do the enforcing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from apigateway.http.answers import Answer
from apigateway.policies.policy import Policy, PolicyTools

if TYPE_CHECKING:
    from apigateway.exchange import Exchange
    from apigateway.http.heads import RequestHead, ResponseHead

ALWAYS_ALLOWED = ("Accept", "Accept-Language", "Content-Language", "Content-Type")
"""Fields that pages may set without being told (the CORS-safelisted ones); `Content-Type` so may also be JSON."""

_VARY = (b"Vary", b"Origin")
_PREFLIGHT_VARY = (b"Vary", b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
_ASKED_METHOD = b"access-control-request-method"
_ASKED_FIELDS = b"access-control-request-headers"
_OURS = b"access-control-"

_LABELS = r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*"
_TOKEN_LIST = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[ \t]*,[ \t]*[!#$%&'*+.^_`|~0-9A-Za-z-]+)*")


class CorsRule(Protocol):
    """Who may do what. Names are in any spelling."""

    @property
    def origins(self) -> tuple[str, ...]:
        """Such as `https://shop.example.com` or `https://*.example.com`; `*` alone is every origin."""

    @property
    def methods(self) -> tuple[str, ...]:
        """Methods that pages may use; `*` is all."""

    @property
    def headers(self) -> tuple[str, ...]:
        """Request fields that pages may set, besides `ALWAYS_ALLOWED`; `*` is all."""

    @property
    def expose(self) -> tuple[str, ...]:
        """Response fields that pages may read, besides the harmless ones."""

    @property
    def credentials(self) -> bool:
        """Whether cookies and `Authorization` may come along."""

    @property
    def max_age(self) -> int:
        """Seconds for which a browser may remember the answer to a preflight."""


class CorsOptions(Protocol):
    """What this policy wants to know."""

    @property
    def cors(self) -> CorsRule | None:
        """The rule; None switches the policy off."""


def cors(options: CorsOptions, tools: PolicyTools) -> Policy | None:
    """Answer preflights, and mark the answers that pages of `origins` may see."""
    rule = options.cors
    if rule is None:
        return None
    allows, grant, preflight = _origin_check(rule.origins), _grant(rule), _preflight_fields(rule)
    varies = "*" not in rule.origins
    exposed = ((b"Access-Control-Expose-Headers", ", ".join(rule.expose).encode()),) if rule.expose else ()

    def on_request(exchange: Exchange) -> Answer | None:
        head = exchange.head
        origin = head.get(b"origin")
        allowed = origin is not None and allows(origin)
        if head.method == b"OPTIONS" and origin and head.get(_ASKED_METHOD):
            granted = [*grant(origin), *preflight(head)] if allowed else []
            return Answer(204, [_PREFLIGHT_VARY, *granted])
        if varies:
            exchange.extra.append(_VARY)
        if origin and allowed:
            exchange.extra += grant(origin)
            exchange.extra += exposed
        return None

    return Policy("cors", on_request, _remove_its_own, marks=True)


def _remove_its_own(exchange: Exchange, head: ResponseHead) -> None:
    head.fields = [field for field in head.fields if not field[0].lower().startswith(_OURS)]


def _origin_check(origins: tuple[str, ...]) -> Callable[[bytes], bool]:
    """Whether a page's origin is one of these. A `*` within one stands for one or more labels of a host name."""
    if "*" in origins:
        return lambda origin: True
    exact = frozenset(origin.lower().encode() for origin in origins if "*" not in origin)
    patterns = [re.escape(origin.lower()).replace(r"\*", _LABELS) for origin in origins if "*" in origin]
    wild = re.compile("|".join(patterns).encode() if patterns else rb"(?!)")
    return lambda origin: origin.lower() in exact or wild.fullmatch(origin.lower()) is not None


def _grant(rule: CorsRule) -> Callable[[bytes], list[tuple[bytes, bytes]]]:
    """What lets a page of an allowed origin see an answer."""
    if "*" in rule.origins:
        # No credentials here: with them, browsers take "*" for the name of an origin that nobody has.
        everybody = [(b"Access-Control-Allow-Origin", b"*")]
        return lambda origin: everybody
    credentials = [(b"Access-Control-Allow-Credentials", b"true")] if rule.credentials else []
    return lambda origin: [(b"Access-Control-Allow-Origin", origin), *credentials]


def _preflight_fields(rule: CorsRule) -> Callable[[RequestHead], list[tuple[bytes, bytes]]]:
    """What an allowed origin is told in answer to a preflight: all that is allowed, whatever was asked for."""
    methods = ", ".join(rule.methods).encode()
    names = ", ".join(dict.fromkeys((*ALWAYS_ALLOWED, *rule.headers))).encode()
    max_age = (b"Access-Control-Max-Age", b"%d" % rule.max_age)
    any_method, any_field = "*" in rule.methods, "*" in rule.headers

    def fields(head: RequestHead) -> list[tuple[bytes, bytes]]:
        return [
            (b"Access-Control-Allow-Methods", _echo(head, _ASKED_METHOD, methods) if any_method else methods),
            (b"Access-Control-Allow-Headers", _echo(head, _ASKED_FIELDS, names) if any_field else names),
            max_age,
        ]

    return fields


def _echo(head: RequestHead, name: bytes, otherwise: bytes) -> bytes:
    """What is asked for: a plain `*` would leave out `Authorization` (Fetch standard, CORS-unsafe wildcards)."""
    asked = head.get(name)
    return asked if asked and _TOKEN_LIST.fullmatch(asked) else otherwise
