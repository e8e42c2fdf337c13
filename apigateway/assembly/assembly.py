"""From a configuration to a Snapshot.

Each part that has a choice of implementations is asked for by interface and name, see `components`. What must outlive a
snapshot lives in the `Registry`. Knows nothing of requests, bytes or time passing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from twisted.web.resource import Resource

from apigateway.assembly.components import Surroundings, default_components
from apigateway.assembly.discoveries import DiscoverySpec, add_discoveries
from apigateway.assembly.extensions import PolicyPlugins
from apigateway.assembly.openings import certificate_fields
from apigateway.assembly.registry import Draft, Left, Registry
from apigateway.assembly.routes import RouteParts
from apigateway.assembly.services import ServiceParts
from apigateway.assembly.succession import Succession
from apigateway.assembly.traffic import TrafficParts
from apigateway.config import model
from apigateway.config.problems import Problems
from apigateway.discovery.file import Watched
from apigateway.discovery.resolver import Resolver, reactor_lookup
from apigateway.exchange import Exchange
from apigateway.interfaces import IDiscovery, IPolicyPlugin
from apigateway.policies.decided import dashed_names
from apigateway.routing.certified import Certified
from apigateway.routing.identity import Identity
from apigateway.routing.proxy_resource import Adapt
from apigateway.routing.shedding import Shedding
from apigateway.routing.snapshot import Snapshot, resource_tree
from apigateway.upstream.bulkhead import Busy
from apigateway.upstream.dialing.dial import Way
from apigateway.upstream.service import Service
from apigateway.upstream.treq.probe import treq_probe


@dataclass(frozen=True, slots=True)
class Plan:
    """A snapshot that could be used, and what it shares with others. Nobody heeds it before `Assembly.use`."""

    snapshot: Snapshot
    kept: Draft


class Assembly:
    """Makes snapshots. `adapt` makes the exchange of a stock request, for proxy resources in a stock `Site`.

    `everyone` are those at work on exchanges with any service, whatever snapshot they began with. Not so those at work
    on requests that are sent a second time; `observe_copy` gets each of these when it is over.
    """

    def __init__(
        self,
        around: Surroundings,
        adapt: Adapt,
        plugins: Iterable[IPolicyPlugin] = (),
        observe_copy: Callable[[Exchange], None] = lambda copy: None,
    ) -> None:
        self.around = around
        self.registry = Registry()
        self.everyone: set[Busy] = set()
        self.shedding = Shedding(self.everyone, around.random.random)
        self._adapt = adapt
        components = self._components = default_components()
        add_discoveries(components)
        self._resolver = Resolver(reactor_lookup(around.reactor), around.now)
        probe = treq_probe(around.reactor, resolve=self._resolver.resolve, plain=Way(around.connect))
        self._services_of = ServiceParts(around, components, self._resolver, probe, self.everyone)
        self._copies: set[Busy] = set()
        traffic = TrafficParts(around, self._copies, observe_copy)
        self._routes_of = RouteParts(around, components, PolicyPlugins(plugins), self.shedding, traffic)
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
        services = self._services_of.services(configuration.services, kept)
        told = certificate_fields(configuration)
        routes = self._routes_of.routes(configuration.services, services, kept, problems, told)
        problems.raise_any()
        snapshot = Snapshot(configuration, resource_tree(routes, pages, self._adapt), services, routes)
        return Plan(snapshot, kept)

    def discovery(
        self, service: model.Service, changed: Callable[[], object], watch: Callable[[str], Watched]
    ) -> IDiscovery:
        """What finds the targets of a service that has a `discovery`, and calls `changed` when they are others."""
        options = service.discovery
        assert options is not None
        spec = DiscoverySpec(service.name, options, changed, watch, self.around)
        discovery: IDiscovery = self._components.getAdapter(spec, IDiscovery, options.kind)
        return discovery

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
        """Close every connection to services as soon as it is idle; nobody waits for what is sent a second time."""
        for copy in list(self._copies):
            copy.abandon()
            copy.exchange.downstream.abort()
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
            *(relays.sweep for relays in self.registry.all("relays")),
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


def _is_over(left: Left) -> bool:
    """Whether nothing goes on in something that has left."""
    goes_on = _GOES_ON.get(str(left.key[0]))
    return goes_on is None or not goes_on(left.value)


_GOES_ON: dict[str, Callable[[Any], int]] = {
    "transport": lambda one: one.statistics()["open"] + one.statistics()["waiting"],
    "bulkhead": lambda one: len(one.active),
    "target": lambda one: one.in_flight,
    "relays": lambda one: len(one.open),
}
"""How much still goes on in a thing of some kind; in others nothing does."""


def identity(configuration: model.Configuration, around: Surroundings) -> Identity | Certified:
    """Who clients are, by the trusted proxies and the listeners of a configuration."""
    networks = [ip_network(network, strict=False) for network in configuration.trusted_proxies]
    found = Identity(networks, around.random.getrandbits)
    fields = dashed_names(certificate_fields(configuration))
    return Certified(found, fields) if fields else found
