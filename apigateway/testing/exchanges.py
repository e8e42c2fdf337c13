"""Heads of requests and exchanges made by hand, so that a policy can be tested without a listener."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from apigateway.exchange import Exchange
from apigateway.http.framing import read_head
from apigateway.http.heads import CHUNKED, RequestHead
from apigateway.testing.downstream import RecordingDownstream


def request_head(
    method: str = "GET",
    target: str = "/",
    fields: Iterable[tuple[bytes, bytes]] = (),
    *,
    length: int = 0,
    minor: int = 1,
) -> RequestHead:
    """A request head as a listener would have made it.

    `length` as `RequestHead.length`; `minor` 0 makes a request of HTTP/1.0. A `Host` and the framing field that belongs
    to `length` are added where `fields` lacks them. Raises `GatewayError` for what a listener would refuse.
    """
    all_fields = _completed(list(fields), length)
    return read_head(method.encode(), target.encode("latin-1"), f"1.{minor}", all_fields, keep_alive=minor == 1)


def _completed(fields: list[tuple[bytes, bytes]], length: int) -> list[tuple[bytes, bytes]]:
    names = {name.lower() for name, _ in fields}
    if b"host" not in names:
        fields.insert(0, (b"Host", b"gateway.example"))
    if length == CHUNKED and b"transfer-encoding" not in names:
        fields.append((b"Transfer-Encoding", b"chunked"))
    if length > 0 and b"content-length" not in names:
        fields.append((b"Content-Length", b"%d" % length))
    return fields


def exchange_for(
    method: str = "GET",
    target: str = "/",
    fields: Iterable[tuple[bytes, bytes]] = (),
    *,
    client: str = "203.0.113.7",
    body: bytes = b"",
    chunked: bool = False,
    secure: bool = False,
    now: Callable[[], float] = lambda: 0.0,
    observe: Callable[[Exchange], None] = lambda exchange: None,
    downstream: RecordingDownstream | None = None,
) -> Exchange:
    """An exchange that has just begun; its `downstream` is a `RecordingDownstream`.

    `client` is the address of the peer. The `body` has arrived and waits to be opened; with `chunked` its length was
    not told, and more may `arrive`. When the exchange is over, `observe` is called with it.
    """
    head = request_head(method, target, fields, length=CHUNKED if chunked else len(body))
    client_side = downstream or RecordingDownstream(now)
    exchange = Exchange(head, client_side, client, secure, now(), observe)
    client_side.exchange = exchange
    if body:
        client_side.arrive(body)
    if not chunked:
        client_side.arrive_end()
    return exchange
