"""The ways to discover targets, by name, and what each is made from.

Knows nothing of when targets are used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from zope.interface import Interface, implementer
from zope.interface.registry import Components

from apigateway.assembly.components import Surroundings
from apigateway.config import model
from apigateway.config.problems import ConfigurationError
from apigateway.config.targets import parse_targets
from apigateway.discovery.file import FileDiscovery, Unusable, Watched
from apigateway.discovery.findings import Findings
from apigateway.discovery.name_servers import NameServers, server_of, system_servers
from apigateway.discovery.names import Names
from apigateway.discovery.places import Look, Place, by_name, by_service
from apigateway.discovery.polling import Polling
from apigateway.http.hosts import DEFAULT_PORTS
from apigateway.interfaces import IDiscovery

MOST_BYTES = 256 * 1024
"""A larger file of targets is not read: some thousand targets take long enough to keep exchanges waiting."""

MOST_SHOWN = 5
"""So many faults of a file are told at once."""


class IDiscoverySpec(Interface):
    """A service with its `discovery`, and whom to tell of other targets."""


@implementer(IDiscoverySpec)
@dataclass(frozen=True)
class DiscoverySpec:
    """See `IDiscoverySpec`. `watch` makes a file that tells of its changes from a path."""

    service: str
    options: model.Discovery
    changed: Callable[[], object]
    watch: Callable[[str], Watched]
    around: Surroundings

    @property
    def findings(self) -> Findings:
        """Where what is found goes."""
        options = self.options
        return Findings(self.service, f"{options.kind} {options.subject}", self.changed, self.around.now)


def _file(spec: DiscoverySpec) -> IDiscovery:
    path = spec.options.subject

    def parse(content: bytes) -> tuple[model.Target, ...]:
        if len(content) > MOST_BYTES:
            raise Unusable(f"{path} is larger than {MOST_BYTES >> 10} KiB")
        try:
            return parse_targets(content, path)
        except ConfigurationError as error:
            raise Unusable(_sentence(error)) from None

    return FileDiscovery(spec.watch(path), parse, spec.findings)


def _sentence(error: ConfigurationError) -> str:
    """What is wrong, as far as anybody would read it in one line."""
    shown, more = error.problems[:MOST_SHOWN], len(error.problems) - MOST_SHOWN
    return "; ".join([*map(str, shown), *([f"and {more} more"] if more > 0 else [])])


def _dns(spec: DiscoverySpec) -> IDiscovery:
    url = spec.options.subject
    parts = urlsplit(url)
    assert parts.hostname is not None
    port = parts.port or DEFAULT_PORTS[parts.scheme]
    look = by_name(_names(spec), parts.hostname.rstrip("."), port, spec.options.family)
    return _polling(spec, look, lambda place: model.Target(url, place.weight, place.address))


def _srv(spec: DiscoverySpec) -> IDiscovery:
    scheme = spec.options.scheme

    def target(place: Place) -> model.Target:
        port = "" if place.port == DEFAULT_PORTS[scheme] else f":{place.port}"
        return model.Target(f"{scheme}://{place.host}{port}", place.weight, place.address)

    return _polling(spec, by_service(_names(spec), spec.options.subject, spec.options.family), target)


def _names(spec: DiscoverySpec) -> Names:
    options, around = spec.options, spec.around
    named = [server_of(text) for text in options.nameservers]
    servers = NameServers(around.reactor, lambda: named or system_servers())
    return Names(servers.ask, around.now, options.min_ttl, options.max_ttl)


def _polling(spec: DiscoverySpec, look: Look, target: Callable[[Place], model.Target]) -> IDiscovery:
    options, around = spec.options, spec.around
    return Polling(
        look, target, spec.findings, around.reactor, around.now, around.random, options.min_ttl, options.hold
    )


def add_discoveries(components: Components) -> None:
    """Register the ways to discover targets, by the kinds that `model.Discovery` has."""
    for kind, make in {"file": _file, "dns": _dns, "srv": _srv}.items():
        components.registerAdapter(make, (IDiscoverySpec,), IDiscovery, kind)
