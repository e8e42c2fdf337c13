"""What becomes of `split` and `mirror` in a snapshot in the making.

Knows services only as what requests are led to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from apigateway.assembly.components import Surroundings
from apigateway.assembly.registry import Draft
from apigateway.config import model
from apigateway.exchange import Exchange
from apigateway.policies.decided import named_field
from apigateway.routing.split import Match, Share, Split, point_by
from apigateway.telemetry.report import MIRRORED
from apigateway.upstream.bulkhead import Busy
from apigateway.upstream.mirroring.mirror import MARK, Mirror, MirrorCounts
from apigateway.upstream.service import Service
from apigateway.upstream.steps.plan import ForwardPlan


class TrafficParts:
    """Makes splits and mirrors. `everyone` are the copies in flight; `observe` gets each when it is over."""

    def __init__(
        self, around: Surroundings, everyone: set[Busy], observe: Callable[[Exchange], None] = lambda copy: None
    ) -> None:
        self._around = around
        self._everyone = everyone
        self._observe = observe

    def split(
        self, owner: str, rules: tuple[model.SplitRule, ...], plan: ForwardPlan, services: Mapping[str, Service]
    ) -> Split | None:
        """Who answers the requests to a service, where that is not always itself; `plan` is the route's."""
        if not rules:
            return None
        shares = [rule for rule in rules if rule.share is not None]
        by = shares[0].by if shares else "random"
        return Split(
            services[owner],
            [_match(rule, services) for rule in rules if rule.share is None],
            [Share(services[rule.service], rule.share or 0.0) for rule in shares],
            point_by(by, owner, self._around.random.random),
            # The route's own terms are about its own service.
            replace(plan, terms=None),
        )

    def mirrors(
        self,
        route: str,
        mirrors: tuple[model.Mirror, ...],
        plan: ForwardPlan,
        services: Mapping[str, Service],
        kept: Draft,
    ) -> tuple[Mirror, ...]:
        """Where requests of a route are sent again. What policies do with answers is not done with theirs."""
        no_trailers = plan.in_request_head | {MARK.lower()}
        plan = replace(plan, on_response=(), terms=None, in_request_head=no_trailers)
        return tuple(
            Mirror(
                services[one.service],
                f"{route}{MIRRORED}",
                plan,
                kept.keep(("mirror", route, one.service), MirrorCounts),
                self._everyone,
                self._around.random.random,
                self._observe,
                one.share,
                frozenset() if "*" in one.methods else frozenset(method.encode() for method in one.methods),
                one.max_body,
                one.in_flight,
            )
            for one in mirrors
        )


def _match(rule: model.SplitRule, services: Mapping[str, Service]) -> Match:
    headers = tuple((name.lower().encode(), value.encode()) for name, value in rule.headers)
    return Match(services[rule.service], headers, tuple((name.encode(), value.encode()) for name, value in rule.cookie))


def told_apart_by(route: model.Route) -> set[str]:
    """The fields that decide which service answers."""
    named = {name for rule in route.split for name, _ in rule.headers}
    return named.union(name for rule in route.split for name in named_field(rule.by))
