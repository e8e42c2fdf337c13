"""What of an exchange decides to which target or share it belongs, by the words of the configuration."""

from __future__ import annotations

from collections.abc import Callable

from apigateway.exchange import Exchange
from apigateway.http.cookies import cookie

KeyOf = Callable[[Exchange], bytes | None]
"""The key of an exchange; None where it has none."""


def key_of(words: str, client_of: Callable[[str], str]) -> KeyOf:
    """`client`, `path`, `header:NAME` or `cookie:NAME`. `client_of` tells as what an address counts."""
    kind, _, name = words.partition(":")
    return _KINDS[kind](name.encode(), client_of)


def _client(name: bytes, client_of: Callable[[str], str]) -> KeyOf:
    return lambda exchange: client_of(exchange.client).encode()


def _path(name: bytes, client_of: Callable[[str], str]) -> KeyOf:
    return lambda exchange: exchange.head.path


def _header(name: bytes, client_of: Callable[[str], str]) -> KeyOf:
    lower = name.lower()
    return lambda exchange: exchange.head.get(lower) or None


def _cookie(name: bytes, client_of: Callable[[str], str]) -> KeyOf:
    return lambda exchange: cookie(exchange.head, name) or None


_KINDS: dict[str, Callable[[bytes, Callable[[str], str]], KeyOf]] = {
    "client": _client,
    "path": _path,
    "header": _header,
    "cookie": _cookie,
}
