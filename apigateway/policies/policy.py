"""What a policy is: a name, and what it does with requests and with answers. Knows no policy in particular.

The contract of the request side: None lets the exchange go on, an `Answer` stops it there, and so does a `GatewayError`
that is raised; a `Deferred` is one of these later. Fields that every answer to the exchange must carry, the gateway's
own ones too, go into `exchange.extra`. The response side sees the answers of services only, and changes their heads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, Union

from twisted.logger import Logger

from apigateway.errors import GatewayError, unforeseen_error

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

    from apigateway.exchange import Exchange
    from apigateway.http.answers import Answer
    from apigateway.http.heads import ResponseHead
    from apigateway.interfaces import IRateLimiter

Verdict: TypeAlias = Union["Answer", "Deferred[Answer | None]", None]
RequestSide: TypeAlias = Callable[["Exchange"], Verdict]
ResponseSide: TypeAlias = Callable[["Exchange", "ResponseHead"], None]

_log = Logger(namespace="apigateway.policies")


@dataclass(frozen=True, slots=True)
class Policy:
    """One rule of one route, ready for use. A side that is None costs nothing.

    `marks`: the request side decides by the head alone what every answer must carry, so that it may be asked for the
    sake of a refusal that comes before all policies.
    """

    name: str
    on_request: RequestSide | None = None
    on_response: ResponseSide | None = None
    marks: bool = False


@dataclass(frozen=True, slots=True)
class PolicyTools:
    """What policies are made with, besides their options.

    `limiter` finds the state of a rate limit by its name within the route and its options; that state outlives the
    policy. `now` is the monotonic clock, in seconds.
    """

    service: str
    route: str
    limiter: Callable[[str, Any], IRateLimiter]
    now: Callable[[], float]


def request_side(policies: Iterable[Policy]) -> tuple[RequestSide, ...]:
    """What is done with each request, in order."""
    return tuple(policy.on_request for policy in policies if policy.on_request)


def marking_side(policies: Iterable[Policy]) -> tuple[RequestSide, ...]:
    """What is done with requests that are refused before all policies, in order; what it says of them is not heeded."""
    return tuple(policy.on_request for policy in policies if policy.on_request and policy.marks)


def response_side(policies: Iterable[Policy]) -> tuple[ResponseSide, ...]:
    """What is done with each answer: the last to see the request is the first to see the answer."""
    return tuple(policy.on_response for policy in reversed(tuple(policies)) if policy.on_response)


def policy_failed(policy: str, exchange: Exchange, why: Failure) -> GatewayError:
    """Log a failure of a policy, and make the error that its exchange ends with; that tells nothing of it."""
    _log.failure(
        "policy {policy} failed", why,
        event="policy-failed", policy=policy, route=exchange.route, request_id=exchange.request_id.decode("latin-1"),
    )  # fmt: skip
    return unforeseen_error()
