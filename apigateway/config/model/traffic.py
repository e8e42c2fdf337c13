"""Where else requests of a route go: some to another service in place of its own, some to a second one as well."""

from __future__ import annotations

from dataclasses import dataclass, field

from apigateway.config.model.sizes import KIB


@dataclass(frozen=True, slots=True)
class SplitRule:
    """Which requests go to `service`: all with just these `headers` and `cookie` values, or a `share` of the others.

    `share` is from 0 to 1, None where the rule matches. It is dealt out `by` "random", "client", "header:NAME" or
    "cookie:NAME".
    """

    service: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    cookie: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    share: float | None = None
    by: str = "random"


@dataclass(frozen=True, slots=True)
class Mirror:
    """Which requests are sent again to `service`: a `share`, from 0 to 1, of those with these `methods`, or with "*".

    None with a body above `max_body` bytes, and none while `in_flight` of them are.
    """

    service: str
    share: float = 1.0
    methods: tuple[str, ...] = ("GET", "HEAD", "OPTIONS")
    max_body: int = 64 * KIB
    in_flight: int = 100
