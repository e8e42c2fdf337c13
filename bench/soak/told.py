"""What the gateway says of itself on `/gateway/stats`, as the few numbers that a soak is about. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Statistics = Mapping[str, Any]


def left_over(statistics: Statistics) -> dict[str, int]:
    """What is under way: nothing, where nobody asks."""
    services = statistics["services"].values()
    targets = [target for service in services for target in service["targets"].values()]
    return {
        "exchanges": statistics["process"]["in_flight"],
        "attempts": sum(target["in_flight"] for target in targets),
        "relays": _sum(services, "relays", "open"),
        "copies": sum(copies["in_flight"] for copies in _copies(services)),
    }


def told(statistics: Statistics) -> dict[str, int]:
    """What was done beside plain exchanges: all in all, since the start."""
    services = list(statistics["services"].values())
    pools = [target["pool"] for service in services for target in service["targets"].values()]
    listeners = [one["tls"] for one in statistics["listeners"].values()]
    return {
        "relays": _sum(services, "relays", "total"),
        "retries": _sum(services, "further_attempts", "retries"),
        "hedges": _sum(services, "further_attempts", "hedges"),
        "copies": sum(copies["sent"] for copies in _copies(services)),
        "copies without an answer": sum(copies["failed"] for copies in _copies(services)),
        "handshakes with clients": sum(one["handshakes"] for one in listeners),
        "handshakes with services": sum(one.get("handshakes", 0) for one in pools),
        "resumed of these": sum(one.get("resumed", 0) for one in pools),
    }


def _copies(services: Iterable[Statistics]) -> list[Statistics]:
    return [copies for service in services for copies in service.get("mirrored", {}).values()]


def _sum(services: Iterable[Statistics], part: str, name: str) -> int:
    return sum(service.get(part, {}).get(name, 0) for service in services)
