"""A hedged exchange: when an answer takes unusually long, another target is asked too, and whoever is faster answers.

Stands where a `Forward` would, as what answers the exchange, until one of its two has won. Each of those is an ordinary
`Forward` with an exchange of its own, a copy, and a `Racer` for the client. Knows no transports.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from apigateway.errors import GatewayError
from apigateway.exchange import Exchange
from apigateway.interfaces import Fields, IUpstream
from apigateway.upstream.steps.again import Again, Timer
from apigateway.upstream.steps.choice import give_back, pick
from apigateway.upstream.steps.forward import Forward
from apigateway.upstream.steps.plan import ForwardPlan
from apigateway.upstream.steps.racer import Racer
from apigateway.upstream.steps.retry import IDEMPOTENT
from apigateway.upstream.steps.terms import Terms

if TYPE_CHECKING:
    from apigateway.upstream.service import Service
    from apigateway.upstream.target import Target


def may_hedge(exchange: Exchange) -> bool:
    """Whether a request may be with two targets at once: idempotent, without a body, and no offer to switch."""
    head = exchange.head
    return head.method in IDEMPOTENT and not head.length and b"upgrade" not in head.special


@implementer(IUpstream)
class Hedge:
    """One exchange, asked for once or twice. The first answer below 500 wins, and the other attempt is cut.

    Worse answers are held back as long as the other may still do better. What was cut is no verdict on its target.
    """

    __slots__ = ("exchange", "_service", "_plan", "_terms", "_racers", "_timer", "_began")

    def __init__(self, service: Service, exchange: Exchange, plan: ForwardPlan, terms: Terms) -> None:
        self.exchange = exchange
        self._service = service
        self._plan = plan
        self._terms = terms
        self._racers: list[Racer] = []
        self._timer: Timer | None = None
        self._began = 0.0

    def __repr__(self) -> str:
        return f"<Hedge {self._service.name} attempts={len(self._racers)}>"

    def begin(self) -> None:
        """Make the first attempt, and wait for it."""
        service = self._service
        self.exchange.upstream = self
        self.exchange.service = service.name
        self._began = service.now()
        self._enter().forward.begin()
        hedging = self._terms.hedging
        delay_s = hedging.delay() if hedging is not None else None
        if self._racers and self._racers[0].is_running and delay_s is not None and service.later is not None:
            self._timer = service.later(delay_s, self._late)

    def _enter(self) -> Racer:
        own = copy(self.exchange)
        own.extra = list(own.extra)
        racer = Racer(self, self.exchange.downstream, own)
        own.downstream = racer
        racer.forward = Forward(self._service, own, self._plan)
        self._racers.append(racer)
        return racer

    def _late(self) -> None:
        """The first attempt takes long: ask another target, if there is one and the budget pays for it."""
        self._timer = None
        service, first = self._service, self._racers[0]
        forward, now = first.forward, service.now()
        if not first.is_running or first.exchange.attempts != 1 or forward.target is None or service.is_full:
            return
        found = pick(service.balancer, first.exchange, now, (forward.target,))
        if found is None:
            return
        if not service.pays(now):
            give_back(*found, now)
            return
        service.counts.hedges += 1
        self.exchange.hedged = True
        forward.remember().left = 0
        self._ask(self._enter().forward, *found, forward.latest, now)

    def _ask(self, second: Forward, target: Target, permit: int, latest: float, now: float) -> None:
        """The other attempt: at this target, and no further one."""
        exchange = second.exchange
        exchange.upstream = second
        exchange.attempts = 0
        self._service.bulkhead.enter(second)
        second.again = Again(0)
        second.latest = latest
        if self._terms.is_timed:
            self._service.bulkhead.timed.add(second)
        second.lease(target, permit, now, fresh=False)

    # The racers tell.

    def answers(self, racer: Racer) -> None:
        """A racer has an answer, or has failed; whoever is to go on is told."""
        if len(self._racers) == 1 or racer.is_good:
            self._learn(racer)
            self._win(racer)
            return
        racer.hold()
        if not any(one.is_running for one in self._racers):
            answered = [one for one in self._racers if one.exchange.cause is None]
            self._win((answered or self._racers)[0])

    def _learn(self, racer: Racer) -> None:
        """What was cut took at least so long, which must not make the service look faster than it is."""
        hedging = self._terms.hedging
        if racer.is_good and hedging is not None and hedging.heads is not None:
            hedging.heads.record(self._service.now() - self._began)

    def _win(self, racer: Racer) -> None:
        self._stop_timer()
        racers, self._racers = self._racers, []
        exchange, own = self.exchange, racer.exchange
        for one in racers:
            if one is not racer:
                one.drop()
        if len(racers) > 1 and racer is racers[1] and racer.is_good:
            self._service.counts.hedges_won += 1
        exchange.attempts = sum(one.exchange.attempts for one in racers)
        for name in _TOLD:
            setattr(exchange, name, getattr(own, name))
        # From here on the winner works for the exchange itself, as if nobody else had been asked.
        upstream: Any = own.upstream
        exchange.upstream = upstream
        if upstream is not None:
            upstream.exchange = exchange
        racer.win()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # The client's side, while nobody has won: see `IUpstream`.

    def body(self, data: bytes) -> None:
        """See `IUpstream.body`; there is none."""

    def body_end(self, trailers: Fields) -> None:
        """See `IUpstream.body_end`."""

    def pause(self) -> None:
        """See `IUpstream.pause`."""
        for racer in self._racers:
            racer.forward.pause()

    def resume(self) -> None:
        """See `IUpstream.resume`."""
        for racer in self._racers:
            racer.forward.resume()

    def client_gone(self) -> None:
        """See `IUpstream.client_gone`; the first attempt may go on where it is to be finished."""
        racers, self._racers = self._racers, []
        self._tell(racers)
        for racer in racers[1:]:
            racer.drop()
        for racer in racers[:1]:
            racer.leave()

    def abandon(self, error: GatewayError | None = None) -> None:
        """Let go of everything, and answer nothing."""
        racers, self._racers = self._racers, []
        self._tell(racers)
        for racer in racers:
            racer.drop()

    def _tell(self, racers: list[Racer]) -> None:
        self._stop_timer()
        for racer in racers[:1]:
            self.exchange.sent = racer.exchange.sent
            self.exchange.target = racer.exchange.target
        self.exchange.attempts = sum(one.exchange.attempts for one in racers)


_TOLD = ("service", "target", "status", "cause", "fallback", "sent", "answered", "bytes_in", "bytes_out", "extra")
"""What the record of the exchange takes over from the winner's."""
