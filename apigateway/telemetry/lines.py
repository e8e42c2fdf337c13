"""Lines of the access log: one exchange as JSON, or in the "combined" format of Apache and nginx.

Pure: an exchange and the offset from its clock to the time of day in, bytes out. Every line ends with the only newline
in it, whatever a client sent, and is not much longer than `MOST_PATH` and a few `MOST_TEXT`. Of the request's fields
only `User-Agent` and, in the combined format, `Referer` are written: credentials and cookies never are.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from time import gmtime
from typing import TYPE_CHECKING

import orjson

from apigateway.telemetry.tally import own_seconds, status_of
from apigateway.telemetry.visible import quoted, visible

if TYPE_CHECKING:
    from apigateway.exchange import Exchange
    from apigateway.http.heads import RequestHead

QueryRule = Callable[[bytes], bytes]
Line = Callable[["Exchange", float], bytes]

MOST_PATH = 8192
"""Bytes of a path with its query that are written, before control bytes are escaped."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _mask(query: bytes) -> bytes:
    """Each value as `*`; a piece without `=` may be a secret as well as a name, and is a value here."""
    pieces = (piece.partition(b"=") for piece in query.split(b"&"))
    return b"?" + b"&".join(name + b"=*" if mark else b"*" for name, mark, _ in pieces)


QUERY_RULES: dict[str, QueryRule] = {
    "keep": lambda query: b"?" + query,
    "mask": _mask,
    "drop": lambda query: b"",
}
"""What is written for a query, by the name of the rule; the `?` belongs to it."""


@lru_cache(64)
def _rfc3339_second(second: int) -> str:
    year, month, day, hour, minute, seconds = gmtime(second)[:6]
    return f"{year}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{seconds:02d}"


def rfc3339(seconds: float) -> str:
    """A time of day, in seconds since 1970, in UTC with milliseconds."""
    second, millisecond = divmod(int(seconds * 1000 + 0.5), 1000)
    return f"{_rfc3339_second(second)}.{millisecond:03d}Z"


@lru_cache(64)
def _apache_time(second: int) -> str:
    year, month, day, hour, minute, seconds = gmtime(second)[:6]
    return f"{day:02d}/{_MONTHS[month - 1]}/{year}:{hour:02d}:{minute:02d}:{seconds:02d} +0000"


def _path(head: RequestHead, rule: QueryRule) -> bytes:
    path, query = head.path, head.query
    if path[:1] != b"/" and b"@" in head.target:
        path, query = _without_user(path, query)
    return path if query is None else path + rule(query)


def _without_user(path: bytes, query: bytes | None) -> tuple[bytes, bytes | None]:
    """A target in absolute form, which is refused, without the user and the password that it may name.

    Where there is an `@` behind a `?`, nobody knows whether a password ends there: nothing before it is told, and what
    comes after it only as the rule for queries has it.
    """
    scheme, mark, rest = path.partition(b"://") if b"://" in path else (b"", b"", path)
    if query is not None and b"@" in query:
        return scheme + mark, query.rpartition(b"@")[2]
    return scheme + mark + rest.rpartition(b"@")[2], query


def _milliseconds(seconds: float) -> float:
    # Cutting at the microsecond costs half of what `round` does.
    return int(seconds * 1e6) / 1000


def json_line(rule: QueryRule) -> Line:
    """Write exchanges as JSON objects; what is not known is null."""

    def line(exchange: Exchange, offset: float) -> bytes:
        head, cause = exchange.head, exchange.cause
        total = exchange.ended - exchange.started
        record = {
            "time": rfc3339(exchange.started + offset),
            "request_id": visible(exchange.request_id) or None,
            "client": visible(exchange.client.encode("utf-8", "replace")) or None,
            "method": visible(head.method) or None,
            "path": visible(_path(head, rule), MOST_PATH) or None,
            "route": exchange.route or None,
            "service": exchange.service or None,
            "target": exchange.target or None,
            "status": status_of(exchange) or None,
            "cause": cause.code if cause is not None else None,
            "bytes_in": exchange.bytes_in,
            "bytes_out": exchange.bytes_out,
            "total_ms": _milliseconds(total),
            "first_byte_ms": _milliseconds(exchange.answered - exchange.started) if exchange.answered else None,
            "service_ms": _milliseconds(total - own_seconds(exchange)) if exchange.sent else None,
            "attempts": exchange.attempts,
            "user_agent": visible(head.get(b"user-agent") or b"") or None,
        }
        if exchange.fallback:
            record["fallback"] = True
        if exchange.hedged:
            record["hedged"] = True
        return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)

    return line


def combined_line(rule: QueryRule) -> Line:
    """Write exchanges as `client - - [time] "request" status bytes "referer" "user agent"`; "-" is not known."""

    def line(exchange: Exchange, offset: float) -> bytes:
        head = exchange.head
        client = quoted(exchange.client.encode("utf-8", "replace")).replace(" ", "\\x20") or "-"
        method, path = quoted(head.method), quoted(_path(head, rule), MOST_PATH)
        request = f"{method} {path} HTTP/1.{head.minor}" if method else "-"
        address, mark, query = (head.get(b"referer") or b"").partition(b"?")
        referer = quoted(address + rule(query) if mark else address) or "-"
        agent = quoted(head.get(b"user-agent") or b"") or "-"
        return (
            f"{client} - - [{_apache_time(int(exchange.started + offset))}] "
            f'"{request}" {status_of(exchange) or "-"} {exchange.bytes_out or "-"} "{referer}" "{agent}"\n'
        ).encode("ascii")

    return line


FORMATS: dict[str, Callable[[QueryRule], Line]] = {"json": json_line, "combined": combined_line}
"""The formats of the access log by name."""
