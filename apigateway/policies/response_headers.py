"""Policy: fields of services' answers that the client sees otherwise, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apigateway.http.lines import join_lines, lines_named
from apigateway.policies.field_rules import HeaderOptions, encoded, lower_names
from apigateway.policies.policy import Policy, PolicyTools

if TYPE_CHECKING:
    from apigateway.exchange import Exchange
    from apigateway.http.heads import ResponseHead

TELLTALE = frozenset((b"server", b"x-powered-by"))
"""Fields that tell an attacker which software to attack."""


def response_headers(options: HeaderOptions, tools: PolicyTools) -> Policy | None:
    """Remove `remove_response` and, with `hide_server`, `TELLTALE`; replace or add `set_response`."""
    rules = options.headers
    added = encoded(rules.set_response)
    removed = lower_names(rules.remove_response) | lower_names(name for name, _ in rules.set_response)
    if rules.hide_server:
        removed |= TELLTALE
    if not removed:
        return None

    remove, added_lines = lines_named(removed).sub, join_lines(added)

    def change(exchange: Exchange, head: ResponseHead) -> None:
        head.lines = remove(b"", head.lines) + added_lines

    return Policy("response-headers", on_response=change)
