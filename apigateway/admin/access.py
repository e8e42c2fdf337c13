"""Who may see `/gateway/…`: clients of the allowed networks, and whoever knows the token. Knows requests, no pages.

An address proves little. So it counts for nothing

- where a field says that the request was forwarded, unless a trusted proxy names a client other than itself: a proxy on
  this machine must not open the pages to everyone whom it serves;
- where the request is HTTP/1.0, which proxies speak that say nothing of whom they serve;
- where the request asks for a name that strangers could make point here, or comes from a page of another site: a
  browser on this machine must not open the pages to every site that it shows (DNS rebinding, requests across sites).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

from twisted.logger import Logger

from apigateway.exchange import Exchange
from apigateway.http.hosts import host_name, is_named
from apigateway.policies.client_key import limit_key
from apigateway.stores.memory import MemoryRateLimiter

MOST_GUESSES = 100
GUESSES_WITHIN_S = 60.0
"""After so many wrong tokens in such a time, no token of a client is looked at."""
GUESSERS = 4096
"""So many clients with wrong tokens are remembered, the oldest forgotten first."""
LONG_TOKEN = 20
"""Tokens of so many characters can't be guessed; a bound would only serve to lock out whoever knows it."""

_FORWARDED = frozenset(
    (
        b"cf-connecting-ip", b"client-ip", b"fastly-client-ip", b"forwarded", b"true-client-ip", b"via",
        b"x-azure-clientip", b"x-client-ip", b"x-cluster-client-ip", b"x-envoy-external-address",
        b"x-original-forwarded-for", b"x-originating-ip", b"x-proxyuser-ip", b"x-real-ip", b"x-remote-addr",
        b"x-remote-ip",
    )
)  # fmt: skip
_FORWARDED_PREFIX = b"x-forwarded"
_SCHEME = b"bearer"
_SAME_SITE = (b"same-origin", b"none")

_log = Logger(namespace="apigateway.admin")


class Guesses:
    """Wrong tokens, counted by client, so that nobody can try many. `now` is the monotonic clock, in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._wrong = MemoryRateLimiter(MOST_GUESSES, GUESSES_WITHIN_S, GUESSERS, GUESSERS)

    def may(self, client: str) -> bool:
        """Whether a token of this client is looked at."""
        return self._wrong.peek(limit_key(client), self._now())[0]

    def wrong(self, client: str) -> None:
        """The client sent a wrong one."""
        key, now = limit_key(client), self._now()
        admitted, left, _ = self._wrong.admit(key, now)
        if admitted and not left:
            _log.warn(
                "{client} sent {count} wrong admin tokens: no more of its tokens are looked at for a while",
                event="admin-token-guessed", client=key, count=MOST_GUESSES,
            )  # fmt: skip
        self._wrong.sweep(now)


@dataclass(frozen=True, slots=True)
class Access:
    """Who may see the pages: clients of the networks `allow` that ask by an address or a known name, and the `token`.

    `hosts` are further names by which they may ask, in lower case; `*.example.com` is any name below that one.
    """

    guesses: Guesses
    allow: Sequence[IPv4Network | IPv6Network]
    token: str | None = field(default=None, repr=False)
    hosts: Sequence[str] = ()

    def may_see(self, request: Any) -> bool:
        """Whether a stock request may see the pages; `request.exchange`, where it has one, knows its client best."""
        exchange: Exchange | None = getattr(request, "exchange", None)
        return self._knows(request, exchange) or self._is_near(request, exchange)

    def _knows(self, request: Any, exchange: Exchange | None) -> bool:
        given = request.requestHeaders.getRawHeaders(b"authorization", [])
        if not self.token or len(given) != 1:
            return False
        scheme, _, credentials = given[0].strip().partition(b" ")
        client = _peer(request) if exchange is None else exchange.client
        is_guessable = len(self.token) < LONG_TOKEN
        if scheme.lower() != _SCHEME or (is_guessable and not self.guesses.may(client)):
            return False
        # Hashes are all of one length: the time tells not even that of the token.
        known = compare_digest(sha256(credentials.strip()).digest(), sha256(self.token.encode()).digest())
        if is_guessable and not known:
            self.guesses.wrong(client)
        return known

    def _is_near(self, request: Any, exchange: Exchange | None) -> bool:
        if exchange is None:
            client, named, is_old = _peer(request), False, request.clientproto == b"HTTP/1.0"
        else:
            named = exchange.trusted and exchange.client != exchange.peer
            client, is_old = exchange.client, exchange.head.minor == 0
        if not named and (is_old or _was_forwarded(request)):
            return False
        hosts = hosts_of(request)
        return (
            _is_within(client, self.allow)
            and all(self._is_known(host_name(host)) for host in hosts)
            and is_of_this_site(request, hosts)
        )

    def _is_known(self, name: bytes) -> bool:
        if b"." not in name or is_named(name, b"*.localhost") or _is_address(name):
            return True
        return any(is_named(name, known.encode()) for known in self.hosts)


def _peer(request: Any) -> str:
    return getattr(request.getClientAddress(), "host", "")


def hosts_of(request: Any) -> list[bytes]:
    """The hosts that a stock request asks for, also in the words of a trusted proxy."""
    exchange: Exchange | None = getattr(request, "exchange", None)
    if exchange is None:
        return [request.getHeader(b"host") or b""]
    special = exchange.head.special
    told = special.get(b"x-forwarded-host") if exchange.trusted else None
    return [special.get(b"host", b""), *(() if told is None else told.split(b","))]


def is_of_this_site(request: Any, hosts: Sequence[bytes]) -> bool:
    """Whether no browser says that a page of another site has sent the request; following a link is harmless."""
    origin = request.getHeader(b"origin")
    if origin is not None and origin.lower().partition(b"://")[2] not in [host.strip().lower() for host in hosts]:
        return False
    is_link = request.getHeader(b"sec-fetch-mode") == b"navigate" and request.method in (b"GET", b"HEAD")
    return is_link or request.getHeader(b"sec-fetch-site") in (None, *_SAME_SITE)


def _was_forwarded(request: Any) -> bool:
    names = (name.lower().replace(b"_", b"-") for name, _ in request.requestHeaders.getAllRawHeaders())
    return any(name in _FORWARDED or name.startswith(_FORWARDED_PREFIX) for name in names)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_address(name: bytes) -> bool:
    return _address(name.decode("latin-1").strip("[]")) is not None


def _is_within(client: str, allow: Sequence[IPv4Network | IPv6Network]) -> bool:
    address = _address(client)
    return address is not None and any(address in network for network in allow)
