"""The services of the soak, and the gateway's configuration for them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.soak.outcomes import BREAKER_FAILURES, RECOVERY_S

LIMIT = 20
"""What the limited service admits of a client in a second."""


@dataclass(frozen=True)
class Service:
    """A service: how many targets it has, what may happen to it, and what the gateway is told of it.

    `restarts`: its processes are killed and started again. `races`: it closes connections when it likes.
    """

    targets: int
    weight: int
    options: Mapping[str, Any] = field(default_factory=dict)
    faults: bool = True
    races: bool = False
    restarts: bool = False


_BREAKER = {"circuit_breaker": {"failures": BREAKER_FAILURES, "recovery": f"{RECOVERY_S:g}s"}}
SERVICES = {
    # Nothing happens here but what a request asks for itself: whatever else goes wrong is the gateway's doing.
    "steady": Service(2, 40),
    "quiet": Service(1, 10, faults=False),
    "shaky": Service(2, 25, _BREAKER, races=True, restarts=True),
    "fallen": Service(
        1, 10, {**_BREAKER, "fallback": {"status": 200, "body": '{"items": []}'}}, races=True, restarts=True
    ),
    "limited": Service(1, 5, {"rate_limit": {"limit": LIMIT, "window": "1s"}}, faults=False),
    "treq": Service(1, 10, {"transport": "treq"}),
}  # fmt: skip
LIMITED = frozenset(name for name, service in SERVICES.items() if "rate_limit" in service.options)
GUARDED = frozenset(name for name, service in SERVICES.items() if "circuit_breaker" in service.options)


def configuration(port: int, ports: Mapping[str, Sequence[int]], log: Path, generation: int) -> str:
    """The gateway's file. Each generation of it says its number in every answer, and every other has a route more."""
    services: dict[str, Any] = {}
    for name, service in SERVICES.items():
        targets = [f"http://127.0.0.1:{one}" for one in ports[name]]
        services[name] = {"prefix": f"/{name}", "targets": targets, **service.options}
    if generation % 2:
        services["extra"] = {"prefix": "/extra", "targets": services["quiet"]["targets"]}
    tree = {
        "listen": [f"tcp:{port}:interface=127.0.0.1"],
        "access_log": {"file": str(log), "rotate": "10GiB"},
        "defaults": {
            "rate_limit": False,
            "circuit_breaker": False,
            "health_check": {"interval": "2s", "timeout": "1s"},
            "timeouts": {"connect": "2s", "response": "2s", "idle": "2s", "pool": "2s"},
            "pool": {"idle": "2s"},
            "headers": {"set_response": {"X-Generation": str(generation)}},
        },
        "services": services,
    }
    return json.dumps(tree, indent=1)
