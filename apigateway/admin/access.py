"""Who may see `/gateway/…`: clients of the allowed networks, and whoever knows the token. Knows requests, no pages.

A proxy on this machine must not open the pages to everyone whom it serves. So where a field says that the request was
forwarded, its client counts as one of a network only if a trusted proxy has named a client other than itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from hmac import compare_digest
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

from apigateway.exchange import Exchange

_FORWARDED = frozenset(
    (b"cf-connecting-ip", b"client-ip", b"forwarded", b"true-client-ip", b"via", b"x-client-ip", b"x-real-ip")
)
_FORWARDED_PREFIX = b"x-forwarded"
_SCHEME = b"bearer"


def may_see(request: Any, allow: Sequence[IPv4Network | IPv6Network], token: str | None) -> bool:
    """Whether a stock request may see the pages; `request.exchange`, where it has one, knows its client best."""
    return _knows(request, token) or _is_near(request, allow)


def _knows(request: Any, token: str | None) -> bool:
    given = request.requestHeaders.getRawHeaders(b"authorization", [])
    if not token or len(given) != 1:
        return False
    scheme, _, credentials = given[0].strip().partition(b" ")
    known = compare_digest(credentials.strip(), token.encode())
    return known and scheme.lower() == _SCHEME


def _is_near(request: Any, allow: Sequence[IPv4Network | IPv6Network]) -> bool:
    exchange: Exchange | None = getattr(request, "exchange", None)
    if exchange is None:
        return not _was_forwarded(request) and _is_within(getattr(request.getClientAddress(), "host", ""), allow)
    named = exchange.trusted and exchange.client != exchange.peer
    return (named or not _was_forwarded(request)) and _is_within(exchange.client, allow)


def _was_forwarded(request: Any) -> bool:
    names = (name.lower().replace(b"_", b"-") for name, _ in request.requestHeaders.getAllRawHeaders())
    return any(name in _FORWARDED or name.startswith(_FORWARDED_PREFIX) for name in names)


def _is_within(client: str, allow: Sequence[IPv4Network | IPv6Network]) -> bool:
    try:
        address = ip_address(client)
    except ValueError:
        return False
    plain = getattr(address, "ipv4_mapped", None) or address
    return any(plain in network for network in allow)
