"""The catalogue of policies and their order. Knows how to list them, not what they do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from apigateway.policies.content_types import TypeOptions, content_types
from apigateway.policies.cors import CorsOptions, cors
from apigateway.policies.field_rules import HeaderOptions
from apigateway.policies.policy import Policy, PolicyTools
from apigateway.policies.rate_limit import LimitOptions, rate_limit
from apigateway.policies.request_headers import request_headers
from apigateway.policies.required_headers import RequiredOptions, required_headers
from apigateway.policies.response_headers import response_headers
from apigateway.policies.security_headers import security_headers
from apigateway.policies.size_limit import SizeOptions, size_limit


class Options(SizeOptions, CorsOptions, LimitOptions, TypeOptions, RequiredOptions, HeaderOptions, Protocol):
    """The options of a route: what the policies together want to know."""


CATALOGUE: tuple[Callable[[Options, PolicyTools], Policy | None], ...] = (
    security_headers,  # first: what the others refuse carries these fields too
    cors,  # before all that refuses, so that pages can read why; preflights are answered here, and count nowhere
    size_limit,  # needs nothing but a number, and spares what is too large the rest
    rate_limit,  # before whatever takes time to check
    content_types,  # validation, of requests that are within their limits
    required_headers,
    request_headers,  # after the checks: these are about what the client sent
    response_headers,
)
"""Each makes a policy of a route's options, or None where these leave it off."""


PLACES = tuple(factory.__name__.replace("_", "-") for factory in CATALOGUE)
"""The names of the policies in the box, in order: a policy of others has its place after one of them."""

_NONE: dict[str, Sequence[Policy]] = {}


def compile_policies(
    options: Options, tools: PolicyTools, others: Mapping[str, Sequence[Policy]] = _NONE
) -> tuple[Policy, ...]:
    """The policies of one route, in order; `others` stand after the one of `PLACES` under which they are given."""
    made: list[Policy | None] = []
    for place, factory in zip(PLACES, CATALOGUE, strict=True):
        made.append(factory(options, tools))
        made.extend(others.get(place, ()))
    return tuple(policy for policy in made if policy is not None)
