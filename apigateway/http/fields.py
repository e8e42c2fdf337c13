"""Which header fields concern one hop only, and which a gateway owns. Pure rules, no I/O.

Fields are `(name, value)` pairs of bytes; their order and spelling are kept. See RFC 9110 §7.6.1 for what a proxy must
not pass on.
"""

from __future__ import annotations

from collections.abc import Iterable

from apigateway.errors import BAD_REQUEST, GatewayError

Fields = list[tuple[bytes, bytes]]

HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",
        b"transfer-encoding",
        b"upgrade",
    )
)
"""Fields that are never passed on, in either direction."""

FRAMING = frozenset((b"content-length", b"transfer-encoding"))

REWRITTEN = frozenset((b"x-original-url", b"x-rewrite-url"))
"""Fields that some services take for the path: with them, what was judged would not be what is served."""

OWNED = REWRITTEN | frozenset(
    (b"forwarded", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-request-id", b"via", b"x-real-ip")
)
"""Fields that say who the client is and where the request has been: the gateway writes them."""

_SPECIAL = HOP_BY_HOP | FRAMING | OWNED | {b"host", b"expect"}

_ORDINARY = """
    Accept Accept-Charset Accept-Encoding Accept-Language Authorization Cache-Control Content-Encoding
    Content-Language Content-Type Cookie DNT Date If-Match If-Modified-Since If-None-Match If-Range
    If-Unmodified-Since Origin Pragma Priority Range Referer Sec-CH-UA Sec-CH-UA-Mobile Sec-CH-UA-Platform
    Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site Sec-Fetch-User Traceparent Tracestate Upgrade-Insecure-Requests
    User-Agent X-Requested-With sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform
"""
_UNKNOWN = b"?"

# Spellings that arrive all the time, so that they need no lower-casing: None for what is passed on unchanged.
_SPELLINGS: dict[bytes, bytes | None] = {}
for _name in (word.encode() for word in _ORDINARY.split()):
    _SPELLINGS[_name] = _SPELLINGS[_name.lower()] = None
for _name in _SPECIAL:
    _SPELLINGS[_name] = _SPELLINGS[_name.title()] = _name


def _kind(name: bytes) -> bytes | None:
    """The lower-case name of a field that concerns the gateway, None for an ordinary one.

    Services that see fields as CGI variables can't tell `X_Forwarded_For` from `X-Forwarded-For`, so both spellings
    of such a name are ours; what is spelled with underscores comes back as `b""` and is dropped.
    """
    lower = name.lower()
    dashed = lower.replace(b"_", b"-")
    if dashed in _SPECIAL or dashed.startswith(b"x-forwarded-"):
        return lower if dashed == lower else b""
    return None


def sort_request_fields(fields: Fields) -> tuple[Fields, dict[bytes, bytes]]:
    """Part request fields into (passed on unchanged, special by lower-case name).

    Repeated special fields are joined by ", " (RFC 9110 §5.3). Raises `GatewayError` where `Host` is repeated.
    """
    plain: Fields = []
    special: dict[bytes, bytes] = {}
    spellings = _SPELLINGS
    for field in fields:
        kind = spellings.get(field[0], _UNKNOWN)
        if kind is _UNKNOWN:
            kind = _kind(field[0])
        if kind is None:
            plain.append(field)
        elif kind in special:
            if kind == b"host":
                raise GatewayError(BAD_REQUEST, "Send exactly one Host field.")
            special[kind] += b", " + field[1]
        elif kind:
            special[kind] = field[1]
    named = named_by(special.get(b"connection"))
    if named:
        plain = [field for field in plain if field[0].lower() not in named]
    return plain, special


_USUAL_CONNECTION = (b"keep-alive", b"close", b"upgrade")
_NONE: frozenset[bytes] = frozenset()


def named_by(connection: bytes | None) -> frozenset[bytes]:
    """The lower-case names of the fields that a `Connection` field makes hop-by-hop; its usual values name none."""
    if connection is None or connection.lower() in _USUAL_CONNECTION:
        return _NONE
    return connection_options(connection)


def connection_options(value: bytes) -> frozenset[bytes]:
    """The lower-case options of a `Connection` field (RFC 9110 §7.6.1)."""
    return frozenset(option.strip(b" \t").lower() for option in value.split(b","))


def response_fields(fields: Iterable[tuple[bytes, bytes]]) -> Fields:
    """The fields of a response that are passed on: neither of this hop nor framing."""
    kept: Fields = []
    named = _NONE
    for field in fields:
        name = field[0].lower()
        if name not in _RESPONSE_DROP:
            kept.append(field)
        elif name == b"connection":
            named |= named_by(field[1])
    return [field for field in kept if field[0].lower() not in named] if named else kept


# The exchange has one request id, and the gateway tells it.
_RESPONSE_DROP = HOP_BY_HOP | FRAMING | {b"x-request-id"}


def trailer_fields(fields: Fields, decided: frozenset[bytes] = _NONE) -> Fields:
    """The trailers that are passed on: none that frames, routes, identifies or admits (RFC 9110 §6.5.1).

    Those were looked at in the head; who merges trailers into it must not find others. `decided` are further such
    names, in lower case and with dashes: they are dropped in any spelling.
    """
    dropped = _NO_TRAILERS | decided
    return [
        field for field in fields if _kind(field[0]) is None and field[0].lower().replace(b"_", b"-") not in dropped
    ]


_NO_TRAILERS = frozenset((b"authorization", b"cookie", b"set-cookie", b"trailer"))
