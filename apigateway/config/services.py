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
from apigateway.config.model import Policies, Route, Service
from apigateway.config.problems import INVALID, Problems, Where
from apigateway.config.tables import build_keys

_ONE_ROUTE_KEYS = ("prefix", "host", "methods", "strip_prefix")


@dataclass(frozen=True, slots=True)
class Placed:
    """A service, and where its routes and its fallback stand."""

    service: Service
    routes: tuple[Where, ...]
    fallback: Where


def place_services(services: Given, defaults: Given, problems: Problems) -> list[Placed]:
    """Build all services; what is wrong with one goes to `problems`."""
    given = services.values.items()
    return [_service(name, service, defaults, problems) for name, service in given if service is not INVALID]


def _service(name: str, given: Given, defaults: Given, problems: Problems) -> Placed:
    merged = overlay(defaults, given.only(SHARED_KEYS | POLICY_KEYS))
    built = [(_route(route, merged, problems), route.where) for route in _routes(given, problems)]
    routes = [(route, where) for route, where in built if route is not None]
    service = Service(
        name=name,
        routes=tuple(route for route, _ in routes),
        targets=_targets(given, merged.values.get("transport", "native"), problems),
        **build_keys(SHARED_KEYS, merged, problems),
    )
    return Placed(service, tuple(where for _, where in routes), merged.place("fallback"))


def _routes(given: Given, problems: Problems) -> Iterator[Given]:
    """The routes as given; the short form of one is made the same."""
    if "routes" not in given.places:
        if "prefix" not in given.places:
            problems.add(given.where, "needs `prefix` or `routes`")
        else:
            yield _only_route(given)
        return
    for key in _ONE_ROUTE_KEYS:
        if key in given.places:
            problems.add(given.place(key), "belongs into each of the `routes` where there are some")
    if given.values["routes"] is not INVALID:
        yield from (route for route in given.values["routes"] if route is not INVALID)


def _only_route(given: Given) -> Given:
    renamed = {"path" if key == "prefix" else key: key for key in _ONE_ROUTE_KEYS if key in given.places}
    values = {name: given.values[key] for name, key in renamed.items()}
    return Given(given.place("prefix"), values, {name: given.places[key] for name, key in renamed.items()})


def _route(given: Given, service: Given, problems: Problems) -> Route | None:
    """The route, or None where what it matches is not known, so that it cannot seem to match what another does."""
    policies = build_keys(POLICY_KEYS, overlay(service, given), problems)
    match = build_keys(ROUTE_KEYS, given, problems)
    if "path" not in given.places:
        problems.add(given.where, "needs `path`")
    if "path" not in match or len(match) < len(given.only(ROUTE_KEYS).values):
        return None
    return Route(match.pop("path"), headers=match.pop("match_headers", ()), policies=Policies(**policies), **match)


def _targets(given: Given, transport: str, problems: Problems) -> tuple[Any, ...]:
    if "targets" not in given.places:
        problems.add(given.where, "needs `targets`")
    targets = given.values.get("targets", INVALID)
    if targets is INVALID:
        return ()
    seen: set[str] = set()
    for target in targets:
        if target is not INVALID and isinstance(target.values.get("url"), str):
            _check_url(target.values["url"], target.place("url"), seen, transport, problems)
    return tuple(PLACE_KEYS["targets"].kind.build(targets, problems))


def _check_url(url: str, where: Where, seen: set[str], transport: str, problems: Problems) -> None:
    if url in seen:
        problems.add(where, f"{url} is given twice; use `weight` to give a target a larger share")
    if url.startswith("https:") and transport == "native":
        problems.add(where, f"{url} needs `transport: treq`: the native transport does not speak TLS to services yet")
    seen.add(url)
