"""The header of the PROXY protocol, versions 1 and 2: who the client is that a proxy has made a connection for.

Reads bytes and says what they mean; no socket, and nothing of who may send them. The rules are those of HAProxy's
proxy-protocol.txt, §2.1 to §2.4: what is not exactly a header is refused, because nothing may be guessed.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

MOST_V1 = 107
"""Bytes of a header of version 1, with its line break (§2.1)."""

MOST_V2 = 4096
"""Bytes of a header of version 2. It could say that it has 65 551; what proxies send has some hundreds."""

UNKNOWN = "unknown"
"""The address of a client whose proxy does not know it, or that has none; no network holds it."""

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_FIXED = 16

_V1 = re.compile(rb"PROXY TCP([46]) ([0-9A-Fa-f.:]+) ([0-9A-Fa-f.:]+) (0|[1-9][0-9]{0,4}) (0|[1-9][0-9]{0,4})\r\n")
_V1_UNKNOWN = re.compile(rb"PROXY UNKNOWN(?: [^\r\n]*)?\r\n")

_LOCAL, _PROXY = 0, 1
_TCP4, _TCP6 = 0x11, 0x21
_ADDRESSES = {0x00: 0, _TCP4: 12, 0x12: 12, _TCP6: 36, 0x22: 36, 0x31: 216, 0x32: 216}
"""Bytes of addresses, by family and transport (§2.2)."""

_CRC32C, _SSL = 0x03, 0x20
_CLIENT_SSL = 0x01


class ProxyHeaderError(ValueError):
    """What a connection begins with is no header of the PROXY protocol."""


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """A header of `size` bytes. `host` is the client's address, `UNKNOWN` where that is not told, `port` its port.

    `host` None: the proxy connects on its own account, as for a health check. `secure`: the client speaks TLS with it.
    """

    size: int
    host: str | None = None
    port: int = 0
    secure: bool = False


def read_header(data: bytes) -> ProxyHeader | None:
    """The header that `data` begins with; None while more of it is to come. Raises `ProxyHeaderError`."""
    if data[:12] == SIGNATURE[: len(data)]:
        return _read_v2(data)
    if data[:6] == b"PROXY "[: len(data)]:
        return _read_v1(data)
    raise ProxyHeaderError("no header of the PROXY protocol")


def _read_v1(data: bytes) -> ProxyHeader | None:
    end = data.find(b"\n", 0, MOST_V1) + 1
    if not end:
        if len(data) >= MOST_V1:
            raise ProxyHeaderError("a line of version 1 is longer than 107 bytes")
        return None
    line = data[:end]
    if _V1_UNKNOWN.fullmatch(line):
        return ProxyHeader(end, UNKNOWN)
    found = _V1.fullmatch(line)
    if found is None:
        raise ProxyHeaderError("a malformed line of version 1")
    kind = IPv4Address if found[1] == b"4" else IPv6Address
    try:
        source, _ = (kind(address.decode()) for address in found.group(2, 3))
    except ValueError:
        raise ProxyHeaderError("a malformed address in a line of version 1") from None
    port = int(found[4])
    if max(port, int(found[5])) > 65535:
        raise ProxyHeaderError("a port in a line of version 1 is above 65535")
    return ProxyHeader(end, _spelled(source), port)


def _spelled(address: IPv4Address | IPv6Address) -> str:
    """The one spelling that an address has everywhere here."""
    return str(getattr(address, "ipv4_mapped", None) or address)


def _read_v2(data: bytes) -> ProxyHeader | None:
    if len(data) > 12 and (data[12] >> 4 != 2 or data[12] & 15 > _PROXY):
        raise ProxyHeaderError("an unknown version or command")
    if len(data) < _FIXED:
        return None
    command, family, length = data[12] & 15, data[13], int.from_bytes(data[14:16], "big")
    size = _FIXED + length
    if size > MOST_V2:
        raise ProxyHeaderError(f"a header of {size} bytes; {MOST_V2} are read")
    if command == _PROXY and length < _ADDRESSES.get(family, MOST_V2):
        raise ProxyHeaderError("an unknown family of addresses, or too few bytes for it")
    if len(data) < size:
        return None
    # What a proxy says about a connection of its own is to be skipped, whatever it is (§2.2).
    return ProxyHeader(size) if command == _LOCAL else _client(data[:size], family)


def _client(header: bytes, family: int) -> ProxyHeader:
    host, port = UNKNOWN, 0
    if family == _TCP4:
        host = _spelled(IPv4Address(header[16:20]))
        port = int.from_bytes(header[24:26], "big")
    elif family == _TCP6:
        host = _spelled(IPv6Address(header[16:32]))
        port = int.from_bytes(header[48:50], "big")
    secure = False
    for kind, at, value in _more(header, _FIXED + _ADDRESSES[family]):
        if kind == _CRC32C:
            _check_sum(header, at, value)
        elif kind == _SSL:
            secure = bool(value and value[0] & _CLIENT_SSL)
    return ProxyHeader(len(header), host, port, secure)


def _more(header: bytes, at: int) -> Iterator[tuple[int, int, bytes]]:
    """Type, place and value of each of the fields that follow the addresses (§2.2)."""
    while at < len(header):
        if at + 3 > len(header):
            raise ProxyHeaderError("a field is cut off")
        kind, length = struct.unpack_from("!BH", header, at)
        at += 3
        if at + length > len(header):
            raise ProxyHeaderError("a field is longer than the header")
        yield kind, at, header[at : at + length]
        at += length


def _check_sum(header: bytes, at: int, value: bytes) -> None:
    """The sum is taken with zeros in its own place (§2.2.3)."""
    if len(value) != 4 or crc32c(header[:at] + bytes(4) + header[at + 4 :]) != int.from_bytes(value, "big"):
        raise ProxyHeaderError("the checksum is wrong")


def _table() -> list[int]:
    sums = []
    for one in range(256):
        for _ in range(8):
            one = one >> 1 ^ (0x82F63B78 if one & 1 else 0)
        sums.append(one)
    return sums


_TABLE = _table()


def crc32c(data: bytes) -> int:
    """The checksum of RFC 4960, appendix B."""
    total = 0xFFFFFFFF
    for byte in data:
        total = total >> 8 ^ _TABLE[(total ^ byte) & 255]
    return total ^ 0xFFFFFFFF
