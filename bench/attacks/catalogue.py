"""The attacks by name: by whom, from how many connections and addresses, and what the gateway is told beforehand."""

from __future__ import annotations

from dataclasses import dataclass, field

from bench.attacks.flood import CATALOGUE as FLOODS

BOUND = 2000
"""Connections that the gateway takes where an attack is about their number."""


@dataclass(frozen=True)
class Attack:
    """One of them. `command`: a program other than our own; `$port` in it is replaced. `limits` are the gateway's."""

    name: str
    about: str
    lines: int = 64
    addresses: int = 1
    limits: str = ""
    command: tuple[str, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def flood(self) -> str:
        """Our own attacker's word for it."""
        return next(name for name in FLOODS if self.name == name or self.name.startswith(name + "-from"))


def _slow_http(name: str, about: str, *how: str) -> Attack:
    ends = ("-c", "1500", "-r", "500", "-l", "240", "-u", "http://127.0.0.1:$port/api/product")
    return Attack(f"slowhttptest{name}", about, command=("slowhttptest", *how, *ends), limits=f"connections: {BOUND}")


_FEW = f"connections: {BOUND}"
_SLOW = "min_rate: 0"
_TIGHT = f"connections: {BOUND}, connections_per_client: 500"
_ALL = (
    Attack("never-speaks", "3000 connections that say nothing, where 2000 may be", 3000, 1, _FEW),
    Attack("never-speaks-from-many", "the same from 500 addresses", 3000, 500, _FEW),
    Attack("never-speaks-from-one", "the same, where a client may have 500", 3000, 1, _TIGHT),
    Attack("slow-head", "3000 heads that never end", 3000, 1, _FEW),
    Attack("slow-head-from-many", "the same from 500 addresses", 3000, 500, _FEW),
    Attack("slow-body", "1000 bodies of a byte a second", 1000, 1, "body_timeout: 3s"),
    Attack("slow-body-from-many", "2000 of them, from 2000 addresses, where no rate is asked for", 2000, 2000, _SLOW),
    Attack("slow-reader", "500 readers of 100 bytes a second", 500, 1, "body_timeout: 3s"),
    Attack("slow-reader-from-many", "2000 of them, from 2000 addresses, likewise", 2000, 2000, _SLOW),
    Attack("header-flood", "heads of 150 KB"),
    Attack("uri-flood", "targets of a megabyte"),
    Attack("chunks-of-one", "endless bodies in chunks of a byte", 16),
    Attack("chunk-extensions", "16 KB of extension to each byte", 16),
    Attack("trailers", "endless trailers", 16),
    Attack("pipelined-unread", "thousands of pipelined requests, no answer read", 200),
    Attack("pipelined-odd", "the same with heads that take the longer way", 200),
    Attack("continue-abandoned", "`100 Continue` asked for and abandoned"),
    Attack("open-and-close", "connections opened and closed"),
    Attack("asks-and-resets", "requests that are reset at once"),
    Attack("requests", "requests of one address, above its rate limit", settings={"limit": "100", "window": "1s"}),
    _slow_http("-heads", "slowhttptest -H: slow heads", "-H", "-i", "1"),
    _slow_http("-bodies", "slowhttptest -B: slow bodies", "-B", "-i", "1"),
    _slow_http("-reads", "slowhttptest -X: slow readers", "-X", "-w", "256", "-y", "512", "-n", "1", "-z", "32"),
)
CATALOGUE = {attack.name: attack for attack in _ALL}
