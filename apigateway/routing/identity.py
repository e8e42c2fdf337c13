"""Who the client of an exchange is, and the exchange's request id.

What a request says of both is believed only from trusted proxies.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from ipaddress import IPv6Address, ip_address

from apigateway.exchange import Exchange
from apigateway.routing.networks import Network, Networks

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")


class Identity:
    """Gives exchanges their client address and request id. `random_bits` returns that many random bits."""

    def __init__(self, trusted: Iterable[Network], random_bits: Callable[[int], int]) -> None:
        networks = Networks(trusted)
        self._is_anybody_trusted = bool(networks)
        self._random_bits = random_bits
        self.trusts: Callable[[str], bool] = networks.hold
        """Whether an address is one of the trusted proxies'."""

    def __call__(self, exchange: Exchange) -> None:
        """Fill in `trusted`, `client`, `request_id`, and `secure` where a trusted proxy ended the TLS."""
        if self._is_anybody_trusted and self.trusts(exchange.peer):
            self._believe(exchange)
        if not exchange.request_id:
            exchange.request_id = b"%032x" % self._random_bits(128)

    def _believe(self, exchange: Exchange) -> None:
        exchange.trusted = True
        special = exchange.head.special
        forwarded_for = special.get(b"x-forwarded-for")
        if forwarded_for is not None:
            exchange.client = self._client(forwarded_for, exchange.peer)
        if special.get(b"x-forwarded-proto", b"").strip().lower() == b"https":
            exchange.secure = True
        request_id = special.get(b"x-request-id", b"").strip()
        if _REQUEST_ID.fullmatch(request_id):
            exchange.request_id = request_id

    def _client(self, forwarded_for: bytes, peer: str) -> str:
        """The last address in the list that is not itself a trusted proxy's."""
        client = peer
        for part in reversed(forwarded_for.split(b",")):
            address = _spelled(part.strip().decode("latin-1").strip("[]"))
            if not address:
                return client
            client = address
            if not self.trusts(address):
                return client
        return client


def _spelled(text: str) -> str:
    """The one spelling of an address; "" where it is none, or one of this machine's links (RFC 4007 §11)."""
    try:
        address = ip_address(text)
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        return "" if address.scope_id is not None else str(address.ipv4_mapped or address)
    return text
