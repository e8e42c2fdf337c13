"""The switch to another protocol: what a request may offer, and which answer takes it. Pure rules, no I/O.

Rules: RFC 9110 §7.8 (Upgrade) and §15.2.2 (101), RFC 6455 §4 (WebSocket).
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha1

from apigateway.errors import BAD_RESPONSE, GatewayError
from apigateway.http.fields import Fields, connection_options
from apigateway.http.heads import RequestHead

WEBSOCKET = b"websocket"

NEVER = frozenset((b"h2c", b"h2", b"http", b"tls"))
"""Never offered to a service: what passed then would be requests that no policy has seen, or nothing of use."""

_WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3


@dataclass(frozen=True, slots=True)
class Offer:
    """What a request to a service offers: `protocols` in lower case, and the proof that a WebSocket's answer has."""

    protocols: tuple[bytes, ...]
    proof: bytes = b""

    @property
    def lines(self) -> bytes:
        """The field lines that make the offer."""
        return b"Connection: Upgrade\r\nUpgrade: %b\r\n" % b", ".join(self.protocols)


def offered(head: RequestHead) -> tuple[bytes, ...]:
    """The protocols to which a request offers to switch, in lower case and in its order; none where it can't.

    It can't with a body, whose end nobody would find; on HTTP/1.0, which has no such thing; with HEAD, as its answer is
    none; and where it wants the connection to end.
    """
    special = head.special
    upgrade = special.get(b"upgrade")
    if upgrade is None or head.length or not head.minor or not head.keep_alive or head.method == b"HEAD":
        return ()
    if b"upgrade" not in connection_options(special.get(b"connection", b"")):
        return ()
    named = (name.strip(b" \t").lower() for name in upgrade.split(b","))
    return tuple(name for name in named if name and name.partition(b"/")[0] not in NEVER)


def offer(head: RequestHead, allowed: frozenset[bytes]) -> Offer | None:
    """What of a request's offer goes on to the service: `allowed` are the protocols, in lower case. None: nothing."""
    protocols = tuple(name for name in offered(head) if name in allowed)
    if head.method != b"GET":
        protocols = tuple(name for name in protocols if name != WEBSOCKET)  # RFC 6455 §4.1
    if not protocols:
        return None
    return Offer(protocols, proof_of(head.get(b"sec-websocket-key") or b"") if WEBSOCKET in protocols else b"")


def proof_of(key: bytes) -> bytes:
    """The `Sec-WebSocket-Accept` that belongs to a `Sec-WebSocket-Key` (RFC 6455 §4.2.2)."""
    return b64encode(sha1(key + _WEBSOCKET_GUID).digest())


def taken(made: Offer | None, fields: Fields) -> bytes:
    """The protocol to which an answer 101 with these fields switches.

    Raises `GatewayError` where that was not offered. That a WebSocket's answer proves to have read the request keeps
    clients from opening a tunnel to a service that only repeats a status it was given.
    """
    if made is None:
        raise GatewayError(BAD_RESPONSE, "The service switched protocols without being asked to.")
    values: dict[bytes, list[bytes]] = {}
    for name, value in fields:
        values.setdefault(name.lower(), []).append(value.strip(b" \t"))
    protocol = b", ".join(values.get(b"upgrade", ())).lower()
    if protocol not in made.protocols:
        raise GatewayError(BAD_RESPONSE, "The service switched to a protocol that was not offered.")
    if b"upgrade" not in connection_options(b",".join(values.get(b"connection", ()))):
        raise GatewayError(BAD_RESPONSE, "The service switched protocols without saying so in `Connection`.")
    if b"transfer-encoding" in values or any(value.strip(b"0") for value in values.get(b"content-length", ())):
        raise GatewayError(BAD_RESPONSE, "The service switched protocols with an answer that announces a body.")
    if protocol == WEBSOCKET and values.get(b"sec-websocket-accept") != [made.proof]:
        raise GatewayError(BAD_RESPONSE, "The service opened a WebSocket that is not the one that was asked for.")
    return protocol
