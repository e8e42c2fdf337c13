"""Policy: fields that make browsers careful, on every answer of the route, the gateway's own ones too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apigateway.policies.field_rules import HeaderOptions
from apigateway.policies.policy import Policy, PolicyTools

if TYPE_CHECKING:
    from apigateway.exchange import Exchange
    from apigateway.http.heads import ResponseHead

FIELDS = (
    (b"X-Content-Type-Options", b"nosniff"),
    (b"X-Frame-Options", b"DENY"),
    (b"Referrer-Policy", b"strict-origin-when-cross-origin"),
)
TLS_FIELDS = (*FIELDS, (b"Strict-Transport-Security", b"max-age=31536000"))
"""With HSTS, which means nothing without TLS (RFC 6797 §7.2)."""

_NAMES = frozenset(name.lower() for name, _ in TLS_FIELDS)


def security_headers(options: HeaderOptions, tools: PolicyTools) -> Policy | None:
    """Add the fields; where the service sets one itself, it knows better."""
    if not options.headers.security:
        return None
    return Policy("security-headers", _add, _give_way, marks=True)


def _add(exchange: Exchange) -> None:
    exchange.extra += TLS_FIELDS if exchange.secure else FIELDS


def _give_way(exchange: Exchange, head: ResponseHead) -> None:
    its_own = _NAMES.intersection([name.lower() for name, _ in head.fields])
    if its_own:
        exchange.extra = [field for field in exchange.extra if field[0].lower() not in its_own]
