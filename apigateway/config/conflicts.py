"""What must not be between services: routes that match the same, or the gateway's own pages, and fallbacks that lead
nowhere or in a circle.
"""

from __future__ import annotations

from collections import defaultdict

from apigateway.config.model import Route
from apigateway.config.problems import Problems, Where, nearest
from apigateway.config.services import Placed

OWN_PAGES = ("/health", "/gateway")
"""Where the gateway's own pages are."""


def check_conflicts(services: list[Placed], names: list[str], problems: Problems) -> None:
    """Note every conflict. `names` are those of all services, also of such as could not be built."""
    _check_routes(services, problems)
    _check_fallbacks({placed.service.name: placed for placed in services}, names, problems)


def _check_routes(services: list[Placed], problems: Problems) -> None:
    alike: dict[object, list[tuple[Route, Where]]] = defaultdict(list)
    for placed in services:
        for route, where in zip(placed.service.routes, placed.routes, strict=True):
            _check_own_pages(route, where, problems)
            fields = frozenset((name.lower(), value) for name, value in route.headers)
            for earlier, there in alike[route.host, route.path, fields]:
                shared = _shared_methods(earlier, route)
                if shared:
                    # One is enough: thousands that are alike would be told of millions of times.
                    problems.add(where, f"matches {shared} {route.path} like {_mention(there)}")
                    break
            alike[route.host, route.path, fields].append((route, where))


def _check_own_pages(route: Route, where: Where, problems: Problems) -> None:
    own = next((page for page in OWN_PAGES if f"{route.path}/".startswith(f"{page}/")), None)
    if own:
        problems.add(where, f"{own} and what is below are the gateway's own pages")


def _shared_methods(one: Route, other: Route) -> str:
    if not one.methods or not other.methods:
        return ", ".join(one.methods or other.methods) or "every method of"
    return ", ".join(method for method in one.methods if method in other.methods)


def _mention(where: Where) -> str:
    return f"{where.path} in line {where.line}" if where.line else where.path


def _check_fallbacks(services: dict[str, Placed], names: list[str], problems: Problems) -> None:
    known, places = set(names), {name: number for number, name in enumerate(services)}
    settled: set[str] = set()
    for name, placed in services.items():
        follows = _follows(placed)
        if follows is not None and follows not in known:
            problems.add(placed.fallback, f"there is no service of this name; {nearest(follows, names)}")
        circle = _circle(name, services, settled)
        if circle:
            first = circle.index(min(circle, key=places.__getitem__))
            shown = [*circle[first:], *circle[: first + 1]]
            where = services[shown[0]].fallback
            problems.add(where, f"services must not fall back in a circle: {' → '.join(shown)}")


def _follows(placed: Placed) -> str | None:
    """The service that stands in for this one."""
    fallback = placed.service.fallback
    return None if fallback is None else fallback.service


def _circle(name: str, services: dict[str, Placed], settled: set[str]) -> list[str]:
    """The services of the circle that the way from `name` on ends in; none where it ends, or comes to what is settled.

    Whatever was on the way is settled then, so that no service is looked at twice.
    """
    way: dict[str, None] = {}
    at: str | None = name
    while at is not None and at in services and at not in settled:
        settled.add(at)
        way[at] = None
        at = _follows(services[at])
    met = list(way)
    return met[met.index(at) :] if at in way else []
