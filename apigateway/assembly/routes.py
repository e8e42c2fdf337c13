"""The routes of a snapshot in the making: what each matches, its policies, and what it wants of its service.

Knows services only as what routes lead to.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from zope.interface.registry import Components

from apigateway.assembly.balancers import balanced_by
from apigateway.assembly.components import LimitSpec, Surroundings
from apigateway.assembly.extensions import PolicyPlugins
from apigateway.assembly.registry import Draft
from apigateway.assembly.terms import terms_of
from apigateway.assembly.traffic import TrafficParts, told_apart_by
from apigateway.config import model
from apigateway.config.problems import Problems
from apigateway.http.lines import lines_spelled
from apigateway.interfaces import IRateLimiter
from apigateway.policies.catalogue import compile_policies
from apigateway.policies.decided import dashed_names, decisive_names, ruled_names
from apigateway.policies.policy import Policy, PolicyTools, marking_side, request_side, response_side
from apigateway.routing.route import Route
from apigateway.routing.shedding import Shedding
from apigateway.upstream.relays import UpgradeRules
from apigateway.upstream.service import Service
from apigateway.upstream.steps.plan import ForwardPlan


class RouteParts:
    """Makes routes. `shedding` says whether there is room in the gateway, `traffic` leads requests elsewhere."""

    def __init__(
        self,
        around: Surroundings,
        components: Components,
        plugins: PolicyPlugins,
        shedding: Shedding,
        traffic: TrafficParts,
    ) -> None:
        self._around = around
        self._components = components
        self._plugins = plugins
        self._shedding = shedding
        self._traffic = traffic

    def routes(
        self,
        configured: tuple[model.Service, ...],
        services: dict[str, Service],
        kept: Draft,
        problems: Problems,
        told: frozenset[str] = frozenset(),
    ) -> tuple[Route, ...]:
        """All routes to all services, in their order; what can't be made of policies goes to `problems`.

        `told` are fields of requests that the gateway writes itself.
        """
        matched = told.union(name for one in configured for route in one.routes for name, _ in route.headers)
        matched = matched.union(name for one in configured for name in balanced_by(one.balance))
        return tuple(
            self._route(one, route, services, kept, problems, matched) for one in configured for route in one.routes
        )

    def _limiter(self, kept: Draft, service: str, route: str, name: str, limit: model.RateLimit) -> IRateLimiter:
        """One count per service, or per route where a route has limits of its own."""
        spec = LimitSpec(limit.limit, limit.window)
        key = ("limiter", service, route, name, limit)
        return kept.keep(key, lambda: self._components.getAdapter(spec, IRateLimiter, "memory"))

    def _plan(
        self,
        one: model.Service,
        route: model.Route,
        policies: Sequence[Policy],
        service: Service,
        kept: Draft,
        matched: frozenset[str],
    ) -> ForwardPlan:
        """What a route wants of its service; `matched` are names of fields that decide where any request goes."""
        options = route.policies
        terms = terms_of(one, options, kept)
        deadline = () if options.deadline_header is None else (options.deadline_header,)
        return ForwardPlan(
            strip=route.path.rstrip("/").encode() if route.strip_prefix else b"",
            pass_host=options.headers.host == "pass",
            forwarded=options.headers.forwarded,
            via=options.headers.via,
            on_response=response_side(policies),
            in_request_head=dashed_names((*matched, *told_apart_by(route), *decisive_names(options), *deadline)),
            in_answer_head=dashed_names(ruled_names(options.headers)),
            upgrades=_upgrades(options.upgrades),
            terms=None if terms == service.terms else terms,
            unsaid=lines_spelled(name.encode() for name in deadline) if deadline else None,
        )

    def _route(
        self,
        one: model.Service,
        route: model.Route,
        services: dict[str, Service],
        kept: Draft,
        problems: Problems,
        matched: frozenset[str],
    ) -> Route:
        name = route_name(route)
        shared = all(other.policies.rate_limit == route.policies.rate_limit for other in one.routes)
        limiter = partial(self._limiter, kept, one.name, "" if shared else name)
        tools = PolicyTools(one.name, name, limiter, self._around.now)
        policies = compile_policies(route.policies, tools, self._plugins.make(route.policies, tools, problems))
        service = services[one.name]
        plan = self._plan(one, route, policies, service, kept, matched)
        return Route(
            name=name,
            prefix=route.path.encode(),
            service=service,
            plan=plan,
            methods=frozenset(method.encode() for method in route.methods),
            host=route.host.lower().encode() if route.host else None,
            headers=tuple((key.lower().encode(), value.encode()) for key, value in route.headers),
            allow_paths=frozenset(route.policies.allow_paths),
            on_request=request_side(policies),
            on_refusal=marking_side(policies),
            names=tuple(policy.name for policy in policies if policy.on_request),
            preflights=route.policies.cors is not None,
            shedding=self._shedding,
            split=self._traffic.split(one.name, route.split, plan, services),
            mirrors=self._traffic.mirrors(name, route.mirror, plan, services, kept),
        )


def _upgrades(upgrades: model.Upgrades | None) -> UpgradeRules | None:
    if upgrades is None:
        return None
    return UpgradeRules(frozenset(name.encode() for name in upgrades.protocols), upgrades.idle, upgrades.most)


def route_name(route: model.Route) -> str:
    """What a route is called in logs and statistics: its path, and its host where it has one."""
    return f"{route.host}{route.path}" if route.host else route.path
