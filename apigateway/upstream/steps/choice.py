"""Which target is asked next, and when: what the balancer offers, what breakers allow, and what the budget pays for.

Knows an exchange only as what is to be balanced. Changes breakers (which lend permits) and the budget, nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from apigateway.interfaces import IBalancer
from apigateway.upstream.steps.time_limits import NEVER

if TYPE_CHECKING:
    from apigateway.exchange import Exchange
    from apigateway.upstream.service import Service
    from apigateway.upstream.steps.again import Again
    from apigateway.upstream.steps.terms import Terms
    from apigateway.upstream.target import Target


class Choice(NamedTuple):
    """The target to ask, with the permit of its breaker, in so many seconds."""

    target: Target
    permit: int
    wait_s: float


class Failed(NamedTuple):
    """An attempt that failed: where, with which permit, and when the exchange is over time.

    `same_too`: where all targets have been asked, one may be asked again. `asked_s`: the service wants a pause.
    """

    target: Target
    permit: int
    latest: float
    same_too: bool
    asked_s: float = 0.0


def pick(
    balancer: IBalancer, exchange: Exchange, now: float, tried: tuple[Target, ...] = ()
) -> tuple[Target, int] | None:
    """The next target that its breaker allows, and the permit; None where there is none but those in `tried`."""
    while True:
        target: Target | None = balancer.pick(exchange, now, tried)
        if target is None:
            return None
        permit = target.breaker.allows(now) if target.breaker is not None else 1
        if permit:
            return target, permit
        tried += (target,)


def next_choice(
    service: Service, terms: Terms, exchange: Exchange, again: Again, failed: Failed, now: float
) -> Choice | None:
    """What follows a failed attempt; None where nothing may: no attempt left, no target, no time or no budget.

    A target that was not asked yet is preferred, and the first one of those is not waited for. The target that has just
    failed keeps its permit: what an exchange does there in a row is one thing to its breaker.
    """
    if not again.left:
        return None
    found = pick(service.balancer, exchange, now, (*again.tried, failed.target))
    wait_s = terms.backoff(again.made, service.random()) if again.made or found is None else 0.0
    if found is None and failed.same_too:
        # All were asked: another one again, or the same.
        found = pick(service.balancer, exchange, now, (failed.target,)) if again.tried else None
        found = found or (failed.target, failed.permit)
    if found is None:
        return None
    choice = Choice(*found, max(wait_s, failed.asked_s))
    if _in_time(service, terms, choice, failed.latest, now) and service.pays(now):
        return choice
    if choice.target is not failed.target:
        give_back(choice.target, choice.permit, now)
    return None


def _in_time(service: Service, terms: Terms, choice: Choice, latest: float, now: float) -> bool:
    """A wait must end while there is time left; where nobody says how much, it is as long as an answer may take."""
    if latest == NEVER:
        latest = now + terms.limits.response
    return now + choice.wait_s < latest and (choice.wait_s == 0.0 or service.later is not None)


def give_back(target: Target, permit: int, now: float) -> None:
    """The attempt for which a breaker has lent a permit is not made."""
    if target.breaker is not None:
        target.breaker.cancelled(permit, now)
