"""A service: a named group of targets, and how exchanges with it are bounded, repeated and replaced."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

from twisted.logger import Logger

from apigateway.errors import BREAKER_OPEN, NO_TARGETS, GatewayError
from apigateway.exchange import Exchange
from apigateway.http.answers import Answer
from apigateway.interfaces import IBalancer
from apigateway.upstream.balancing.group import Group
from apigateway.upstream.balancing.only import Only
from apigateway.upstream.balancing.oversight import Oversight
from apigateway.upstream.balancing.round_robin import RoundRobin
from apigateway.upstream.balancing.sticky import Sticky
from apigateway.upstream.bulkhead import Bulkhead, Busy
from apigateway.upstream.pace import Pace
from apigateway.upstream.relays import Relays
from apigateway.upstream.steps.again import Later
from apigateway.upstream.steps.forward import Forward
from apigateway.upstream.steps.hedge import Hedge, may_hedge
from apigateway.upstream.steps.plan import ForwardPlan
from apigateway.upstream.steps.retry import RetryBudget, RetryCounts
from apigateway.upstream.steps.switching import check_room
from apigateway.upstream.steps.terms import Terms
from apigateway.upstream.target import Target

_log = Logger(namespace="apigateway.upstream")


class Service:
    """A service as one snapshot has it; its targets, its bulkhead and its relays outlive the snapshot.

    `terms` hold for exchanges of routes that have none of their own; `budget` bounds the further attempts of all.
    `later` calls back after some seconds: without it no attempt is made that is to be waited for. `counts` are those
    made, `begun` are first attempts, and `random` returns from [0, 1).
    `fallback` is an answer or another service for when this one fails. `finish_abandoned` lets requests run to their
    end though their client is gone. At most `max_in_flight` exchanges are in progress, those that began with an earlier
    snapshot included. `balancer` is by default that targets take turns, `oversight` looks after them, and with `sticky`
    answers name the target that gave them.
    """

    __slots__ = ("name", "targets", "budget", "fallback", "finish_abandoned", "now",
                 "bulkhead", "max_in_flight", "active", "everyone", "balancer", "oversight", "sticky", "terms",
                 "later", "random", "counts", "begun", "relays", "_earned", "_pace")  # fmt: skip

    def __init__(
        self,
        name: str,
        targets: tuple[Target, ...],
        terms: Terms,
        budget: RetryBudget,
        now: Callable[[], float],
        finish_abandoned: bool = False,
        max_in_flight: int = 1024,
        bulkhead: Bulkhead | None = None,
        balancer: IBalancer | None = None,
        oversight: Oversight | None = None,
        sticky: Sticky | None = None,
        later: Later | None = None,
        random: Callable[[], float] = lambda: 0.5,
        counts: RetryCounts | None = None,
        relays: Relays | None = None,
    ) -> None:
        self.name = name
        self.targets = targets
        self.terms = terms
        self.budget = budget
        self.later = later
        self.random = random
        self.counts = counts or RetryCounts()
        self.relays = relays or Relays(name, lambda: bytes(4))
        self.begun = self._earned = 0
        self.now = now
        self.finish_abandoned = finish_abandoned
        self.fallback: Answer | Service | None = None
        self.max_in_flight = max_in_flight
        self.bulkhead = bulkhead or Bulkhead(name, set(), lambda: 0.5)
        self.active = self.bulkhead.active
        self.everyone = self.bulkhead.everyone
        self.balancer: IBalancer = balancer or (RoundRobin(Group(targets)) if len(targets) > 1 else Only(targets))
        self.oversight = oversight
        self.sticky = sticky
        self._pace = Pace(self._ended(), now())

    def __repr__(self) -> str:
        return f"<Service {self.name} in_flight={self.in_flight} {list(self.targets)}>"

    @property
    def in_flight(self) -> int:
        """How many exchanges are on their way to this service or back."""
        return len(self.active)

    @property
    def in_panic(self) -> bool:
        """No target is well, so all are tried."""
        return self.oversight is not None and self.oversight.panic.lasts

    @property
    def is_full(self) -> bool:
        """As many exchanges are in progress as there may be."""
        return len(self.active) >= self.max_in_flight

    def refusal(self, now: float) -> GatewayError:
        """Why no target may be tried at present, and when to come again."""
        if not self.targets:
            detail = f"No target of the service '{self.name}' has been found."
            return GatewayError(NO_TARGETS, detail, retry_after_s=1)
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
        if b"upgrade" in exchange.head.special and not exchange.fallback:
            check_room(self.relays, exchange, plan)
        if self.sticky is not None:
            plan = self.sticky.plan(plan)
        single = Forward(self, exchange, plan, body_asked)
        one: Forward | Hedge = single
        if single.terms.hedging is not None and may_hedge(exchange):
            one = Hedge(self, exchange, plan, single.terms)
        try:
            one.begin()
        except Exception:
            # Whoever called answers; here nothing of it may be left.
            one.abandon()
            raise

    def pays(self, now: float) -> bool:
        """Whether the budget has one more attempt, which is then taken from it."""
        self._earn(now)
        if self.budget.withdraw(now):
            return True
        self.counts.refused += 1
        return False

    def _earn(self, now: float) -> None:
        """First attempts earn further ones; counting them together now and then costs each of them next to nothing."""
        begun = self.begun
        if begun != self._earned:
            self.budget.earn(begun - self._earned, now)
            self._earned = begun

    def sweep(self, now: float) -> None:
        """End what has run out of time. Called every fraction of a second."""
        self._earn(now)
        for one in [one for one in self.active if one.deadline <= now]:
            # The end of one may have been the end of another.
            if one.deadline <= now:
                self._end(one)
        for timed in [timed for timed in self.bulkhead.timed if timed.latest <= now]:
            if timed.latest <= now:
                self._end(timed)
        self.bulkhead.spell.tick(now)
        self._pace.note(self._ended(), now)
        for target in self.targets:
            target.transport.sweep(now)
        if self.oversight is not None:
            self.oversight.tick(now)

    def _ended(self) -> int:
        return sum(target.attempts - target.in_flight for target in self.targets)

    def _end(self, one: Busy) -> None:
        try:
            one.expired()
        except Exception:
            _log.failure("an exchange with {service} failed when its time was up", service=self.name)
            self.bulkhead.leave(one)
