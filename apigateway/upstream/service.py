"""A service: a named group of targets, and how exchanges with it are bounded, repeated and replaced."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

from twisted.logger import Logger

from apigateway.errors import BREAKER_OPEN, GatewayError
from apigateway.exchange import Exchange
from apigateway.http.answers import Answer
from apigateway.interfaces import IBalancer
from apigateway.upstream.balancing.only import Only
from apigateway.upstream.balancing.round_robin import RoundRobin
from apigateway.upstream.bulkhead import Bulkhead, Busy
from apigateway.upstream.forward import Forward
from apigateway.upstream.pace import Pace
from apigateway.upstream.plan import ForwardPlan
from apigateway.upstream.retry import RetryBudget
from apigateway.upstream.target import Target
from apigateway.upstream.time_limits import TimeLimits

_log = Logger(namespace="apigateway.upstream")


class Service:
    """A service as one snapshot has it; its targets and its bulkhead outlive the snapshot.

    `retries` is how many further attempts an exchange may have, `repeats` whether there is another target for one.
    `fallback` is an answer or another service for when this one fails. `finish_abandoned` lets requests run to their
    end though their client is gone. At most `max_in_flight` exchanges are in progress, those that began with an earlier
    snapshot included.
    """

    __slots__ = ("name", "targets", "limits", "budget", "retries", "repeats", "fallback", "finish_abandoned", "now",
                 "bulkhead", "max_in_flight", "active", "everyone", "balancer", "_pace")  # fmt: skip

    def __init__(
        self,
        name: str,
        targets: tuple[Target, ...],
        limits: TimeLimits,
        budget: RetryBudget,
        retries: int,
        now: Callable[[], float],
        finish_abandoned: bool = False,
        max_in_flight: int = 1024,
        bulkhead: Bulkhead | None = None,
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
        self.max_in_flight = max_in_flight
        self.bulkhead = bulkhead or Bulkhead(name, set(), lambda: 0.5)
        self.active = self.bulkhead.active
        self.everyone = self.bulkhead.everyone
        self.balancer: IBalancer = RoundRobin(targets) if len(targets) > 1 else Only(targets)
        self._pace = Pace(self._ended(), now())

    def __repr__(self) -> str:
        return f"<Service {self.name} in_flight={self.in_flight} {list(self.targets)}>"

    @property
    def in_flight(self) -> int:
        """How many exchanges are on their way to this service or back."""
        return len(self.active)

    @property
    def is_full(self) -> bool:
        """As many exchanges are in progress as there may be."""
        return len(self.active) >= self.max_in_flight

    def refusal(self, now: float) -> GatewayError:
        """Why no target may be tried at present, and when to come again."""
        waits = [target.breaker.retry_after(now) for target in self.targets if target.breaker is not None]
        wait_s = max(1, ceil(min(waits, default=1.0)))
        detail = f"The service '{self.name}' failed repeatedly; it is tried again in {wait_s} s."
        return GatewayError(BREAKER_OPEN, detail, retry_after_s=wait_s)

    def overloaded(self) -> GatewayError:
        """Why no more exchanges are taken at present, and when to come again. Counts as a refusal."""
        return self.bulkhead.refusal(self.max_in_flight, self._pace.per_second())

    def makes_room(self, one: Forward) -> bool:
        """All places are taken; whether an exchange whose client is too slow has left its place to this one."""
        return any(target.transport.make_room(one) for target in self.targets)

    def forward(self, exchange: Exchange, plan: ForwardPlan, body_asked: bool = False) -> None:
        """Answer an exchange from this service. `body_asked`: another has begun to take the request body."""
        one = Forward(self, exchange, plan, body_asked)
        try:
            one.begin()
        except Exception:
            # Whoever called answers; here nothing of it may be left.
            one.abandon()
            raise

    def sweep(self, now: float) -> None:
        """End what has run out of time. Called every fraction of a second."""
        for one in [one for one in self.active if one.deadline <= now]:
            # The end of one may have been the end of another.
            if one.deadline <= now:
                self._end(one)
        self.bulkhead.spell.tick(now)
        self._pace.note(self._ended(), now)
        for target in self.targets:
            target.transport.sweep(now)

    def _ended(self) -> int:
        return sum(target.attempts - target.in_flight for target in self.targets)

    def _end(self, one: Busy) -> None:
        try:
            one.expired()
        except Exception:
            _log.failure("an exchange with {service} failed when its time was up", service=self.name)
            self.bulkhead.leave(one)
