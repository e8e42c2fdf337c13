"""What services do wrong when a request says so, and what its client may see of each. Knows no sockets."""

from __future__ import annotations

from dataclasses import dataclass

CUT = "cut"
"""The answer began and was broken off, so that its client saw that it was."""


@dataclass(frozen=True)
class Fault:
    """`seen` are the causes, or statuses of the service's own, or `CUT`, that a client may see of it.

    `is_failure` says that the breaker counts it. `weight` is how often it is chosen, beside the others.
    """

    name: str
    seen: tuple[str | int, ...]
    is_failure: bool = True
    weight: int = 4


_ALL = (
    Fault("reset-before", ("connection-lost",)),
    Fault("close-before", ("connection-lost",)),
    Fault("reset-midway", (CUT,)),
    Fault("close-midway", (CUT,)),
    Fault("stall-before", ("response-timeout",), weight=1),
    Fault("stall-midway", (CUT,), weight=1),
    Fault("status-500", (500,)),
    Fault("status-503", (503,)),
    # The connection of a service that answers garbage may be gone before all of it was looked at.
    Fault("garbage", ("bad-response", "connection-lost")),
    Fault("two-lengths", ("bad-response", "connection-lost")),
    Fault("garbage-after", (200,), is_failure=False),
    Fault("interim", (200,), is_failure=False),
    Fault("slow", (200,), is_failure=False, weight=2),
    Fault("close-after", (200,), is_failure=False),
    # Who answers before it has read is not read by a client that is still sending: it may see the answer or its end.
    Fault("early", (200, CUT), is_failure=False, weight=2),
    # The first target alone does these, and the gateway tries the other: nobody may see anything of them.
    Fault("first-resets", (200,)),
    Fault("first-closes", (200,)),
    Fault("first-says-503", (200,)),
    Fault("first-resets-unread", (200,)),
    Fault("first-is-slow", (200,), is_failure=False),
)
CATALOGUE = {fault.name: fault for fault in _ALL}

LATE = frozenset(("reset-midway", "close-midway", "stall-midway"))
"""An answer to HEAD has no middle: these are none there."""

RACES = frozenset(("close-after", "garbage-after", "early"))
"""After these a service closes a connection that may just be taken for the next request."""

MENDED = tuple(name for name in CATALOGUE if name.startswith("first-"))
"""What a retry mends, or a hedge."""

PLAIN = tuple(name for name in CATALOGUE if name not in RACES and name not in MENDED)
"""What costs its own exchange at most."""

ANY = (*PLAIN, *sorted(RACES))
"""What a request may ask of a service that is known to close connections when it likes."""
