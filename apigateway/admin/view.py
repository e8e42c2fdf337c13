"""What the pages look at: the runtime, as functions that tell its present state. Knows no HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from twisted.internet.defer import Deferred

from apigateway.routing.shedding import Shedding
from apigateway.routing.snapshot import Snapshot
from apigateway.telemetry.reloads import Reload, Reloads
from apigateway.telemetry.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class View:
    """The runtime as the pages see it.

    `snapshot` tells the current one, `stopping` whether the gateway has begun to stop, `limiter_clients` how many
    clients the rate limiters remember, `shedding` what is refused for want of room or time. `now` is the monotonic
    clock of the runtime, in seconds. Clients in `allow` may see `/gateway/…`, also under the names `hosts`, and so may
    whoever knows `token`; None is a token that nobody knows. `connections` describes those of clients. `reloads` tells
    what came of reloads, and `reload` asks for one, in the name of whoever asks. `discovered` describes, by service,
    how targets are found, and `awaited` names the services that may have their first ones in a moment. `tls`
    describes certificates and handshakes, by listener.
    """

    snapshot: Callable[[], Snapshot]
    telemetry: Telemetry
    now: Callable[[], float]
    stopping: Callable[[], bool]
    limiter_clients: Callable[[], int]
    shedding: Shedding
    connections: Callable[[], dict[str, Any]]
    reloads: Reloads
    reload: Callable[[str], Deferred[Reload]]
    allow: tuple[IPv4Network | IPv6Network, ...]
    token: str | None = field(default=None, repr=False)
    hosts: tuple[str, ...] = ()
    discovered: Callable[[], Mapping[str, Mapping[str, Any]]] = dict
    awaited: Callable[[], Sequence[str]] = tuple
    tls: Callable[[], Mapping[str, Mapping[str, Any]]] = dict
