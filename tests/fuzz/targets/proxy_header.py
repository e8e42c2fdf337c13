"""Headers of the PROXY protocol: only their own error is raised, in whatever pieces they come there is one verdict, and
a client is the one that Twisted's own reader finds.

That reader takes more for a header than ours; what ours takes, it must take as well, and read the same.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import Any

from twisted.protocols.haproxy._v1parser import V1Parser
from twisted.protocols.haproxy._v2parser import V2Parser

from apigateway.downstream.proxy_protocol import (
    MOST_V1,
    MOST_V2,
    SIGNATURE,
    UNKNOWN,
    ProxyHeader,
    ProxyHeaderError,
    read_header,
)
from tests.fuzz.target import Target


def check(data: bytes) -> None:
    """The bytes are what a connection begins with."""
    verdicts = [_verdict(data[:length]) for length in range(len(data) + 1)]
    settled = [verdict for verdict in verdicts if verdict is not None]
    assert verdicts == [None] * (len(verdicts) - len(settled)) + settled, "a verdict that was taken back"
    assert len(settled) >= len(data) + 1 - max(MOST_V1, MOST_V2), "more is awaited than a header can have"
    kinds = {verdict if isinstance(verdict, ProxyHeader) else ProxyHeaderError for verdict in settled}
    assert len(kinds) < 2, kinds
    if settled and isinstance(settled[0], ProxyHeader):
        assert len(verdicts) - len(settled) == settled[0].size, "more or less than the header was taken"
        _check_client(data[: settled[0].size], settled[0])


def _verdict(data: bytes) -> ProxyHeader | str | None:
    try:
        return read_header(data)
    except ProxyHeaderError as error:
        return str(error)


def _check_client(header: bytes, found: ProxyHeader) -> None:
    if found.host in (None, UNKNOWN):
        assert not found.port
        return
    is_second = header.startswith(SIGNATURE)
    read = V2Parser.parse(header) if is_second else V1Parser.parse(header.removesuffix(b"\r\n"))
    source: Any = read.source
    address = ip_address(source.host.decode() if isinstance(source.host, bytes) else source.host)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    assert found.host == str(mapped or address), (found, source)
    assert found.port == source.port, (found, source)


TARGET = Target(
    check,
    (
        SIGNATURE, b"PROXY ", b"TCP4 ", b"TCP6 ", b"UNKNOWN", b"192.0.2.7 ", b"::1 ", b"65535", b"\r\n",
        b"\x21\x11\0\x0c", b"\x21\x21\0\x24", b"\x20\0\0\0", b"\x21\x31\0\xd8", b"\x03\0\x04", b"\x20\0\x05\x01",
    ),
    most=400,
    short_runs=300,
)  # fmt: skip
