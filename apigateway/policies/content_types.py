"""Policy: the media types of request bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from apigateway.errors import UNSUPPORTED_MEDIA_TYPE, GatewayError
from apigateway.policies.policy import Policy, PolicyTools

if TYPE_CHECKING:
    from apigateway.exchange import Exchange


class TypeOptions(Protocol):
    """What this policy wants to know."""

    @property
    def content_types(self) -> tuple[str, ...]:
        """Media types without parameters; `image/*` is every image, `*/*` everything that has a type."""


def content_types(options: TypeOptions, tools: PolicyTools) -> Policy | None:
    """Refuse bodies of other types than `content_types`, which may hold `image/*`. A body without a type is refused."""
    if not options.content_types:
        return None
    accepted = frozenset(media_type.lower().encode() for media_type in options.content_types)
    shown = ", ".join(options.content_types)
    # What would be accepted goes into `Accept` (RFC 9110 §15.5.16).
    fields = ((b"Accept", shown.encode()),)

    def is_accepted(value: bytes) -> bool:
        media_type = value.split(b";", 1)[0].strip().lower()
        main = media_type.partition(b"/")[0]
        return media_type in accepted or main + b"/*" in accepted or b"*/*" in accepted

    def check(exchange: Exchange) -> None:
        head = exchange.head
        if not head.length:
            return
        # Every one of them, since the service might look at another than we do.
        sent = [value for name, value in head.fields if name.lower() == b"content-type"]
        if not sent or not all(map(is_accepted, sent)):
            raise GatewayError(UNSUPPORTED_MEDIA_TYPE, f"Accepted: {shown}.", fields=fields)

    return Policy("content-types", on_request=check)
