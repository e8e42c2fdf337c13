"""Which fields the policies in the box decide by, or about: what heads have said, trailers must not say again.

Pure functions on names; knows the options of the policies, not what is done with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from apigateway.policies.content_types import TypeOptions
from apigateway.policies.field_rules import HeaderOptions, HeaderRules
from apigateway.policies.rate_limit import LimitOptions
from apigateway.policies.required_headers import RequiredOptions
from apigateway.policies.response_headers import TELLTALE


class Options(TypeOptions, LimitOptions, RequiredOptions, HeaderOptions, Protocol):
    """The options of a route, as far as they name fields."""


def dashed_names(names: Iterable[str]) -> frozenset[bytes]:
    """Names to compare fields with: in lower case, and with dashes where they may have underscores."""
    return frozenset(name.lower().replace("_", "-").encode() for name in names)


def named_field(key: str) -> tuple[str, ...]:
    """The field in a key such as `header:NAME`; none in others."""
    kind, _, name = key.partition(":")
    return (name,) if kind == "header" else ()


def decisive_names(options: Options) -> Iterator[str]:
    """The request fields that are set, removed, required, counted by, or say what a body is where that matters."""
    headers = options.headers
    yield from (name for name, _ in headers.set_request)
    yield from headers.remove_request
    yield from options.required_headers
    for limit in options.rate_limit:
        yield from named_field(limit.key)
    if options.content_types:
        yield "Content-Type"


def ruled_names(headers: HeaderRules) -> Iterator[str]:
    """The fields of answers that are set or removed."""
    yield from (name for name, _ in headers.set_response)
    yield from headers.remove_response
    if headers.hide_server:
        yield from (name.decode() for name in TELLTALE)
