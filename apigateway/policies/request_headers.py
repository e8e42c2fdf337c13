"""Policy: fields of the request that the service sees otherwise than the client sent them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apigateway.policies.field_rules import HeaderOptions, encoded, lower_names, without_any_spelling
from apigateway.policies.policy import Policy, PolicyTools

if TYPE_CHECKING:
    from apigateway.exchange import Exchange


def request_headers(options: HeaderOptions, tools: PolicyTools) -> Policy | None:
    """Remove `remove_request`, replace or add `set_request`."""
    rules = options.headers
    added = encoded(rules.set_request)
    names = (*rules.remove_request, *(name for name, _ in rules.set_request))
    removed = lower_names(name.replace("_", "-") for name in names)
    if not removed:
        return None

    def change(exchange: Exchange) -> None:
        # A new list: the head's own may be shared with others that look at the request.
        fields = without_any_spelling(exchange.head.plain, removed)
        fields += added
        exchange.head.plain = fields

    return Policy("request-headers", on_request=change)
