"""Services and their routes from what was given: `defaults` under the service, the service under each route.

Knows how the three lie over one another, and what must go together within one service.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from apigateway.config.given import Given, overlay
from apigateway.config.keys.route import POLICY_KEYS, ROUTE_KEYS
from apigateway.config.keys.service import PLACE_KEYS, SHARED_KEYS
from apigateway.config.keys.traffic import TRAFFIC_KEYS
from apigateway.config.model import Policies, Route, Service
from apigateway.config.problems import INVALID, Problems, Where
from apigateway.config.references import Reference, references
from apigateway.config.tables import build_keys

_ONE_ROUTE_KEYS = ("prefix", "host", "methods", "strip_prefix")


@dataclass(frozen=True, slots=True)
class Placed:
    """A service, and where its routes and its fallback stand; which others it leads to.

    `unrouted` is where one without a route of its own stands, and then where it says what only routes heed.
    """

    service: Service
    routes: tuple[Where, ...]
    fallback: Where
    leads_to: tuple[Reference, ...] = ()
    unrouted: tuple[Where, ...] = ()


def place_services(services: Given, defaults: Given, problems: Problems) -> list[Placed]:
    """Build all services; what is wrong with one goes to `problems`."""
    given = services.values.items()
    return [_service(name, service, defaults, problems) for name, service in given if service is not INVALID]


def _service(name: str, given: Given, defaults: Given, problems: Problems) -> Placed:
    merged = overlay(defaults, given.only(SHARED_KEYS | TRAFFIC_KEYS | POLICY_KEYS))
    is_routed = "prefix" in given.places or "routes" in given.places
    given_routes = list(_routes(given, problems)) if is_routed else []
    built = [(_route(route, merged, problems), route.where) for route in given_routes]
    routes = [(route, where) for route, where in built if route is not None]
    service = Service(
        name=name,
        routes=tuple(route for route, _ in routes),
        targets=_targets(given, problems),
        discovery=_discovery(given, problems),
        **build_keys(SHARED_KEYS, merged, problems),
    )
    return Placed(
        service,
        tuple(where for _, where in routes),
        merged.place("fallback"),
        tuple(one for whole in (merged, *given_routes) for one in references(whole)),
        () if is_routed else (given.where, *_about_routes(given)),
    )


def _routes(given: Given, problems: Problems) -> Iterator[Given]:
    """The routes as given; the short form of one is made the same."""
    if "routes" not in given.places:
        yield _only_route(given)
        return
    for key in _ONE_ROUTE_KEYS:
        if key in given.places:
            problems.add(given.place(key), "belongs into each of the `routes` where there are some")
    if given.values["routes"] is not INVALID:
        yield from (route for route in given.values["routes"] if route is not INVALID)


def _about_routes(given: Given) -> Iterator[Where]:
    """Where a service says something that only routes heed; to switch it off does no harm."""
    for key in (*_ONE_ROUTE_KEYS, *TRAFFIC_KEYS, *POLICY_KEYS):
        is_said = key in given.places and key not in SHARED_KEYS
        if is_said and given.values.get(key, INVALID) not in (False, INVALID):
            yield given.place(key)


def _only_route(given: Given) -> Given:
    renamed = {"path" if key == "prefix" else key: key for key in _ONE_ROUTE_KEYS if key in given.places}
    values = {name: given.values[key] for name, key in renamed.items()}
    return Given(given.place("prefix"), values, {name: given.places[key] for name, key in renamed.items()})


def _route(given: Given, service: Given, problems: Problems) -> Route | None:
    """The route, or None where what it matches is not known, so that it cannot seem to match what another does."""
    policies = build_keys(POLICY_KEYS, overlay(service, given), problems)
    traffic = build_keys(TRAFFIC_KEYS, overlay(service, given), problems)
    match = build_keys(ROUTE_KEYS, given, problems)
    if "path" not in given.places:
        problems.add(given.where, "needs `path`")
    if "path" not in match or len(match) < len(given.only(ROUTE_KEYS).values):
        return None
    headers = match.pop("match_headers", ())
    return Route(match.pop("path"), headers=headers, policies=Policies(**policies), **traffic, **match)


def _targets(given: Given, problems: Problems) -> tuple[Any, ...]:
    if "targets" not in given.places and "discovery" not in given.places:
        problems.add(given.where, "needs `targets` or `discovery`")
    targets = given.values.get("targets", INVALID)
    return () if targets is INVALID else build_targets(targets, problems)


def build_targets(targets: tuple[Any, ...], problems: Problems) -> tuple[Any, ...]:
    """The targets of what a list of them gives; what is wrong with one goes to `problems`."""
    seen: set[str] = set()
    for target in targets:
        if target is not INVALID and isinstance(target.values.get("url"), str):
            _check_url(target.values["url"], target.place("url"), seen, problems)
    return tuple(PLACE_KEYS["targets"].kind.build(targets, problems))


def _discovery(given: Given, problems: Problems) -> Any:
    if "targets" in given.places and "discovery" in given.places:
        problems.add(given.place("discovery"), "stands for `targets`; leave one of the two out")
    discovery = PLACE_KEYS["discovery"].kind.build(given.values.get("discovery", INVALID), problems)
    return None if discovery is INVALID else discovery


def _check_url(url: str, where: Where, seen: set[str], problems: Problems) -> None:
    if url in seen:
        problems.add(where, f"{url} is given twice; use `weight` to give a target a larger share")
    seen.add(url)
