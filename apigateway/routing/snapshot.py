"""The runtime graph made from one configuration: immutable, swapped as a whole by one assignment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from twisted.web.resource import IResource

from apigateway.exchange import Exchange
from apigateway.http.paths import read_path
from apigateway.routing.proxy_resource import no_match
from apigateway.routing.route import Route
from apigateway.routing.tree import locate
from apigateway.upstream.service import Service


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """What one configuration became. `resource` is the root of the tree, `services` are by name."""

    configuration: Any
    resource: IResource
    services: Mapping[str, Service]
    routes: tuple[Route, ...]

    def enter(self, exchange: Exchange) -> IResource | None:
        """Send an exchange on its way; returns the tree's root where a stock Resource in it must answer.

        Such a Resource may say how large a body it takes: `max_body`, in bytes.

        Raises `GatewayError` where nothing answers.
        """
        exchange.snapshot = self
        path, ambiguities = read_path(exchange.head.path)
        stock, proxy = locate(self.resource, path)
        if stock is not None and not ambiguities:
            exchange.max_body = getattr(stock, "max_body", None)
            return self.resource
        if proxy is None:
            raise no_match(exchange.head, ambiguities)
        proxy.begin(exchange, ambiguities)
        return None
