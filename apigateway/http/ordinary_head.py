"""The head of a request that `ordinary` matched, or that it is for another reader to judge. Sans-I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from apigateway.http.heads import RequestHead

if TYPE_CHECKING:
    from apigateway.http.request_reader import HeadLimits


def ordinary_head(groups: tuple[Any, ...], limits: HeadLimits) -> RequestHead | None:
    """The head that `match_request` found; None where it is for the parser's side to speak of limits or repetitions."""
    method, target, lines, host, _, _, more, *_ = groups
    if host and groups[10] is None:
        special = {b"host": host}  # as it mostly is
        lines += more
    else:
        special, lines = _heeded(groups)
        if b"host" not in special:
            return None
    # With the three that are not among the lines.
    if len(target) > limits.uri or lines.count(b"\n") > limits.fields - 3:
        return None
    head = RequestHead(method, target, 1, None, None, special, lines)
    if len(special) > 1:
        head.keep_alive = special.get(b"connection", b"") not in _CLOSE
        head.length = int(special.get(b"content-length", 0))
    return head


def _heeded(groups: tuple[Any, ...]) -> tuple[dict[bytes, bytes], bytes]:
    """The fields that are heeded, and all the other lines; no fields, where one is repeated."""
    special: dict[bytes, bytes] = {}
    lines = groups[2]
    for at in (3, 7, 11):
        host, connection, length, more = groups[at : at + 4]
        name = b"host" if host else b"connection" if connection else b"content-length" if length else b""
        if name in special:
            return {}, b""
        if name:
            special[name] = host or connection or length
        lines += more or b""
    return special, lines


_CLOSE = (b"close", b"Close")
