"""Policy: fields that every request must have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from apigateway.errors import MISSING_HEADER, GatewayError
from apigateway.policies.policy import Policy, PolicyTools

if TYPE_CHECKING:
    from apigateway.exchange import Exchange


class RequiredOptions(Protocol):
    """What this policy wants to know."""

    @property
    def required_headers(self) -> tuple[str, ...]:
        """Names, in any spelling."""


def required_headers(options: RequiredOptions, tools: PolicyTools) -> Policy | None:
    """Refuse requests in which one of `required_headers` is not there, or is there but empty."""
    if not options.required_headers:
        return None
    wanted = {name.lower().encode(): name for name in options.required_headers}

    def check(exchange: Exchange) -> None:
        there = {name.lower() for name, value in exchange.head.fields if value.strip()}
        missing = [name for lower, name in wanted.items() if lower not in there]
        if missing:
            raise GatewayError(MISSING_HEADER, f"Missing: {', '.join(missing)}.")

    return Policy("required-headers", on_request=check)
