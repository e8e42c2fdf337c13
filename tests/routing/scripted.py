"""Routes to services that only note what they are given."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.web.resource import Resource

from apigateway.errors import GatewayError
from apigateway.exchange import Exchange
from apigateway.routing.proxy_resource import ProxyResource
from apigateway.routing.route import Route
from apigateway.upstream.bulkhead import Bulkhead
from apigateway.upstream.steps.plan import ForwardPlan
from apigateway.upstream.steps.terms import Terms
from apigateway.upstream.steps.time_limits import TimeLimits


class NotingService:
    """Notes the exchanges that it is to answer, and answers them with its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.clock = Clock()
        self.now = self.clock.seconds
        self.terms = Terms(TimeLimits(connection=5.0, response=30.0, idle=60.0))
        self.bulkhead = Bulkhead(name, set(), lambda: 0.5)
        self.is_full = False
        self.forwarded: list[tuple[Exchange, ForwardPlan]] = []

    def overloaded(self) -> GatewayError:
        return self.bulkhead.refusal(0, 0.0)

    def forward(self, exchange: Exchange, plan: ForwardPlan) -> None:
        self.forwarded.append((exchange, plan))


def route(name: str, prefix: bytes = b"/", service: NotingService | None = None, **options: Any) -> Route:
    """A route to a noting service, which is called as the route unless it is given."""
    noting: Any = service or NotingService(name)
    return Route(name, prefix, noting, **options)


def never(request: object) -> None:
    """Adapts no stock requests."""
    raise AssertionError("no stock request was expected")


def proxy(*routes: Route) -> ProxyResource:
    """The node for these routes."""
    return ProxyResource(routes, never)


def proxy_at(prefix: bytes) -> ProxyResource:
    """A node with one route, for a tree."""
    return proxy(route(prefix.decode(), prefix))


class Page(Resource):
    """A stock Resource that says what it is called."""

    def __init__(self, name: bytes) -> None:
        super().__init__()
        self.name = name

    def __repr__(self) -> str:
        return f"<Page {self.name.decode()}>"

    def getChild(self, path: bytes, request: object) -> Resource:
        return self

    def render_GET(self, request: object) -> bytes:
        return self.name
