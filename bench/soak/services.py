"""The services of the soak: what each is there for, and what may happen to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.soak.faults import ANY, MENDED, PLAIN
from bench.soak.history import BREAKER_FAILURES, RECOVERY_S

LIMIT = 20
"""What the limited service admits of a client in a second."""


@dataclass(frozen=True)
class Service:
    """How many targets it has, how often it is asked, and what the gateway is told of it beside that.

    Nobody asks one without `weight`: others lead to it. `faults` are what a request may ask of it. `restarts`: its
    processes are killed and started again. `encrypted`: so many of its targets, the last ones, speak TLS. `is_found`:
    its targets stand in a file that changes. `wild` is the share of requests that it misuses of its own accord.
    """

    targets: int
    weight: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)
    faults: tuple[str, ...] = PLAIN
    restarts: bool = False
    encrypted: int = 0
    is_found: bool = False
    wild: float = 0.0

    def is_encrypted(self, number: int) -> bool:
        """Whether the target with this number speaks TLS."""
        return number >= self.targets - self.encrypted


_BREAKER = {"circuit_breaker": {"failures": BREAKER_FAILURES, "recovery": f"{RECOVERY_S:g}s"}}
_RETRIES = {
    "attempts": 2,
    "methods": ["GET", "HEAD", "POST", "PUT", "DELETE"],
    "statuses": [503],
    "replay": "64KiB",
    # Each fault must be mended, however often chance wants one.
    "budget": 1,
    "min_per_second": 100,
}
SERVICES = {
    # Nothing happens here but what a request asks for itself: whatever else goes wrong is the gateway's doing.
    "steady": Service(2, 30),
    "quiet": Service(1, 8, faults=()),
    "shaky": Service(2, 20, _BREAKER, faults=ANY, restarts=True),
    "fallen": Service(
        1, 8, {**_BREAKER, "fallback": {"status": 200, "body": '{"items": []}'}}, faults=ANY, restarts=True
    ),
    "limited": Service(1, 5, {"rate_limit": {"limit": LIMIT, "window": "1s"}}, faults=()),
    "treq": Service(2, 8, {"transport": "treq"}, encrypted=1),
    "secure": Service(2, 14, {"balance": "latency"}, encrypted=2),
    "found": Service(3, 10, {"balance": {"strategy": "hash", "key": "header:X-Nonce"}}, is_found=True),
    "sticky": Service(2, 2, {"balance": {"sticky": {"secret": "50ac" * 16}}}, faults=()),
    "again": Service(2, 8, {"balance": "round-robin", "retries": _RETRIES, "hedging": {"after": "p95"}}, faults=MENDED),
    "divided": Service(1, 8),
    "canary": Service(1, 0, {**_BREAKER, "fallback": {"service": "divided"}}, restarts=True),
    "mirrored": Service(1, 8, {"mirror": {"service": "shadow", "share": "50%", "methods": ["*"]}}, faults=()),
    "shadow": Service(1, 0, restarts=True, wild=0.3),
}  # fmt: skip

DIVIDED = {"canary": "divided"}
"""A service, and whose requests it gets in part: what happens to the one is seen at the other."""

SHARES = ("10%", "40%")
"""So much the canary gets, by turns of the configuration."""

LIMITED = frozenset(name for name, service in SERVICES.items() if "rate_limit" in service.options)
GUARDED = frozenset({name for name, one in SERVICES.items() if "circuit_breaker" in one.options} | {*DIVIDED.values()})
ENCRYPTED = tuple(name for name, service in SERVICES.items() if service.encrypted)
FOUND = tuple(name for name, service in SERVICES.items() if service.is_found)

SOCKETS = ("steady", "secure", "found", "shaky")
"""WebSockets lead here. At the last one alone they may end before their client wants it."""

EVENTS = ("steady", "secure", "found", "treq")
"""Streams of events come from here."""


def target(service: str, number: int) -> str:
    """The name of a target, by which it calls itself."""
    return f"{service}-{number}"
