"""What must not be between services: routes that match the same, or the gateway's own pages; services that lead
nowhere, or that nobody leads to, and fallbacks in a circle; and listeners that nobody may connect to.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable

from apigateway.config.endpoints import kind_of
from apigateway.config.model import Listener, Route
from apigateway.config.problems import Problems, Where, nearest
from apigateway.config.references import HOW
from apigateway.config.services import Placed

_ANY_PORT = re.compile(r"tcp6?:(port=)?0+(:|$)")
"""Endpoints for which the system looks for a port that is free, each time another."""

OWN_PAGES = ("/health", "/gateway")
"""Where the gateway's own pages are."""


def check_conflicts(services: list[Placed], names: list[str], problems: Problems) -> None:
    """Note every conflict. `names` are those of all services, also of such as could not be built."""
    _check_routes(services, problems)
    _check_references(services, names, problems)


def check_listeners(listeners: Iterable[Listener], trusted_proxies: Collection[str], problems: Problems) -> None:
    """Note listeners that nobody could connect to. Who may open a unix socket is for the file system to say."""
    first: dict[str, Listener] = {}
    for one in listeners:
        earlier = first.setdefault(one.endpoint, one)
        if earlier is not one and not _ANY_PORT.match(one.endpoint):
            problems.add(one.where, f"{one.endpoint} is opened by {_mention(earlier.where)} already")
        if one.proxy_protocol and not (one.proxies or trusted_proxies or kind_of(one.endpoint) == "unix"):
            problems.add(one.where, "says `proxy_protocol`: name who may connect, in `proxies` or in `trusted_proxies`")


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


def _check_references(services: list[Placed], names: list[str], problems: Problems) -> None:
    _check_names(services, names, problems)
    _check_unrouted(services, problems)
    _check_circles({placed.service.name: placed for placed in services}, problems)


def _check_names(services: list[Placed], names: list[str], problems: Problems) -> None:
    known = set(names)
    for placed in services:
        for one in placed.leads_to:
            if one.service not in known:
                problems.add(one.where, f"there is no service of this name; {nearest(one.service, names)}")
            elif one.how == "mirror" and one.service == placed.service.name:
                problems.add(one.where, "a service can't be its own mirror: it would get each request twice")


def _check_unrouted(services: list[Placed], problems: Problems) -> None:
    """A service without a route gets its requests by others."""
    led_to = {one.service for placed in services for one in placed.leads_to if one.service != placed.service.name}
    for placed in services:
        if placed.unrouted and placed.service.name not in led_to:
            ways = ", ".join(f"`{how}`" for how in HOW)
            problems.add(placed.unrouted[0], f"needs `prefix` or `routes`, as no other service leads to it ({ways})")
        for where in placed.unrouted[1:] if placed.service.name in led_to else ():
            problems.add(where, "means nothing in a service without `prefix` or `routes`")


def _check_circles(services: dict[str, Placed], problems: Problems) -> None:
    """Only fallbacks follow one another: neither who is split off nor what is mirrored is led on."""
    places = {name: number for number, name in enumerate(services)}
    settled: set[str] = set()
    for name in services:
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
