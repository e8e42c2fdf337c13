"""How many descriptors the process may have, and how many connections of clients that is enough for."""

from __future__ import annotations

import resource

from twisted.logger import Logger

RESERVE = 64
"""Descriptors for all that is no connection: listeners, pollers, logs, look-ups of names, libraries."""

SHARE_OF_SERVICES = 3
"""Where there is not enough for all, connections to services get one part of so many."""

_log = Logger(namespace="apigateway.sockets")


def affordable(clients: int, services: int, available: int) -> int:
    """So many connections of clients are possible beside `services` to services, out of `available` descriptors."""
    left = max(available - RESERVE, SHARE_OF_SERVICES)
    return max(1, min(clients, left - min(services, left // SHARE_OF_SERVICES)))


def raise_limit(wanted: int) -> int:
    """Let the process have so many descriptors as far as it may raise its own limit; returns what it now may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    if soft == unlimited:
        return wanted
    if soft < wanted:
        raised = wanted if hard == unlimited else min(wanted, hard)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
        except (OSError, ValueError):
            return soft
        return raised
    return soft


def bounded_connections(clients: int, services: int) -> int:
    """How many connections of clients there may be; says so where it is fewer than `clients`.

    `services` is how many to services there may be. The process' own limit of descriptors is raised as far as needed.
    """
    wanted = clients + services + RESERVE
    available = raise_limit(wanted)
    possible = affordable(clients, services, available)
    if possible < clients:
        _log.warn(
            "limits.connections is {clients}, but {possible} is all that {available} descriptors are enough for: "
            "raise the hard limit of open files to {wanted} (ulimit -Hn, LimitNOFILE=, --ulimit nofile=)",
            event="few-descriptors", clients=clients, possible=possible, available=available, wanted=wanted,
        )  # fmt: skip
    return possible
