"""What a client says at the beginning of TLS, before OpenSSL hears it: which name it wants, and what it speaks.

Reads the ClientHello (RFC 8446 §4.1.2) as far as that; whether it is good is for OpenSSL to say.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_CLIENT_HELLO = 1
_HEADER = 5
_MOST_FRAGMENT = 16 * 1024
MOST_HELLO = 64 * 1024
"""A longer one is not read; those of browsers have up to two KiB."""

_RANDOM = 2 + 32
_SERVER_NAME, _ALPN = 0, 16
_HOST_NAME = 0
_EXTENSION = struct.Struct("!HH")


class NoHelloError(ValueError):
    """It is not TLS that begins here."""


@dataclass(frozen=True, slots=True)
class ClientHello:
    """`server_name` in lower case, None where none is given; `protocols` None where the client does not name any."""

    server_name: str | None = None
    protocols: tuple[bytes, ...] | None = None


class HelloReader:
    """Reads the ClientHello of one connection. Each record is read once: a client may send one for every byte."""

    __slots__ = ("_at", "_message")

    def __init__(self) -> None:
        self._at = 0  # where the next record begins
        self._message = bytearray()

    def __repr__(self) -> str:
        return f"<HelloReader {len(self._message)}>"

    def read(self, data: bytes) -> ClientHello | None:
        """The ClientHello that `data`, all that has come so far, begins with; None while more of it is to come.

        Raises `NoHelloError`. One that is malformed inside says nothing here.
        """
        message = self._read(data)
        if message is None:
            return None
        try:
            return _hello(message)
        except (ValueError, IndexError, struct.error):
            return ClientHello()

    def _read(self, data: bytes) -> bytes | None:
        """The body of the first handshake message, which may come in several records (RFC 8446 §5.1)."""
        message = self._message
        while True:
            if len(message) >= 4:
                length = int.from_bytes(message[1:4], "big")
                if message[0] != _CLIENT_HELLO or length > MOST_HELLO:
                    raise NoHelloError("TLS does not begin so")
                if len(message) >= 4 + length:
                    return bytes(message[4 : 4 + length])
            size = _size_of_record(data[self._at : self._at + _HEADER])
            begin = self._at + _HEADER
            if size is None or len(data) < begin + size:
                return None
            message += data[begin : begin + size]
            self._at = begin + size


def _size_of_record(head: bytes) -> int | None:
    """What the head of a record says; None while it is not whole."""
    if head[:1] not in (b"", b"\x16") or head[1:2] not in (b"", b"\x03"):
        raise NoHelloError("no record of TLS")
    if len(head) < _HEADER:
        return None
    size = int.from_bytes(head[3:5], "big")
    if not 0 < size <= _MOST_FRAGMENT:
        raise NoHelloError("a record of TLS is not of that size")
    return size


def _hello(body: bytes) -> ClientHello:
    at = _RANDOM + 1 + body[_RANDOM]  # behind the session
    at += 2 + (body[at] << 8 | body[at + 1])  # cipher suites
    at += 1 + body[at]  # compression
    if at == len(body):
        return ClientHello()
    extensions, _ = _vector(body, at, 2)
    name: str | None = None
    protocols: tuple[bytes, ...] | None = None
    at, end, next_one = 0, len(extensions), _EXTENSION.unpack_from
    while at < end:
        kind, size = next_one(extensions, at)
        at += 4 + size
        if kind == _SERVER_NAME:
            name = _server_name(extensions[at - size : at])
        elif kind == _ALPN:
            protocols = _protocols(extensions[at - size : at])
    return ClientHello(name, protocols)


def _vector(data: bytes, at: int, width: int) -> tuple[bytes, int]:
    """What follows a length of `width` bytes, and where it ends (RFC 8446 §3.4)."""
    begin = at + width
    end = begin + int.from_bytes(data[at:begin], "big")
    if begin > len(data) or end > len(data):
        raise ValueError("cut off")
    return data[begin:end], end


def _server_name(content: bytes) -> str | None:
    """See RFC 6066 §3."""
    names, _ = _vector(content, 0, 2)
    if names[:1] != bytes([_HOST_NAME]):
        return None
    name, _ = _vector(names, 1, 2)
    return name.decode("ascii").lower().removesuffix(".") or None


def _protocols(content: bytes) -> tuple[bytes, ...]:
    """See RFC 7301 §3.1."""
    names, _ = _vector(content, 0, 2)
    found, at = [], 0
    while at < len(names):
        name, at = _vector(names, at, 1)
        found.append(name)
    return tuple(found)
