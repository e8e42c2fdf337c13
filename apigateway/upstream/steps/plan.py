"""What a route wants of the requests it sends on and of the answers it lets back, ready for use.

Made once per snapshot. Knows no routes and no policies, only what they boil down to.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twisted.logger import Logger

from apigateway.errors import GatewayError, unforeseen_error
from apigateway.exchange import Exchange
from apigateway.http.dates import with_date
from apigateway.http.fields import REWRITTEN, trailer_fields
from apigateway.http.heads import RequestHead, ResponseHead
from apigateway.http.lines import join_lines
from apigateway.http.paths import without_prefix
from apigateway.interfaces import Fields
from apigateway.upstream.relays import UpgradeRules

if TYPE_CHECKING:
    from apigateway.upstream.steps.terms import Terms

VIA = b"1.1 apigateway"

_log = Logger(namespace="apigateway.upstream")


@dataclass(frozen=True, slots=True)
class ForwardPlan:
    """How exchanges of one route are sent on.

    `strip` is the path prefix that is cut from the target. `pass_host` keeps the client's `Host`. `forwarded` adds the
    field of RFC 7239, `via` that of RFC 9110 §7.6.3. `on_response` are the policies' response sides, in order.
    `in_request_head` and `in_answer_head` name what is decided by the head, in lower case and with dashes: no trailer
    may say it again. `terms` are the route's own where they differ from its service's. `unsaid` matches field lines
    that clients must not send to any service.
    """

    strip: bytes = b""
    pass_host: bool = False
    forwarded: bool = False
    via: bool = True
    on_response: tuple[Callable[[Exchange, ResponseHead], None], ...] = ()
    in_request_head: frozenset[bytes] = frozenset()
    in_answer_head: frozenset[bytes] = frozenset()
    upgrades: UpgradeRules | None = None
    terms: Terms | None = None
    unsaid: re.Pattern[bytes] | None = None

    def target(self, head: RequestHead) -> bytes:
        """The request target for the service."""
        return without_prefix(head.target, self.strip) if self.strip else head.target

    def request_lines(self, exchange: Exchange, host: bytes) -> bytes:
        """The end-to-end fields of the request, and those that say where it has been, as field lines."""
        head = exchange.head
        special = head.special
        came_to = special.get(b"host", b"")
        if exchange.trusted or self.forwarded or b"te" in special:
            more = join_lines(self._further_fields(exchange, came_to))
        else:
            scheme = b"https" if exchange.secure else b"http"
            more = _FORWARDED % (exchange.peer.encode(), scheme, came_to)
        via = b""
        if self.via:
            before = special.get(b"via")
            via = _VIA_LINE if before is None else b"Via: %b, %b\r\n" % (before, VIA)
        lines = head.lines if self.unsaid is None else self.unsaid.sub(b"", head.lines)
        sent_host = came_to if self.pass_host and came_to else host
        return b"Host: %b\r\n%b%bX-Request-Id: %b\r\n%b" % (sent_host, lines, more, exchange.request_id, via)

    def _further_fields(self, exchange: Exchange, came_to: bytes) -> Fields:
        fields: Fields = []
        special, peer = exchange.head.special, exchange.peer.encode()
        if exchange.trusted:
            _add_from_trusted_peer(fields, exchange, peer)
        else:
            fields.append((b"X-Forwarded-For", peer))
            fields.append((b"X-Forwarded-Proto", b"https" if exchange.secure else b"http"))
            fields.append((b"X-Forwarded-Host", came_to))
        if self.forwarded:
            fields.append((b"Forwarded", _forwarded(exchange, peer, came_to)))
        if b"te" in special and b"trailers" in special[b"te"].lower():
            fields.append((b"TE", b"trailers"))
            fields.append((b"Connection", b"TE"))
        return fields

    def request_trailers(self, trailers: Fields) -> Fields:
        """The trailers of a request that the service gets: policies have not seen them."""
        return trailer_fields(trailers, self.in_request_head)

    def answer_trailers(self, trailers: Fields) -> Fields:
        """The trailers of an answer that the client gets."""
        return trailer_fields(trailers, self.in_answer_head)

    def answer(
        self, exchange: Exchange, status: int, reason: bytes, lines: bytes, length: int | None, now: float
    ) -> tuple[int, bytes, bytes, int | None]:
        """The head of an answer as the client gets it: changed by the policies, with what the gateway has to say.

        Raises `GatewayError` where a policy fails, or refuses the answer.
        """
        lines = with_date(lines, now)
        try:
            if self.on_response:
                head = ResponseHead(status, reason, lines, length)
                for change in self.on_response:
                    change(exchange, head)
                status, reason, lines, length = head.status, head.reason, head.lines, head.length
            via = _VIA_LINE if self.via else b""
            more = join_lines(exchange.extra) if exchange.extra else b""
            return status, reason, b"%b%bX-Request-Id: %b\r\n%b" % (lines, more, exchange.request_id, via), length
        except GatewayError:
            raise
        except Exception:
            raise unforeseen(exchange, "the answer can't be passed on") from None


def unforeseen(exchange: Exchange, what: str) -> GatewayError:
    """What a bug becomes: a line in the log with its traceback, and an answer that tells nothing of it."""
    _log.failure(
        "exchange {request_id} failed: {what}",
        what=what, request_id=exchange.request_id.decode("latin-1"), route=exchange.route,
    )  # fmt: skip
    return unforeseen_error()


_VIA_LINE = b"Via: %b\r\n" % VIA
_FORWARDED = b"X-Forwarded-For: %b\r\nX-Forwarded-Proto: %b\r\nX-Forwarded-Host: %b\r\n"


def _add_from_trusted_peer(fields: Fields, exchange: Exchange, peer: bytes) -> None:
    """A trusted proxy's word stands, and the proxy itself joins the list (design: client address)."""
    special = exchange.head.special
    before = special.get(b"x-forwarded-for")
    fields.append((b"X-Forwarded-For", peer if before is None else before + b", " + peer))
    proto = b"https" if exchange.secure else b"http"
    fields.append((b"X-Forwarded-Proto", special.get(b"x-forwarded-proto", proto)))
    fields.append((b"X-Forwarded-Host", special.get(b"x-forwarded-host", special.get(b"host", b""))))
    fields += [
        (name, value)
        for name, value in special.items()
        if name in _KEPT or (name.startswith(b"x-forwarded-") and name not in _WRITTEN)
    ]


_KEPT = REWRITTEN | {b"x-real-ip"}
_WRITTEN = frozenset((b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"))


def _forwarded(exchange: Exchange, peer: bytes, host: bytes) -> bytes:
    """One element of RFC 7239 §4; IPv6 addresses are bracketed and quoted (§6)."""
    node = b'"[%b]"' % peer if b":" in peer else peer
    element = b'for=%b;host="%b";proto=%b' % (node, host, b"https" if exchange.secure else b"http")
    before = exchange.head.special.get(b"forwarded") if exchange.trusted else None
    return element if before is None else before + b", " + element
