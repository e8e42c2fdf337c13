"""The node of the resource tree that forwards: the ordered routes of one path prefix."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from apigateway.errors import METHOD_NOT_ALLOWED, NO_ROUTE, GatewayError
from apigateway.exchange import Exchange
from apigateway.http.heads import RequestHead
from apigateway.http.paths import read_path
from apigateway.routing.route import Route, ambiguous

Adapt = Callable[[Any], Exchange | None]
"""Makes the exchange of a stock request; None where that was refused and answered."""


class ProxyResource(Resource):
    """The routes of one prefix, in the order in which they are tried; `above` takes what none of them matches.

    `adapt` makes it work for stock requests, in any twisted.web `Site`.
    """

    def __init__(self, routes: tuple[Route, ...], adapt: Adapt, above: ProxyResource | None = None) -> None:
        super().__init__()
        self.routes = routes
        self.above = above
        self._adapt = adapt

    def __repr__(self) -> str:
        return f"<ProxyResource {self.routes[0].prefix.decode() if self.routes else '?'} routes={len(self.routes)}>"

    def begin(self, exchange: Exchange, ambiguities: frozenset[str]) -> None:
        """Send an exchange on its route. Raises `GatewayError` where none matches."""
        head = exchange.head
        node: ProxyResource | None = self
        while node is not None:
            for route in node.routes:
                if (route.plain or route.matches(head)) and (head.method in route.methods or route.takes(head)):
                    route.begin(exchange, ambiguities)
                    return
            node = node.above
        raise no_match(head, ambiguities, self._allowed(head))

    def _allowed(self, head: RequestHead) -> frozenset[bytes]:
        """The methods of the routes that match but for the method."""
        above = self.above._allowed(head) if self.above is not None else frozenset()
        return above.union(*(route.methods for route in self.routes if route.matches(head)))

    # For a stock Site.

    def getChild(self, path: bytes, request: Any) -> Resource:
        """Everything below the prefix is ours."""
        return self

    def render(self, request: Any) -> int:
        """Forward a stock request."""
        exchange = self._adapt(request)
        if exchange is None:
            return NOT_DONE_YET
        try:
            _, ambiguities = read_path(exchange.head.path)
            self.begin(exchange, ambiguities)
        except GatewayError as error:
            exchange.fail(error)
        return NOT_DONE_YET


def no_match(head: RequestHead, ambiguities: frozenset[str], allowed: Collection[bytes] = ()) -> GatewayError:
    """The refusal of what no route takes; `allowed` are the methods that one of them would."""
    if ambiguities:
        return ambiguous(ambiguities)
    if not allowed:
        return GatewayError(NO_ROUTE, "Look at the path and the host.")
    methods = b", ".join(sorted(allowed))
    return GatewayError(METHOD_NOT_ALLOWED, f"Allowed: {methods.decode()}.", fields=((b"Allow", methods),))
