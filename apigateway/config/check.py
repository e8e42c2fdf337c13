"""A configuration as a table of its routes, for people to read."""

from __future__ import annotations

from apigateway.config.model import Configuration, Route, Service
from apigateway.config.units import duration_text, size_text

_HEADING = ("METHODS", "HOST", "PATH", "SERVICE", "TARGETS", "POLICIES")


def routes_table(configuration: Configuration) -> str:
    """A heading and a line for each route, those with the longest path first, as they are looked for.

    Columns are aligned, and there is no line break at the end.
    """
    routes = [(service, route) for service in configuration.services for route in service.routes]
    routes.sort(key=lambda pair: (-len(pair[1].path), pair[1].path))
    return _aligned([_HEADING, *(_row(service, route) for service, route in routes)])


def _aligned(rows: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _row(service: Service, route: Route) -> tuple[str, ...]:
    path = f"{route.path} (stripped)" if route.strip_prefix else route.path
    targets = ", ".join(t.url if t.weight == 1 else f"{t.url} *{t.weight}" for t in service.targets)
    methods, host = ",".join(route.methods) or "*", route.host or "*"
    return methods, host, path, service.name, targets, ", ".join(_policies(service, route)) or "-"


def _policies(service: Service, route: Route) -> list[str]:
    """What is on, in a word or two each."""
    policies = route.policies
    brief: list[tuple[str, object]] = [
        *((f"{limit.limit}/{duration_text(limit.window)}", True) for limit in policies.rate_limit),
        (f"match {' '.join(name for name, _ in route.headers)}", route.headers),
        ("cors", policies.cors),
        (f"body <= {size_text(policies.max_body or 0)}", policies.max_body is not None),
        ("content types", policies.content_types),
        ("required headers", policies.required_headers),
        ("breaker", service.circuit_breaker),
        ("health", service.health_check),
        ("retry", service.retries.attempts),
        ("fallback", service.fallback),
        ("treq", service.transport == "treq"),
    ]
    return [word for word, is_on in brief if is_on]
