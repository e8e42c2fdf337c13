"""What a rate limit counts a request under: the same for the same, different for different, and of bounded length.

Nobody can be counted as somebody else by what a field says, nor get new counts by changing addresses within a /64.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import Any, cast

from apigateway.config.model import Policies, RateLimit
from apigateway.interfaces import IRateLimiter
from apigateway.policies.client_key import limit_key
from apigateway.policies.policy import PolicyTools
from apigateway.policies.rate_limit import LONGEST_VALUE, rate_limit
from apigateway.testing.exchanges import exchange_for
from tests.fuzz.target import Target

PEERS = ("203.0.113.7", "2001:db8::1", "unix")


class _Noting:
    """A limiter that admits all and notes their keys."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def admit(self, key: str, now: float) -> tuple[bool, int, float]:
        self.keys.append(key)
        return True, 1, 1.0


def check(data: bytes) -> None:
    """Two values of a field, or two addresses, a line each."""
    one, _, other = data.partition(b"\n")
    other = other.partition(b"\n")[0]
    _check_addresses(one.decode("latin-1"), other.decode("latin-1"))
    _check_values(one.strip(), other.strip())


def _check_addresses(one: str, other: str) -> None:
    keys = [limit_key(one), limit_key(other), limit_key(one)]
    assert keys[0] == keys[2]
    assert all(len(key) <= max(len(one), len(other), 43) for key in keys)
    try:
        first, second = ip_address(one), ip_address(other)
    except ValueError:
        return
    assert (keys[0] == keys[1]) is (_network(first) == _network(second)), (one, other, keys)


def _network(address: Any) -> object:
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or (int(address) >> 64, getattr(address, "scope_id", None) and None)
    return address


def _check_values(one: bytes, other: bytes) -> None:
    if set(one + other) & set(b"\r\n\0"):
        return
    limiter = _Noting()
    limits = Policies(rate_limit=(RateLimit(5, 60.0, "header:X-Key"),))
    tools = PolicyTools("a", "b", lambda name, limit: cast(IRateLimiter, limiter), lambda: 1.0)
    policy = rate_limit(limits, tools)
    assert policy is not None
    assert policy.on_request is not None
    for value in (one, other, one):
        policy.on_request(exchange_for(fields=[(b"x-KEY", value)]))
    first, second, again = limiter.keys
    assert first == again
    assert (first == second) is (one == other), (first, second)
    clients = {limit_key(peer) for peer in PEERS}
    for value, key in ((one, first), (other, second)):
        assert len(key) <= LONGEST_VALUE + 1
        assert (key in clients) is (not value), (value, key)


TARGET = Target(
    check,
    (b"203.0.113.7", b"2001:db8::1", b"2001:db8::", b"::ffff:203.0.113.7", b"::1", b"fe80::1%eth0", b"unix", b"=", b"#",
     b"key", b"k" * 64, b"k" * 65, b",", b", ", b"%", b":", b"\n", b"1.2.3.4"),
    most=512,
    short_runs=500,
)  # fmt: skip
