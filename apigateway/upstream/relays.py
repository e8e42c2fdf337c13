"""Relays to one service: how many there are, what they move, and which may begin.

Lives in the Registry: a relay outlives the snapshot that it began with. Knows relays only as `Relayed`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from apigateway.errors import SERVICE_OVERLOADED, GatewayError
from apigateway.upstream.spell import Spell

if TYPE_CHECKING:
    from apigateway.upstream.target import Target

COME_AGAIN_S = 30
"""Whoever is refused is asked to come again after so many seconds: relays end when they like."""


class Relayed(Protocol):
    """Bytes on their way between a client and a service."""

    @property
    def bytes_in(self) -> int:
        """Bytes that came from the client."""

    @property
    def bytes_out(self) -> int:
        """Bytes that came from the service."""


class Relays:
    """The relays to one service. `total` counts those begun; `mask` gives four bytes, see RFC 6455 §5.3."""

    __slots__ = ("open", "total", "mask", "spell", "_name", "_bytes_in", "_bytes_out")

    def __init__(self, name: str, mask: Callable[[], bytes]) -> None:
        self.open: set[Relayed] = set()
        self.total = 0
        self.mask = mask
        self.spell = Spell(SERVICE_OVERLOADED, name)
        self._name = name
        # Of those that are over.
        self._bytes_in = self._bytes_out = 0

    def __repr__(self) -> str:
        return f"<Relays {self._name} open={len(self.open)} total={self.total}>"

    def describe(self) -> dict[str, int]:
        """Numbers: open, total, and the bytes that they moved so far, from clients and from the service."""
        return {
            "open": len(self.open),
            "total": self.total,
            "bytes_in": self._bytes_in + sum(relay.bytes_in for relay in self.open),
            "bytes_out": self._bytes_out + sum(relay.bytes_out for relay in self.open),
        }

    def refusal(self, most: int) -> GatewayError:
        """Why one more than `most` may not begin."""
        self.spell.refused += 1
        detail = f"The service '{self._name}' has {most} upgraded connections, which is all it may have."
        return GatewayError(SERVICE_OVERLOADED, detail, retry_after_s=COME_AGAIN_S)

    def sweep(self, now: float) -> None:
        """Tell when refusals begin and end. Called every fraction of a second."""
        self.spell.tick(now)

    def began(self, relay: Relayed) -> None:
        """One has begun."""
        self.total += 1
        self.open.add(relay)

    def ended(self, relay: Relayed) -> None:
        """One is over."""
        self.open.discard(relay)
        self._bytes_in += relay.bytes_in
        self._bytes_out += relay.bytes_out


@dataclass(frozen=True, slots=True)
class UpgradeRules:
    """What the exchanges of a route may switch to: `protocols` in lower case.

    A relay may be idle for `idle_s` seconds. One begins only where the service that answers has fewer than `most`,
    those of all routes included.
    """

    protocols: frozenset[bytes] = frozenset((b"websocket",))
    idle_s: float = 300.0
    most: int = 10_000

    def check(self, relays: Relays) -> None:
        """Raises `GatewayError` where a service has as many relays as it may have."""
        if len(relays.open) >= self.most:
            raise relays.refusal(self.most)


class Account:
    """What one relay needs to know, and whom it tells: as long as it lives, its target has one more in flight."""

    __slots__ = ("idle_s", "is_websocket", "_relays", "_target")

    def __init__(self, idle_s: float, relays: Relays, target: Target, is_websocket: bool) -> None:
        self.idle_s = idle_s
        self.is_websocket = is_websocket
        self._relays = relays
        self._target = target

    def began(self, relay: Relayed) -> None:
        """Bytes may flow."""
        self._target.in_flight += 1
        self._relays.began(relay)

    def ended(self, relay: Relayed) -> None:
        """Both sides are gone."""
        self._target.in_flight -= 1
        self._relays.ended(relay)

    def mask(self) -> bytes:
        """Four bytes that nobody can foresee."""
        return self._relays.mask()
