"""From a configuration to a Snapshot.

Each part that has a choice of implementations is asked for by interface and name, see `components`. What must outlive a
snapshot lives in the `Registry`. Knows nothing of requests, bytes or time passing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

from twisted.web.resource import Resource

from apigateway.components import (
    LimitSpec,
    ServiceSpec,
    Surroundings,
    TargetSpec,
    default_components,
)
from apigateway.config import model
from apigateway.config.problems import Problems
from apigateway.discovery.resolver import Resolver, reactor_lookup
from apigateway.extensions import PolicyPlugins
from apigateway.http.answers import Answer
from apigateway.interfaces import ICircuitBreaker, IHealthChecker, IPolicyPlugin, IRateLimiter, ITransport
from apigateway.policies.catalogue import compile_policies
from apigateway.policies.decided import dashed_names, decisive_names, ruled_names
from apigateway.policies.policy import PolicyTools, request_side, response_side
from apigateway.registry import Draft, Left, Registry
from apigateway.routing.identity import Identity
from apigateway.routing.proxy_resource import Adapt
from apigateway.routing.route import Route
from apigateway.routing.shedding import Shedding
from apigateway.routing.snapshot import Snapshot, resource_tree
from apigateway.upstream.bulkhead import Bulkhead, Busy
from apigateway.upstream.health import TargetHealth
from apigateway.upstream.plan import ForwardPlan
from apigateway.upstream.probe import treq_probe
from apigateway.upstream.retry import RetryBudget
from apigateway.upstream.service import Service
from apigateway.upstream.target import Target
from apigateway.upstream.time_limits import TimeLimits


@dataclass(frozen=True, slots=True)
class Plan:
    """A snapshot that could be used, and what it shares with others. Nobody heeds it before `Assembly.use`."""

    snapshot: Snapshot
    kept: Draft


class Assembly:
    """Makes snapshots. `adapt` makes the exchange of a stock request, for proxy resources in a stock `Site`.

    `everyone` are those at work on exchanges with any service, whatever snapshot they began with.
    """

    def __init__(
        self,
        around: Surroundings,
        adapt: Adapt,
        plugins: Iterable[IPolicyPlugin] = (),
    ) -> None:
        self.around = around
        self.registry = Registry()
        self.everyone: set[Busy] = set()
        self.shedding = Shedding(self.everyone, around.random.random)
        self._adapt = adapt
        self._components = default_components()
        self._plugins = PolicyPlugins(plugins)
        self._resolver = Resolver(reactor_lookup(around.reactor), around.now)
        self._probe = treq_probe(around.reactor, resolve=self._resolver.resolve)
        self._services: Mapping[str, Service] = {}
        self._leaving: list[Service] = []
        self._successions: list[Succession] = []
        self._checks = False

    def plan(self, configuration: model.Configuration, pages: dict[bytes, Resource]) -> Plan:
        """The runtime graph of a configuration, ready to be used; `pages` are the gateway's own, by path.

        Raises `ConfigurationError` for policies that are not installed, or do not take their options.
        """
        problems = Problems()
        kept = self.registry.draft()
        services = {one.name: self._service(one, kept) for one in configuration.services}
        for one in configuration.services:
            services[one.name].fallback = _fallback(one.fallback, services)
        matched = frozenset(name for one in configuration.services for route in one.routes for name, _ in route.headers)
        routes = tuple(
            self._route(one, route, services[one.name], kept, problems, matched)
            for one in configuration.services
            for route in one.routes
        )
        problems.raise_any()
        snapshot = Snapshot(configuration, resource_tree(routes, pages, self._adapt), services, routes)
        return Plan(snapshot, kept)

    def use(self, plan: Plan) -> None:
        """Keep what a plan needs. What it does not need is closed as it falls idle, and forgotten when it is over."""
        before, self._services = self._services, plan.snapshot.services
        configuration = plan.snapshot.configuration
        self._resolver.ttl_s = configuration.dns_ttl
        self.shedding.limit(configuration.limits.exchanges, configuration.limits.lag)
        present = {(one.name, target.url): target for one in self._services.values() for target in one.targets}
        for one in self.registry.settle(plan.kept, plan.snapshot):
            kind, *about = one.key
            if kind == "transport":
                one.value.close()
            elif kind == "checker":
                one.value.stop()
            elif kind == "bulkhead":
                self._leaving.append(before[str(about[0])])
            elif kind == "target" and (str(about[0]), str(about[1])) in present:
                self._successions.append(Succession(one.value, present[str(about[0]), str(about[1])]))
        if self._checks:
            self.start_checks()

    def start_checks(self) -> None:
        """Check the health of targets, from now on also of those of new snapshots."""
        self._checks = True
        for checker in self.registry.all("checker"):
            checker.start()

    def stop_checks(self) -> None:
        """Check no more."""
        self._checks = False
        for checker in self.registry.all("checker"):
            checker.stop()

    def close(self) -> None:
        """Close every connection to services as soon as it is idle."""
        for transport in [*self.registry.all("transport"), *self.registry.left("transport")]:
            transport.close()

    def tracked_clients(self) -> int:
        """How many keys all rate limiters together remember."""
        return sum(limiter.tracked() for limiter in self.registry.all("limiter"))

    def sweeps(self) -> list[Callable[[float], None]]:
        """What is to be called every fraction of a second, with the time: it ends what has lasted too long."""
        return [
            *(one.sweep for one in self._services.values()),
            *(one.sweep for one in self._leaving),
            *(transport.sweep for transport in self.registry.left("transport")),
            *(limiter.sweep for limiter in self.registry.all("limiter")),
            self._forget,
        ]

    def _forget(self, now: float) -> None:
        """Let go of what has left and is over."""
        for one in self._successions:
            one.settle()
        self._successions = [one for one in self._successions if one.old in self.registry.left("target")]
        self.registry.forget(_is_over)
        bulkheads = self.registry.left("bulkhead")
        self._leaving = [one for one in self._leaving if one.bulkhead in bulkheads]

    def _service(self, one: model.Service, kept: Draft) -> Service:
        timeouts, retries = one.timeouts, one.retries
        targets = tuple(self._target(one, target, kept) for target in one.targets)
        if one.health_check is not None:
            self._checker(one, targets, kept)
        return Service(
            one.name,
            targets,
            TimeLimits(timeouts.connect + timeouts.pool, timeouts.response, timeouts.idle),
            kept.keep(
                ("budget", one.name, retries.budget, retries.min_per_second),
                lambda: RetryBudget(retries.budget, retries.min_per_second),
            ),
            retries.attempts,
            self.around.now,
            one.finish_abandoned,
            one.max_in_flight,
            kept.keep(("bulkhead", one.name), lambda: Bulkhead(one.name, self.everyone, self.around.random.random)),
        )

    def _checker(self, one: model.Service, targets: tuple[Target, ...], kept: Draft) -> None:
        key = ("checker", one.name, one.health_check, tuple(target.url for target in targets))
        spec = ServiceSpec(one, targets, self.around, self._probe)
        kept.keep(key, lambda: self._components.getAdapter(spec, IHealthChecker, "http"))

    def _target(self, one: model.Service, target: model.Target, kept: Draft) -> Target:
        """Each part of a target is kept by what it is made of, so that one can change and the others live on."""
        spec = TargetSpec(one, target.url, self.around, self._resolver)
        own = (one.name, target.url)
        way = ("transport", *own, one.transport, one.pool, one.timeouts.connect, one.timeouts.pool)
        rest = ("breaker", *own, one.circuit_breaker)
        judged_by = one.health_check and (one.health_check.path, one.health_check.statuses)
        state = ("health", *own, judged_by)
        transport = kept.keep(way, lambda: self._components.getAdapter(spec, ITransport, one.transport))
        breaker = kept.keep(rest, lambda: self._breaker_for(spec))
        health = kept.keep(state, TargetHealth)
        return kept.keep(
            ("target", *own, target.weight, way, rest, state),
            lambda: Target(target.url, _authority(target.url), target.weight, transport, breaker, health),
        )

    def _breaker_for(self, spec: TargetSpec) -> ICircuitBreaker | None:
        if spec.service.circuit_breaker is None:
            return None
        breaker: ICircuitBreaker = self._components.getAdapter(spec, ICircuitBreaker, "consecutive-or-ratio")
        return breaker

    def _limiter(self, kept: Draft, service: str, route: str, name: str, limit: model.RateLimit) -> IRateLimiter:
        """One count per service, or per route where a route has limits of its own."""
        spec = LimitSpec(limit.limit, limit.window)
        key = ("limiter", service, route, name, limit)
        return kept.keep(key, lambda: self._components.getAdapter(spec, IRateLimiter, "memory"))

    def _route(
        self,
        one: model.Service,
        route: model.Route,
        service: Service,
        kept: Draft,
        problems: Problems,
        matched: frozenset[str],
    ) -> Route:
        name = route_name(route)
        shared = all(other.policies.rate_limit == route.policies.rate_limit for other in one.routes)
        limiter = partial(self._limiter, kept, one.name, "" if shared else name)
        tools = PolicyTools(one.name, name, limiter, self.around.now)
        policies = compile_policies(route.policies, tools, self._plugins.make(route.policies, tools, problems))
        headers = route.policies.headers
        plan = ForwardPlan(
            strip=route.path.rstrip("/").encode() if route.strip_prefix else b"",
            pass_host=headers.host == "pass",
            forwarded=headers.forwarded,
            via=headers.via,
            on_response=response_side(policies),
            in_request_head=dashed_names((*matched, *decisive_names(route.policies))),
            in_answer_head=dashed_names(ruled_names(headers)),
        )
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
            names=tuple(policy.name for policy in policies if policy.on_request),
            preflights=route.policies.cors is not None,
            shedding=self.shedding,
        )


class Succession:
    """A target took the place of another: the counts of the old one, also those still to come, go on in the new one."""

    __slots__ = ("old", "new", "attempts", "failures")

    def __init__(self, old: Target, new: Target) -> None:
        self.old = old
        self.new = new
        self.attempts = self.failures = 0
        self.settle()

    def settle(self) -> None:
        """Add what the old one has counted since the last time."""
        self.new.attempts += self.old.attempts - self.attempts
        self.new.failures += self.old.failures - self.failures
        self.attempts, self.failures = self.old.attempts, self.old.failures


def _is_over(left: Left) -> bool:
    """Whether nothing goes on in something that has left."""
    goes_on = _GOES_ON.get(str(left.key[0]))
    return goes_on is None or not goes_on(left.value)


_GOES_ON: dict[str, Callable[[Any], int]] = {
    "transport": lambda one: one.statistics()["open"] + one.statistics()["waiting"],
    "bulkhead": lambda one: len(one.active),
    "target": lambda one: one.in_flight,
}
"""How much still goes on in a thing of some kind; in others nothing does."""


def route_name(route: model.Route) -> str:
    """What a route is called in logs and statistics: its path, and its host where it has one."""
    return f"{route.host}{route.path}" if route.host else route.path


def _authority(url: str) -> bytes:
    """The `Host` of a target: its default port is left out."""
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}[parts.scheme]
    name = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{name}:{parts.port}".encode() if parts.port not in (None, default) else f"{name}".encode()


def _fallback(fallback: model.Fallback | None, services: dict[str, Service]) -> Answer | Service | None:
    if fallback is None:
        return None
    if fallback.service is not None:
        return services[fallback.service]
    fields = [(name.encode(), value.encode()) for name, value in fallback.headers]
    return Answer(fallback.status, fields, fallback.body.encode())


def identity(configuration: model.Configuration, around: Surroundings) -> Identity:
    """Who clients are, by the trusted proxies of a configuration."""
    networks = [ip_network(network, strict=False) for network in configuration.trusted_proxies]
    return Identity(networks, around.random.getrandbits)
