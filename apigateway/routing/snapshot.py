"""The runtime graph made from one configuration: immutable, swapped as a whole by one assignment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from twisted.web.resource import IResource, Resource

from apigateway.exchange import Exchange
from apigateway.http.paths import PARAMETERS, SEMICOLON, read_path
from apigateway.routing.proxy_resource import Adapt, ProxyResource, no_match
from apigateway.routing.route import Route
from apigateway.routing.tree import Branch, locate, mount, parameters_matter
from apigateway.upstream.service import Service


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Snapshot:
    """What one configuration became. `resource` is the root of the tree, `services` are by name.

    Exchanges hold the snapshot that they began with, and nothing in it does: it ends with the last of them.
    """

    configuration: Any
    resource: IResource
    services: Mapping[str, Service]
    routes: tuple[Route, ...]

    def serving(self) -> dict[str, Service]:
        """The services whose answers clients may get: all but those that only get requests a second time."""
        found: dict[str, Service] = {}
        left = [one for route in self.routes for one in (route.split.services if route.split else (route.service,))]
        while left:
            service = left.pop()
            if service.name not in found:
                found[service.name] = service
                left += [service.fallback] if isinstance(service.fallback, Service) else []
        return found

    def enter(self, exchange: Exchange) -> IResource | None:
        """Send an exchange on its way; returns the tree's root where a stock Resource in it must answer.

        Such a Resource may say how large a body it takes: `max_body`, in bytes.

        Raises `GatewayError` where nothing answers.
        """
        exchange.snapshot = self
        path, ambiguities = read_path(exchange.head.path)
        stock, proxy = locate(self.resource, path)
        if SEMICOLON in path and parameters_matter(self.resource, path, exchange.head, stock, proxy):
            ambiguities |= {PARAMETERS}
        if stock is not None and not ambiguities:
            exchange.max_body = getattr(stock, "max_body", None)
            return self.resource
        if proxy is None:
            raise no_match(exchange.head, ambiguities)
        proxy.begin(exchange, ambiguities)
        return None


def resource_tree(routes: Iterable[Route], pages: Mapping[bytes, Resource], adapt: Adapt) -> Resource:
    """The tree for these routes, with stock Resources by path; at `/` a route wins over a page."""
    by_prefix: dict[bytes, list[Route]] = {}
    for route in routes:
        by_prefix.setdefault(route.prefix.rstrip(b"/"), []).append(route)
    at_root = by_prefix.pop(b"", None)
    root: Resource = ProxyResource(_ordered(at_root), adapt) if at_root else Branch(None)
    for path, page in pages.items():
        if path != b"/" or not at_root:
            mount(root, path, page)
    for prefix in sorted(by_prefix):
        mount(root, prefix, ProxyResource(_ordered(by_prefix[prefix]), adapt))
    return root


def _ordered(routes: list[Route]) -> tuple[Route, ...]:
    """Routes that ask for more come first; among equals the configuration's order stands."""
    return tuple(sorted(routes, key=lambda route: (route.host is None, -len(route.headers))))
