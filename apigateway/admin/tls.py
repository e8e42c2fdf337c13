"""What `/gateway/metrics` says of TLS with clients. Knows the descriptions that listeners give of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from apigateway.telemetry.prometheus import Labels, family

Told = Mapping[str, Mapping[str, Any]]
"""What is known of TLS, by listener."""


def tls_metrics(told: Told) -> list[str]:
    """Handshakes by what came of them, and how long certificates are good."""
    if not told:
        return []
    handshakes = [({"listener": endpoint}, one["handshakes"]) for endpoint, one in told.items()]
    resumed = [({"listener": endpoint}, one["resumed"]) for endpoint, one in told.items()]
    failed = [
        ({"listener": endpoint, "reason": reason}, count)
        for endpoint, one in told.items()
        for reason, count in one["failed"].items()
    ]
    lines = family("apigateway_tls_handshakes_total", "counter", "TLS handshakes with clients.", handshakes)
    lines += family("apigateway_tls_resumed_total", "counter", "Those that went on with a session.", resumed)
    lines += family("apigateway_tls_failed_total", "counter", "TLS handshakes that came to nothing.", failed)
    help = "Days until a certificate ends."
    return lines + family("apigateway_certificate_days_left", "gauge", help, list(_days_left(told)))


def _days_left(told: Told) -> Iterator[tuple[Labels, float]]:
    """Each file once a listener, also where it is given twice."""
    for endpoint, one in told.items():
        left = {found["file"]: found["days_left"] for found in one["certificates"]}
        yield from (({"listener": endpoint, "file": file}, days) for file, days in left.items())
