"""The bounds on clients that follow from a configuration, and from what this process may do."""

from __future__ import annotations

from apigateway.config.model import Configuration, Service
from apigateway.downstream.site import SiteLimits
from apigateway.http.request_reader import HeadLimits
from apigateway.sockets.descriptors import bounded_connections


def connections_to_services(configuration: Configuration) -> int:
    """How many there may be at most: those of pools, and one for each client whose connection has switched."""
    pooled = sum(one.pool.connections * len(one.targets) for one in configuration.services)
    return pooled + min(sum(map(_relays, configuration.services)), configuration.limits.connections)


def _relays(service: Service) -> int:
    """How many connections to a service may have switched."""
    allowed = (route.policies.upgrades for route in service.routes)
    return max((one.most for one in allowed if one is not None), default=0)


def site_limits(configuration: Configuration) -> SiteLimits:
    """The limits of the site. Connections to services need descriptors as well, so there may be fewer of clients."""
    limits = configuration.limits
    connections = bounded_connections(limits.connections, connections_to_services(configuration))
    return SiteLimits(
        head=HeadLimits(limits.head, limits.fields, limits.uri),
        connections=connections,
        # However few there are: one client must not keep all others out.
        connections_per_client=min(limits.connections_per_client, max(1, connections // 2)),
        head_s=limits.head_timeout,
        keep_alive_s=limits.keep_alive,
        body_s=limits.body_timeout,
        min_rate=limits.min_rate,
    )
