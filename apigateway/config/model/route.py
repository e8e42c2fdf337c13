"""What is decided for the exchanges of a route: matching and policies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from apigateway.config.model.retries import Hedging, RouteRetries, RouteTimeouts
from apigateway.config.model.traffic import Mirror, SplitRule
from apigateway.config.model.upgrades import Upgrades


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `limit` requests in any `window` seconds, counted per `key`: "client" or "header:NAME"."""

    limit: int = 100
    window: float = 60.0
    key: str = "client"


@dataclass(frozen=True, slots=True)
class Cors:
    """Which pages of other origins may use a route. `origins` may hold "*"."""

    origins: tuple[str, ...]
    methods: tuple[str, ...] = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
    headers: tuple[str, ...] = ()
    expose: tuple[str, ...] = ()
    credentials: bool = False
    max_age: int = 600


@dataclass(frozen=True, slots=True)
class Headers:
    """What happens to header fields on their way.

    `host` is "target" (the target's own name, the default) or "pass" (what the client sent).
    `set_*` replaces, `remove_*` takes away; names are compared without case.
    """

    host: str = "target"
    forwarded: bool = False
    via: bool = True
    hide_server: bool = True
    security: bool = False
    set_request: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    remove_request: tuple[str, ...] = ()
    set_response: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    remove_response: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Extension:
    """A policy that is not in the box, by name.

    `options` are its options as nested tuples, to be compared; `given` has their places in the file as well.
    """

    name: str
    options: Any = field(default=None, repr=False)
    given: Any = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Policies:
    """The rules for the exchanges of a route; None switches a rule off."""

    rate_limit: tuple[RateLimit, ...] = (RateLimit(),)
    cors: Cors | None = None
    max_body: int | None = None
    content_types: tuple[str, ...] = ()
    required_headers: tuple[str, ...] = ()
    headers: Headers = Headers()
    allow_paths: tuple[str, ...] = ()
    upgrades: Upgrades | None = Upgrades()
    policies: tuple[Extension, ...] = ()
    timeouts: RouteTimeouts = RouteTimeouts()
    retries: RouteRetries = RouteRetries()
    hedging: Hedging | None = None
    deadline_header: str | None = None


PATH_AMBIGUITIES = ("dot-segments", "encoded-slash", "backslash", "path-parameters")
"""What a route may allow in paths with `allow_paths`; control bytes are never allowed."""


@dataclass(frozen=True, slots=True)
class Route:
    """What to match. Empty `methods`: all. `headers`: (name, exact value) pairs that must all be there.

    `split` and `mirror` say which requests go to other services, instead or as well.
    """

    path: str
    host: str | None = None
    methods: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    strip_prefix: bool = False
    policies: Policies = Policies()
    split: tuple[SplitRule, ...] = ()
    mirror: tuple[Mirror, ...] = ()
