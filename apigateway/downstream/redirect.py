"""Listeners that answer every request with the way to the same URL elsewhere, which is to say by `https`.

Knows heads of requests and one entrance for the few that are let through; not what lies behind it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from apigateway.errors import BAD_REQUEST, GatewayError
from apigateway.exchange import Exchange
from apigateway.http.answers import Answer
from apigateway.http.heads import RequestHead
from apigateway.http.hosts import DEFAULT_PORTS

_HOST = re.compile(
    rb"((?:[a-z0-9](?:[a-z0-9_-]{0,62})\.){0,32}[a-z0-9](?:[a-z0-9_-]{0,62})\.?|\[[0-9a-f:.]{2,45}\])(?::[0-9]{0,5})?",
    re.IGNORECASE,
)
"""A name of letters, digits and dashes, or an address, and a port: the only hosts that anybody is sent to."""

_NOT_OF_URL = re.compile(rb"[^!$-;=?-\[\]_a-z~]")

HEALTH = frozenset((b"/health", b"/health/live", b"/health/ready"))
"""The gateway's own pages that are answered all the same: whoever asks for them seldom follows redirections."""

_CHALLENGE = re.compile(rb"/\.well-known/acme-challenge/[A-Za-z0-9_-]+")
"""Certificates are asked for where there is none yet (RFC 8555 §8.3)."""


@dataclass(frozen=True, slots=True)
class Redirection:
    """Where to: the same URL with `scheme`, at `port` (None: the scheme's own); `status` is the answer's."""

    scheme: str
    port: int | None
    status: int

    def location(self, head: RequestHead) -> bytes:
        """The URL. Raises `GatewayError` where the request does not say what host it wants."""
        host = _HOST.fullmatch(head.special.get(b"host", b"").strip())
        if host is None or not head.target.startswith(b"/"):
            raise GatewayError(BAD_REQUEST, f"This is for {self.scheme} only: ask there, by the name of a host.")
        port = b"" if self.port in (None, DEFAULT_PORTS[self.scheme]) else b":%d" % self.port
        target = _NOT_OF_URL.sub(lambda found: b"%%%02X" % found[0][0], head.target)
        return b"%b://%b%b%b" % (self.scheme.encode(), host[1], port, target)


class Redirecting:
    """Redirects exchanges. `identify` tells whether one came by TLS to a trusted proxy; `go_on` takes those let in."""

    def __init__(
        self,
        redirection: Redirection,
        identify: Callable[[Exchange], None],
        go_on: Callable[[Exchange], None],
    ) -> None:
        self._redirection = redirection
        self._identify = identify
        self._go_on = go_on

    def __repr__(self) -> str:
        return f"<Redirecting to {self._redirection.scheme}>"

    def begin(self, exchange: Exchange) -> None:
        """Answer, or let it in."""
        self._identify(exchange)
        if exchange.secure or _is_let_in(exchange.head):
            self._go_on(exchange)
            return
        try:
            location = self._redirection.location(exchange.head)
        except GatewayError as error:
            exchange.fail(error)
            return
        exchange.answer(Answer(self._redirection.status, [(b"Location", location)]))


def _is_let_in(head: RequestHead) -> bool:
    if head.method not in (b"GET", b"HEAD"):
        return False
    return head.path in HEALTH or _CHALLENGE.fullmatch(head.path) is not None
