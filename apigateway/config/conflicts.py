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
                    problems.add(where, f"matches {shared} {route.path} like {_mention(there)}")
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
    reported: set[str] = set()
    for name, placed in services.items():
        chain = _chain(name, services)
        if len(chain) > 1 and chain[1] not in names:
            problems.add(placed.fallback, f"there is no service {chain[1]!r}; {nearest(chain[1], names)}")
        elif len(chain) > 1 and chain[-1] == name and name not in reported:
            reported.update(chain)
            problems.add(placed.fallback, f"services must not fall back in a circle: {' → '.join(chain)}")


def _chain(name: str, services: dict[str, Placed]) -> list[str]:
    """The services that stand in for one another, from `name` on, up to an end, an unknown one or one met before."""
    chain = [name]
    while chain[-1] in services:
        fallback = services[chain[-1]].service.fallback
        if fallback is None or fallback.service is None:
            break
        chain.append(fallback.service)
        if fallback.service in chain[:-1]:
            break
    return chain
