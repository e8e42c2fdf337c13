"""Policy: the largest request body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from apigateway.errors import BODY_TOO_LARGE, GatewayError
from apigateway.http.heads import CHUNKED
from apigateway.policies.policy import Policy, PolicyTools

if TYPE_CHECKING:
    from apigateway.exchange import Exchange


class SizeOptions(Protocol):
    """What this policy wants to know."""

    @property
    def max_body(self) -> int | None:
        """Bytes of a request body; None does not limit it."""


def size_limit(options: SizeOptions, tools: PolicyTools) -> Policy | None:
    """Refuse bodies above `max_body` before they are sent; those of unknown length are counted on their way."""
    if options.max_body is None:
        return None
    most: int = options.max_body

    def check(exchange: Exchange) -> None:
        length = exchange.head.length
        if length > most:
            raise GatewayError(BODY_TOO_LARGE, f"At most {most} bytes are taken.")
        if length == CHUNKED:
            exchange.max_body = most

    return Policy("size-limit", on_request=check)
