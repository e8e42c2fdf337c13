"""What `/gateway/metrics` tells of relays: connections that have switched to another protocol, by service."""

from __future__ import annotations

from apigateway.admin.view import View
from apigateway.telemetry.prometheus import family


def relay_metrics(view: View) -> list[str]:
    """The lines of all families about relays."""
    told = [({"service": name}, service.relays.describe()) for name, service in view.snapshot().services.items()]
    moved = [
        ({**labels, "direction": direction}, numbers[f"bytes_{direction}"])
        for labels, numbers in told
        for direction in ("in", "out")
    ]
    return [
        *family("apigateway_relays", "gauge", "Connections that have switched to another protocol, as WebSockets.",
                [(labels, numbers["open"]) for labels, numbers in told]),
        *family("apigateway_relays_total", "counter", "Connections that have switched.",
                [(labels, numbers["total"]) for labels, numbers in told]),
        *family("apigateway_relay_bytes_total", "counter", "Bytes that those moved, from clients (in) and to them.",
                moved),
    ]  # fmt: skip
