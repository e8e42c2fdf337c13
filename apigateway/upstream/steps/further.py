"""What follows an attempt that failed, or an answer that is worth another attempt: when, where, and with which body.

Works on a `Forward`, which makes the attempts. Which target it is, is `choice`'s business.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from apigateway.errors import CONNECT_FAILED, TOTAL_TIMEOUT, GatewayError, Retry
from apigateway.http.retry_after import retry_after_s
from apigateway.interfaces import IAttempt
from apigateway.upstream.steps.choice import Choice, Failed, give_back, next_choice
from apigateway.upstream.steps.nobody import GONE, NOBODY
from apigateway.upstream.steps.retry import may_repeat
from apigateway.upstream.steps.time_limits import NEVER, latest_of, too_late

if TYPE_CHECKING:
    from apigateway.upstream.steps.forward import Forward


def give_body(one: Forward, attempt: IAttempt) -> None:
    """Ask the client for the body of its request, or give an attempt what has come of it and let the rest come.

    Where there may be another attempt, it is kept.
    """
    head, terms, downstream = one.exchange.head, one.terms, one.exchange.downstream
    if not one.body_asked:
        one.body_asked = True
        if terms.keeps(head.method, head.length):
            one.remember().begin_to_keep(terms.replay)
        downstream.send_continue()
        downstream.open_body()
        return
    if one.again is not None:
        one.again.replay(attempt)
    if one.request_received:
        one.await_more()
    else:
        downstream.resume_body()


def try_again(one: Forward, error: GatewayError, now: float) -> bool:
    """Whether another attempt follows one that failed, at once or later; otherwise the failure stands."""
    terms = one.terms
    if one.exchange.status or _has_begun(one) or not may_repeat(
        error, one.exchange.head.method, body_touched=_is_body_lost(one), sent=one.attempt is not None,
        methods=terms.methods, after_timeout=terms.after_timeout,
    ):  # fmt: skip
        return False
    if error.cause.retry is Retry.IF_REUSED and _repeat(one, now):
        return True
    choice = _next(one, now, error.cause is CONNECT_FAILED)
    if choice is None:
        return False
    _settle(one, choice, error, 0, now)
    _go_on(one, choice, now)
    return True


def ask_again(one: Forward, status: int, lines: bytes, attempt: IAttempt | None, now: float) -> bool:
    """Whether an answer is dropped, with the attempt that it is a part of, as there is another attempt to be made."""
    if one.exchange.head.method not in one.terms.methods or _is_body_lost(one):
        return False
    choice = _next(one, now, True, retry_after_s(lines, now))
    if choice is None:
        return False
    if attempt is not None:
        attempt.cancel()
    _settle(one, choice, None, status, now)
    _go_on(one, choice, now)
    return True


def total_time(one: Forward, now: float) -> bool:
    """Begin the time that there is for all attempts together; False where it is over already."""
    one.latest = latest_of(one.terms, one.exchange, now)
    if one.latest <= now:
        one.give_up(too_late(TOTAL_TIMEOUT))
        return False
    one.service.bulkhead.timed.add(one)
    return True


def cancel(one: Forward, now: float) -> None:
    """Give up the present attempt, whether it has begun, waits for a connection or for its time."""
    if one.attempt is not None:
        one.attempt.cancel()
    elif one.target is not None:
        one.target.transport.cancel(one)
    elif one.again is not None:
        one.again.stop_waiting(one.permit, now)


def expire(one: Forward, now: float) -> None:
    """The present step has taken too long, or all attempts together have."""
    cancel(one, now)
    if one.deadline <= now:
        is_unread = one.exchange.downstream is NOBODY and one.exchange.status
        one.failed(GONE if is_unread else too_late(one.overdue))
    else:
        _out_of_time(one, now)


def _out_of_time(one: Forward, now: float) -> None:
    """The time for all attempts is over. A target that had all of it is to blame.

    One that had the rest of it is not, nor one that had what a proxy left, or that waited for the client.
    """
    exchange, error = one.exchange, too_late(TOTAL_TIMEOUT)
    had_all = exchange.attempts == 1 and one.request_received and exchange.started + one.terms.total <= now
    one.over(error if had_all else GONE, now)
    one.give_up(error)


def _has_begun(one: Forward) -> bool:
    """The first byte of an answer is there, maybe an interim one that was passed on."""
    return one.attempt is not None and one.attempt.heard


def _is_body_lost(one: Forward) -> bool:
    return one.body_touched and (one.again is None or one.again.kept is None)


def _repeat(one: Forward, now: float) -> bool:
    """The service closed an idle connection just when it was taken: that is no failure of either."""
    attempt, target, again = one.attempt, one.target, one.remember()
    if attempt is None or target is None or not attempt.reused or again.repeated:
        return False
    again.repeated = True
    permit, one.permit = one.permit, 0
    one.over(None, now)
    one.lease(target, permit, now, fresh=True)
    return True


def _next(one: Forward, now: float, same_too: bool, asked_s: float = 0.0) -> Choice | None:
    if one.target is None:
        return None
    failed = Failed(one.target, one.permit, one.latest, same_too, asked_s)
    return next_choice(one.service, one.terms, one.exchange, one.remember(), failed, now)


def _settle(one: Forward, choice: Choice, error: GatewayError | None, status: int, now: float) -> None:
    """The present attempt is over, by an error or an answer; where the same target is next, it keeps its permit."""
    target = one.target
    assert target is not None
    if choice.target is target:
        one.permit = 0
    if status:
        one.permit = target.answered(one.permit, status, now)
    one.over(error, now)
    one.remember().failed_at(target)
    one.service.counts.retries += 1


def _go_on(one: Forward, choice: Choice, now: float) -> None:
    """Make the next attempt, now or a little later."""
    if not choice.wait_s:
        one.lease(choice.target, choice.permit, now, fresh=False)
        return
    later = one.service.later
    assert later is not None
    one.permit = choice.permit
    one.deadline = NEVER
    if one.body_asked and not one.request_received:
        one.exchange.downstream.pause_body()
    one.remember().wait(later, choice.wait_s, choice.target, partial(_waited, one))


def _waited(one: Forward) -> None:
    target, now = one.remember().waited(), one.service.now()
    if now < one.latest:
        one.lease(target, one.permit, now, fresh=False)
    else:
        give_back(target, one.permit, now)
        one.give_up(too_late(TOTAL_TIMEOUT))
