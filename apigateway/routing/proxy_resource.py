"""The node of the resource tree that forwards: the ordered routes of one path prefix."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from apigateway.errors import METHOD_NOT_ALLOWED, NO_ROUTE, GatewayError
from apigateway.exchange import Exchange
from apigateway.http.heads import RequestHead
from apigateway.http.paths import PARAMETERS, SEMICOLON, read_path, without_parameters
from apigateway.routing.route import Route, ambiguous
from apigateway.upstream.steps.plan import unforeseen

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
        route = self.route_for(head)
        if route is None:
            nearest = self._nearest(head)
            if nearest is not None:
                nearest.mark(exchange)
            raise no_match(head, ambiguities, self._allowed(head))
        route.begin(exchange, ambiguities)

    def route_for(self, head: RequestHead) -> Route | None:
        """The first route that takes a request, here or above; None where none does."""
        node: ProxyResource | None = self
        while node is not None:
            for route in node.routes:
                if (route.plain or route.matches(head)) and (head.method in route.methods or route.takes(head)):
                    return route
            node = node.above
        return None

    def _nearest(self, head: RequestHead) -> Route | None:
        """The first route that would take a request but for its method, here or above."""
        found = next((route for route in self.routes if route.matches(head)), None)
        return self.above._nearest(head) if found is None and self.above is not None else found

    def _allowed(self, head: RequestHead) -> frozenset[bytes]:
        """The methods of the routes that match but for the method."""
        above = self.above._allowed(head) if self.above is not None else frozenset()
        return above.union(*(route.methods for route in self.routes if route.matches(head)))

    # For a stock Site.

    def getChild(self, path: bytes, request: Any) -> Resource:
        """Everything below the prefix is ours. As elsewhere, runs of slashes are one."""
        return self if not path and request.postpath else Rest(self, self, (path, *request.postpath))

    def render(self, request: Any) -> int:
        """Forward a stock request."""
        return self.forward(request, self, ())

    def forward(self, request: Any, node: Resource, rest: Sequence[bytes]) -> int:
        """Forward a stock request of which the tree had nothing for the segments `rest` at one of its nodes."""
        exchange = self._adapt(request)
        if exchange is None:
            return NOT_DONE_YET
        head = exchange.head
        try:
            _, ambiguities = read_path(head.path)
            if self._parameters_matter([*request.prepath, *request.postpath], node, rest, head):
                ambiguities |= {PARAMETERS}
            self.begin(exchange, ambiguities)
        except GatewayError as error:
            exchange.fail(error)
        except Exception:
            exchange.fail(unforeseen(exchange, "it could not be begun"))
        return NOT_DONE_YET

    def _parameters_matter(self, way: list[bytes], node: Resource, rest: Sequence[bytes], head: RequestHead) -> bool:
        """Whether the whole way would be another route's, or none, to a service that drops path parameters."""
        if any(SEMICOLON in segment for segment in way[: len(way) - len(rest)]):
            return True  # so has the prefix, which no such service finds
        return any(SEMICOLON in segment for segment in rest) and self._leads_elsewhere(node, rest, head)

    def _leads_elsewhere(self, node: Any, rest: Sequence[bytes], head: RequestHead) -> bool:
        """Whether the way on from a node, without path parameters, is that of another route."""
        for segment in without_parameters(b"/".join(rest)).split(b"/"):
            child = node.children.get(segment)
            if child is not None:
                node = child
            elif segment:
                break
        owner = node if isinstance(node, ProxyResource) else getattr(node, "above", None)
        return owner is None or not same_route(self, owner, head)


class Rest(Resource):
    """The end of a stock Site's way through the tree: a path below a proxy for which the tree has no further node.

    A leaf, as no later segment may be taken for a child of a node that was passed long before.
    """

    isLeaf = True

    def __init__(self, proxy: ProxyResource, node: Resource, rest: Sequence[bytes]) -> None:
        super().__init__()
        self.proxy = proxy
        self._node = node
        self._rest = rest

    def render(self, request: Any) -> int:
        """Forward a stock request."""
        return self.proxy.forward(request, self._node, self._rest)


def same_route(one: ProxyResource, other: ProxyResource, head: RequestHead) -> bool:
    """Whether two nodes come to the same with a request."""
    return one is other or one.route_for(head) is other.route_for(head)


def no_match(head: RequestHead, ambiguities: frozenset[str], allowed: Collection[bytes] = ()) -> GatewayError:
    """The refusal of what no route takes; `allowed` are the methods that one of them would."""
    if ambiguities:
        return ambiguous(ambiguities)
    if not allowed:
        return GatewayError(NO_ROUTE, "Look at the path and the host.")
    methods = b", ".join(sorted(allowed))
    return GatewayError(METHOD_NOT_ALLOWED, f"Allowed: {methods.decode()}.", fields=((b"Allow", methods),))
