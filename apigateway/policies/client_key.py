"""Which addresses are one client to a limit. Pure functions on text."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network

CACHED_ADDRESSES = 4096


def limit_key(address: str) -> str:
    """What a limit counts an address under: IPv4 as it is, IPv6 by its /64, anything else as it is.

    The least that one network gets of IPv6 is a /64 (RFC 4291 §2.5.4), whose addresses cost nothing to change. IPv4
    that came over an IPv6 socket (`::ffff:192.0.2.1`) is IPv4.
    """
    return _by_network(address) if ":" in address else address


@lru_cache(CACHED_ADDRESSES)
def _by_network(text: str) -> str:
    try:
        address = IPv6Address(text)
    except ValueError:
        return text
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Network((int(address), 64), strict=False))
