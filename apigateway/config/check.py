"""A configuration as a table of its routes, for people to read."""

from __future__ import annotations

from apigateway.config.model import Balance, Configuration, Route, Service, SplitRule
from apigateway.config.units import duration_text, share_text, size_text

_HEADING = ("METHODS", "HOST", "PATH", "SERVICE", "TARGETS", "POLICIES")


def routes_table(configuration: Configuration) -> str:
    """A heading and a line for each route, those with the longest path first, as they are looked for.

    Services without a route follow. Columns are aligned, and there is no line break at the end.
    """
    routes = [(service, route) for service in configuration.services for route in service.routes]
    routes.sort(key=lambda pair: (-len(pair[1].path), pair[1].path))
    unrouted = [_unrouted_row(service) for service in configuration.services if not service.routes]
    return _aligned([_HEADING, *(_row(service, route) for service, route in routes), *unrouted])


def _aligned(rows: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _row(service: Service, route: Route) -> tuple[str, ...]:
    path = f"{route.path} (stripped)" if route.strip_prefix else route.path
    methods, host = ",".join(route.methods) or "*", route.host or "*"
    words = [*_policies(route), *_care(service), *_traffic(route)]
    return methods, host, path, service.name, _targets(service), ", ".join(words) or "-"


def _unrouted_row(service: Service) -> tuple[str, ...]:
    return "-", "-", "-", service.name, _targets(service), ", ".join(_care(service)) or "-"


def _targets(service: Service) -> str:
    if service.discovery is not None:
        return f"{service.discovery.kind} {service.discovery.subject}"
    return ", ".join(t.url if t.weight == 1 else f"{t.url} *{t.weight}" for t in service.targets)


def _policies(route: Route) -> list[str]:
    """What is on for the route, in a word or two each."""
    policies = route.policies
    brief: list[tuple[str, object]] = [
        *((f"{limit.limit}/{duration_text(limit.window)}", True) for limit in policies.rate_limit),
        (f"match {' '.join(name for name, _ in route.headers)}", route.headers),
        ("cors", policies.cors),
        (f"body <= {size_text(policies.max_body or 0)}", policies.max_body is not None),
        ("content types", policies.content_types),
        ("required headers", policies.required_headers),
        ("hedge", policies.hedging),
    ]
    return [word for word, is_on in brief if is_on]


def _care(service: Service) -> list[str]:
    """What is on for the service."""
    brief: list[tuple[str, object]] = [
        ("breaker", service.circuit_breaker),
        ("health", service.health_check),
        ("retry", service.retries.attempts),
        ("fallback", service.fallback),
        ("treq", service.transport == "treq"),
        (service.balance.strategy, service.balance.strategy != Balance().strategy),
        ("sticky", service.balance.sticky),
        ("TLS unverified", not service.tls.verify),
    ]
    return [word for word, is_on in brief if is_on]


def _traffic(route: Route) -> list[str]:
    """Where else requests go."""
    splits = [f"split {rule.service} {_taken(rule)}" for rule in route.split]
    return splits + [f"mirror {one.service} {share_text(one.share)}" for one in route.mirror]


def _taken(rule: SplitRule) -> str:
    if rule.share is not None:
        return share_text(rule.share)
    return "by " + " ".join(name for name, _ in (*rule.headers, *rule.cookie))
