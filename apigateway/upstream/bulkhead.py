"""How many exchanges a service may have in progress, so that a slow one can't take all that the others need.

One bulkhead a service, whatever snapshots come and go. Knows whoever is at work only as `Busy`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from apigateway.errors import SERVICE_OVERLOADED, GatewayError
from apigateway.upstream.spell import Spell

if TYPE_CHECKING:
    from apigateway.exchange import Exchange

SOONEST_S, LATEST_S = 1, 30
"""Whoever is refused is asked to come again after at least and at most so many seconds."""


class Busy(Protocol):
    """Whoever is at work on an exchange. `deadline` is when its present step has taken too long."""

    deadline: float
    exchange: Exchange

    def expired(self) -> None:
        """The present step has taken too long."""

    def abandon(self) -> None:
        """Let go of everything, and answer nothing."""


class Timed(Busy, Protocol):
    """Whoever must not take longer than until `latest`, whatever the step."""

    latest: float


class Bulkhead:
    """Whoever is at work for one service. Lives in the Registry: a new snapshot goes on with the same one.

    `active` are those at work for this service, `everyone` those at work for any: who enters or leaves one does so with
    both. `timed` are those of the active that have a time for all. `random` returns from [0, 1).
    """

    __slots__ = ("active", "everyone", "timed", "spell", "_name", "_random")

    def __init__(self, name: str, everyone: set[Busy], random: Callable[[], float]) -> None:
        self.active: set[Busy] = set()
        self.everyone = everyone
        self.timed: set[Timed] = set()
        self.spell = Spell(SERVICE_OVERLOADED, name)
        self._name = name
        self._random = random

    def __repr__(self) -> str:
        return f"<Bulkhead {self._name} active={len(self.active)} of {len(self.everyone)}>"

    def enter(self, one: Busy) -> None:
        """Begin to work."""
        self.active.add(one)
        self.everyone.add(one)

    def leave(self, one: Busy) -> None:
        """The work is done; leaving twice does no harm."""
        self.active.discard(one)
        self.everyone.discard(one)

    def refusal(self, most: int, ended_per_second: float) -> GatewayError:
        """Why one more than `most` is not let in, and when to come again: spread around the time in which all end.

        Where none ends nobody knows when there is room; whoever was refused is then spread over `LATEST_S`.
        """
        self.spell.refused += 1
        clear_s = len(self.active) / ended_per_second if ended_per_second else LATEST_S
        wait_s = round(min(max(clear_s * (0.5 + self._random()), SOONEST_S), LATEST_S))
        detail = f"The service '{self._name}' has {most} requests in progress, which is all it may have."
        return GatewayError(SERVICE_OVERLOADED, detail, retry_after_s=wait_s)
