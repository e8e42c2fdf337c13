"""The stages between the head and the policies: who the client is, and which route takes the exchange."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from apigateway.exchange import Exchange
from apigateway.routing.identity import Identity
from apigateway.routing.proxy_resource import ProxyResource
from apigateway.routing.route import Route
from apigateway.routing.snapshot import Snapshot
from apigateway.routing.tree import Branch, mount
from apigateway.upstream.steps.plan import ForwardPlan
from bench.stages.messages import Heads, exchange_of
from bench.stages.stage import Now, Stage, Work

MANY = 10_000


class Nowhere:
    """Stands for a service; what gets to it stays there."""

    name = "product"

    def forward(self, exchange: Exchange, plan: ForwardPlan) -> None:
        """Take an exchange."""


def _refuse(request: Any) -> None:
    raise RuntimeError("there are no stock requests here")


def tree(routes: int) -> Snapshot:
    """So many routes, of which /api takes the exchange; the others are beside it."""
    service: Any = Nowhere()
    prefixes = [b"/api", *(b"/api/r%05d" % number for number in range(routes - 1))]
    root = Branch(None)
    made = [Route(prefix.decode(), prefix, service) for prefix in prefixes]
    for route in made:
        mount(root, route.prefix, ProxyResource((route,), _refuse))
    return Snapshot(None, root, {service.name: service}, tuple(made))


def _find(routes: int) -> Callable[[Now], Work]:
    def make(now: Now) -> Work:
        head = Heads()()
        return Work(tree(routes).enter, lambda: exchange_of(head))

    return make


def _identify(now: Now) -> Work:
    head = Heads()()

    def anonymous() -> Exchange:
        exchange = exchange_of(head)
        exchange.request_id = b""
        return exchange

    return Work(Identity((), Random(1).getrandbits), anonymous)


ROUTING = (
    Stage("identify the client, make an id", "route", _identify, counts=True),
    Stage("find the route: 1", "route", _find(1), counts=True),
    Stage(f"find the route: {MANY}", "route", _find(MANY)),
)
