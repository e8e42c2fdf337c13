"""From parsed pieces to a request head: the checks that the parser leaves to us, and the framing of the body.

Rules: RFC 9112 §2.3 (version), §3.2 (target and Host), §6 (framing); RFC 9110 §10.1.1 (Expect).
"""

from __future__ import annotations

import re

from apigateway.errors import BAD_REQUEST, EXPECTATION_FAILED, GatewayError
from apigateway.http.fields import Fields, connection_options, named_by, sort_request_fields
from apigateway.http.heads import CHUNKED, RequestHead

# RFC 3986 allows more: but a comma makes a list, a percent sign hides something, and no name in use has any of it.
_AUTHORITY = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~-]+)(?::([0-9]{0,5}))?|")
_ABSOLUTE = re.compile(rb"https?://([^/?#]*+)([^#]*+)", re.IGNORECASE)
# llhttp also speaks the methods of other protocols, and CONNECT asks for a tunnel; a gateway serves neither.
_NOT_SERVED = frozenset(
    b"CONNECT PRI SOURCE DESCRIBE ANNOUNCE SETUP PLAY PAUSE TEARDOWN GET_PARAMETER SET_PARAMETER REDIRECT RECORD "
    b"FLUSH".split()
)
_MINOR = {"1.1": 1, "1.0": 0}
_VERSIONS = "Speak HTTP/1.1 or HTTP/1.0."
MOST_PORT = 65535


def check_protocol(target: bytes, start: bytes) -> None:
    """Raise `GatewayError` where a request line for `target`, somewhere in `start`, is not HTTP's.

    llhttp reads some requests of RTSP as if they were HTTP's, and does not tell.
    """
    if b" RTSP/" in start and re.search(re.escape(target) + rb" +RTSP/", start):
        raise GatewayError(BAD_REQUEST, _VERSIONS)


def read_head(method: bytes, target: bytes, version: str, fields: Fields, keep_alive: bool) -> RequestHead:
    """Make the head of one request, or raise `GatewayError` where it must not be forwarded."""
    minor = _MINOR.get(version)
    if minor is None:
        raise GatewayError(BAD_REQUEST, _VERSIONS)
    plain, special = sort_request_fields(fields)
    _check_host(special.get(b"host"), minor)
    if target[:1] != b"/":
        target, fields = _other_form(method, target, special, fields)
    elif b"#" in target:
        raise GatewayError(BAD_REQUEST, "A request target has no fragment; encode '#' as %23.")
    if method in _NOT_SERVED:
        raise GatewayError(BAD_REQUEST, "This method is not served here.")
    named = named_by(special.get(b"connection")) - special.keys()
    if named:
        # What is for this hop alone must not be taken for the service's either (RFC 9110 §7.6.1).
        fields = [field for field in fields if field[0].lower() not in named]
    head = RequestHead(method, target, minor, fields, plain, special)
    # "close" goes before "keep-alive" (RFC 9112 §9.3), which the parser does not see to on HTTP/1.0.
    head.keep_alive = keep_alive and (minor == 1 or b"close" not in connection_options(special.get(b"connection", b"")))
    # Host alone says nothing of framing, and HTTP/1.1 always has it.
    if len(special) > minor:
        _read_framing(head)
    return head


def _check_host(host: bytes | None, minor: int) -> None:
    if host is None:
        if minor:
            raise GatewayError(BAD_REQUEST, "Send a Host field.")
    else:
        found = _AUTHORITY.fullmatch(host.rstrip(b" \t"))
        if found is None or int(found[1] or 0) > MOST_PORT:
            raise GatewayError(BAD_REQUEST, "The Host field is not a host name with an optional port.")


def _other_form(method: bytes, target: bytes, special: dict[bytes, bytes], fields: Fields) -> tuple[bytes, Fields]:
    """Absolute form becomes origin form, its authority replaces Host (RFC 9112 §3.2.2); "*" stays for OPTIONS.

    The fields that policies see say the same host as those that the service does.
    """
    if target == b"*" and method == b"OPTIONS":
        return target, fields
    match = _ABSOLUTE.fullmatch(target)
    if match is None or not match[1]:
        raise GatewayError(BAD_REQUEST, "The request target must be a path that begins with '/'.")
    _check_host(match[1], 1)
    special[b"host"] = match[1]
    rest = match[2]
    fields = [(b"Host", match[1]), *(field for field in fields if field[0].lower() != b"host")]
    return rest if rest[:1] == b"/" else b"/" + rest, fields


def _read_framing(head: RequestHead) -> None:
    special = head.special
    coding = special.get(b"transfer-encoding")
    if coding is not None:
        if coding.strip(b" ").lower() != b"chunked" or not head.minor:
            raise GatewayError(BAD_REQUEST, "The only transfer coding served is 'chunked', on HTTP/1.1.")
        if b"content-length" in special:
            raise GatewayError(BAD_REQUEST, "A body has a length or is chunked, but not both.")
        head.length = CHUNKED
    elif b"content-length" in special:
        length = special[b"content-length"].strip(b" \t")
        if not length.isdigit():
            raise GatewayError(BAD_REQUEST, "The Content-Length field is not a number.")
        head.length = int(length)
    expect = special.get(b"expect")
    if expect is not None and expect.strip(b" \t").lower() != b"100-continue":
        raise GatewayError(EXPECTATION_FAILED, "The only expectation served is '100-continue'.")
