"""The stages of the policies: each of the catalogue alone, its two sides, and what an exchange costs more with it.

A policy that is new in the catalogue needs a `Case` here; a test says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from apigateway.config.model import Cors, Headers, Policies, RateLimit
from apigateway.exchange import Exchange
from apigateway.http.heads import ResponseHead
from apigateway.policies.catalogue import CATALOGUE
from apigateway.policies.policy import Policy, PolicyTools
from apigateway.stores.memory import MemoryRateLimiter
from bench.stages.memory import CLIENTS, Gateways
from bench.stages.messages import BODY, LINES, Heads, exchange_of
from bench.stages.stage import Now, Stage, Work

NEVER_REACHED = 10**9
NONE = Policies(rate_limit=(), headers=Headers(hide_server=False))
"""No policy at all."""

EMPTY = "an exchange without policies"


@dataclass(frozen=True)
class Case:
    """The options that switch a policy on, and requests that it has to look at: further fields, method and body."""

    options: Policies
    fields: dict[str, str] = field(default_factory=dict)
    method: str = "GET"
    body: bytes = b""


_BARE = Headers(hide_server=False)
CASES = {
    "security_headers": Case(Policies(rate_limit=(), headers=Headers(hide_server=False, security=True))),
    "cors": Case(
        Policies(rate_limit=(), headers=_BARE, cors=Cors(origins=("https://shop.example.com",))),
        {"Origin": "https://shop.example.com"},
    ),
    "size_limit": Case(Policies(rate_limit=(), headers=_BARE, max_body=10 << 20)),
    "rate_limit": Case(Policies(rate_limit=(RateLimit(NEVER_REACHED),), headers=_BARE)),
    "content_types": Case(
        Policies(rate_limit=(), headers=_BARE, content_types=("application/json",)),
        {"Content-Type": "application/json", "Content-Length": str(len(BODY))},
        "POST",
        BODY,
    ),
    "required_headers": Case(Policies(rate_limit=(), headers=_BARE, required_headers=("User-Agent",))),
    "request_headers": Case(
        Policies(rate_limit=(), headers=Headers(hide_server=False, set_request=(("X-Tenant", "shop"),)))
    ),
    "response_headers": Case(Policies(rate_limit=(), headers=Headers(hide_server=True))),
}
"""By the name of the policy's factory."""


def tools(now: Now) -> PolicyTools:
    """What policies are made with."""
    return PolicyTools("product", "/api", lambda name, limit: MemoryRateLimiter(limit.limit, limit.window), now)


def made(name: str, now: Now) -> Policy:
    """The policy of a case. Raises `ValueError` where its options leave it off."""
    policy = _FACTORIES[name](CASES[name].options, tools(now))
    if policy is None:
        raise ValueError(f"the options of the case leave {name} off")
    return policy


_FACTORIES: dict[str, Callable[[Any, PolicyTools], Policy | None]] = {one.__name__: one for one in CATALOGUE}


def _request_side(name: str, now: Now) -> Work:
    case, check = CASES[name], made(name, now).on_request
    assert check is not None
    heads = Heads(case.method, case.fields, case.body)
    return Work(check, lambda: exchange_of(heads()))


def _answer_side(name: str, now: Now) -> Work:
    policy, head = made(name, now), Heads(more=CASES[name].fields)()
    change, check = policy.on_response, policy.on_request
    assert change is not None

    def answered() -> tuple[Exchange, ResponseHead]:
        exchange = exchange_of(head)
        if check is not None:
            check(exchange)
        return exchange, ResponseHead(200, b"OK", LINES, len(BODY))

    return Work(lambda item: change(*item), answered)


def stages(gateways: Gateways) -> Iterator[Stage]:
    """Those of each policy that has a case; whole exchanges go through `gateways`."""
    yield Stage(EMPTY, "policies", lambda now: gateways(NONE, CLIENTS, now).work())
    for name, factory in _FACTORIES.items():
        case = CASES.get(name)
        if case is None:
            continue
        # As it is by default, but for a limit that isn't reached.
        is_default = factory(Policies(), tools(float)) is not None
        policy = made(name, float)
        if policy.on_request is not None:
            yield Stage(f"{policy.name}: request", "policies", partial(_request_side, name), is_default)
        if policy.on_response is not None:
            yield Stage(f"{policy.name}: answer", "policies", partial(_answer_side, name), is_default)
        # Its share of the whole: what it does to heads may cost elsewhere. Requests with a body are other exchanges.
        if not case.body:
            whole = partial(_whole, gateways, case)
            yield Stage(f"{policy.name}: in the whole", "policies", whole, minus=EMPTY)


def _whole(gateways: Gateways, case: Case, now: Now) -> Work:
    return gateways(case.options, CLIENTS, now).work(case.fields)
