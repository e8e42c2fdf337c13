"""Policy: how many requests a client may make. Knows windows only as rate limiters.

Refused requests count nowhere, also where another window of the same route would have admitted them. Answers tell what
is left, in the structured fields of draft-ietf-httpapi-ratelimit-headers-10.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from math import ceil
from typing import TYPE_CHECKING, Protocol

from apigateway.errors import RATE_LIMITED, GatewayError
from apigateway.policies.client_key import limit_key
from apigateway.policies.policy import Policy, PolicyTools, RequestSide

if TYPE_CHECKING:
    from apigateway.exchange import Exchange
    from apigateway.interfaces import IRateLimiter

LONGEST_VALUE = 64
"""Longer values of a field are counted under their hash, so that keys can't fill the memory."""


class Limit(Protocol):
    """One window of a rate limit."""

    @property
    def limit(self) -> int:
        """How many requests are admitted in any `window`."""

    @property
    def window(self) -> float:
        """Seconds."""

    @property
    def key(self) -> str:
        """What is counted: "client", or "header:NAME"."""


class LimitOptions(Protocol):
    """What this policy wants to know."""

    @property
    def rate_limit(self) -> tuple[Limit, ...]:
        """The windows; none switches the policy off."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """One window: whose requests it counts, and where; how it is described, and a template for what is left."""

    key: Callable[[Exchange], str]
    limiter: IRateLimiter
    described: bytes
    left: bytes
    refusal: str


def rate_limit(options: LimitOptions, tools: PolicyTools) -> Policy | None:
    """Admit a request where each of the windows admits it."""
    if not options.rate_limit:
        return None
    rules: list[_Rule] = []
    names: set[str] = set()
    for limit in options.rate_limit:
        name = _name(limit, names)
        names.add(name)
        rules.append(_rule(name, limit, tools))
    described = (b"RateLimit-Policy", b", ".join(rule.described for rule in rules))
    make = _one_window if len(rules) == 1 else _several_windows
    return Policy("rate-limit", make(tuple(rules), described, tools.now))


def _one_window(rules: tuple[_Rule, ...], described: tuple[bytes, bytes], now: Callable[[], float]) -> RequestSide:
    (rule,) = rules
    key, admit, left = rule.key, rule.limiter.admit, rule.left

    def check(exchange: Exchange) -> None:
        admitted, remaining, wait = admit(key(exchange), now())
        exchange.extra += described, (b"RateLimit", left % (remaining, ceil(wait)))
        if not admitted:
            raise GatewayError(RATE_LIMITED, rule.refusal, retry_after_s=ceil(wait))

    return check


def _several_windows(rules: tuple[_Rule, ...], described: tuple[bytes, bytes], now: Callable[[], float]) -> RequestSide:
    def check(exchange: Exchange) -> None:
        moment = now()
        keys = [rule.key(exchange) for rule in rules]
        verdicts = [rule.limiter.peek(key, moment) for rule, key in zip(rules, keys, strict=True)]
        refusing = [(verdict[2], rule) for rule, verdict in zip(rules, verdicts, strict=True) if not verdict[0]]
        if not refusing:
            verdicts = [rule.limiter.admit(key, moment) for rule, key in zip(rules, keys, strict=True)]
        left = [rule.left % (remaining, ceil(wait)) for rule, (_, remaining, wait) in zip(rules, verdicts, strict=True)]
        exchange.extra += (described, (b"RateLimit", b", ".join(left)))
        if refusing:
            wait, rule = max(refusing, key=lambda pair: pair[0])
            raise GatewayError(RATE_LIMITED, rule.refusal, retry_after_s=ceil(wait))

    return check


def _rule(name: str, limit: Limit, tools: PolicyTools) -> _Rule:
    described = f'"{name}";q={limit.limit}'
    if limit.window.is_integer():
        # The draft has whole seconds only, and lets a window that has none go unsaid.
        described += f";w={int(limit.window)}"
    return _Rule(
        _counted_by(limit.key),
        tools.limiter(name, limit),
        described.encode(),
        f'"{name}";r=%d;t=%d'.encode(),
        f"At most {limit.limit} requests are admitted in {_seconds(limit.window)} s.",
    )


def _name(limit: Limit, taken: set[str]) -> str:
    """The window's length, and a number where a route has several such windows."""
    name = base = f"{_seconds(limit.window)}s"
    number = 1
    while name in taken:
        number += 1
        name = f"{base}-{number}"
    return name


def _seconds(window: float) -> str:
    return f"{window:.0f}" if window.is_integer() else f"{window:g}"


def _by_client(exchange: Exchange) -> str:
    return limit_key(exchange.client)


def _counted_by(key: str) -> Callable[[Exchange], str]:
    kind, _, name = key.partition(":")
    if kind == "client":
        return _by_client
    field = name.lower().encode()

    def by_field(exchange: Exchange) -> str:
        # All of them: a service may well look at another one than the first.
        value = b",".join(value.strip() for name, value in exchange.head.fields if name.lower() == field)
        if not value:
            return _by_client(exchange)
        if len(value) > LONGEST_VALUE:
            return "#" + blake2b(value, digest_size=16).hexdigest()
        # No address begins like this, so that nobody can use up another's limit.
        return "=" + value.decode("latin-1")

    return by_field
