"""A service: a named group of targets, and how exchanges with it are bounded, repeated and replaced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from apigateway.errors import BREAKER_OPEN, GatewayError
from apigateway.exchange import Exchange
from apigateway.http.answers import Answer
from apigateway.upstream.balance import RoundRobin
from apigateway.upstream.forward import Forward
from apigateway.upstream.plan import ForwardPlan
from apigateway.upstream.retry import RetryBudget
from apigateway.upstream.target import Target


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Seconds that each step of an attempt may take: to get a connection, to be answered, between two pieces."""

    connection: float
    response: float
    idle: float


class Service:
    """A service as one snapshot has it; its targets outlive the snapshot.

    `retries` is how many further attempts an exchange may have, `repeats` whether there is another target for one.
    `fallback` is an answer or another service for when this one fails. `finish_abandoned` lets requests run to their
    end though their client is gone.
    """

    __slots__ = ("name", "targets", "limits", "budget", "retries", "repeats", "fallback", "finish_abandoned", "now",
                 "active", "_balance")  # fmt: skip

    def __init__(
        self,
        name: str,
        targets: tuple[Target, ...],
        limits: TimeLimits,
        budget: RetryBudget,
        retries: int,
        now: Callable[[], float],
        finish_abandoned: bool = False,
    ) -> None:
        self.name = name
        self.targets = targets
        self.limits = limits
        self.budget = budget
        self.retries = retries
        self.repeats = retries > 0 and len(targets) > 1
        self.now = now
        self.finish_abandoned = finish_abandoned
        self.fallback: Answer | Service | None = None
        self.active: set[Forward] = set()
        self._balance = RoundRobin(targets)

    def __repr__(self) -> str:
        return f"<Service {self.name} in_flight={self.in_flight} {list(self.targets)}>"

    @property
    def in_flight(self) -> int:
        """How many exchanges are on their way to this service or back."""
        return len(self.active)

    def candidates(self, now: float) -> tuple[Target, ...]:
        """The targets in the order in which the next exchange should try them."""
        return self._balance.candidates(now)

    def refusal(self, now: float) -> GatewayError:
        """Why no target may be tried at present, and when to come again."""
        waits = [target.breaker.retry_after(now) for target in self.targets if target.breaker is not None]
        wait_s = max(1, ceil(min(waits, default=1.0)))
        detail = f"The service '{self.name}' failed repeatedly; it is tried again in {wait_s} s."
        return GatewayError(BREAKER_OPEN, detail, retry_after_s=wait_s)

    def forward(self, exchange: Exchange, plan: ForwardPlan, body_asked: bool = False) -> None:
        """Answer an exchange from this service. `body_asked`: another has begun to take the request body."""
        Forward(self, exchange, plan, body_asked).begin()

    def sweep(self, now: float) -> None:
        """End what has run out of time. Called every fraction of a second."""
        for forward in [one for one in self.active if one.deadline <= now]:
            # The end of one may have been the end of another.
            if forward.deadline <= now:
                forward.expired()
        for target in self.targets:
            target.transport.sweep(now)
