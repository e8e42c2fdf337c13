"""Whether a failed attempt may be followed by another: what is safe, and what the budget allows.

There are two kinds of another attempt. When a connection that had been idle dies before the first byte of an answer,
its exchange is repeated once on a fresh connection; that is the price of keeping connections and costs no budget. Every
other one, a retry or a hedge, is paid for from the service's `RetryBudget`. All must be safe: `may_repeat`.
"""

from __future__ import annotations

from collections.abc import Collection

from apigateway.errors import RESPONSE_TIMEOUT, GatewayError, Retry
from apigateway.upstream.sliding import SlidingCount

IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))
"""Methods that may be sent twice, RFC 9110 §9.2.2."""

WINDOW_S = 10.0


class RetryBudget:
    """Keeps the retries of a service within a share of its exchanges, so that they can't add up to a storm.

    Over about ten seconds there are at most `ratio` of the exchanges plus ten times `min_per_second` retries.
    """

    __slots__ = ("_count", "_floor", "_ratio", "earn")

    def __init__(self, ratio: float = 0.2, min_per_second: float = 3.0) -> None:
        self._ratio = ratio
        self._floor = min_per_second * WINDOW_S
        self._count = SlidingCount(WINDOW_S)
        self.earn = self._count.add
        """`earn(number, now)`: so many exchanges began."""

    def __repr__(self) -> str:
        return f"<RetryBudget {self._count.marked} retries for {self._count.all} exchanges>"

    def withdraw(self, now: float) -> bool:
        """Take one retry from the budget; False where there is none left."""
        count = self._count
        count.move_to(now)
        if count.marked + 1 > self._floor + self._ratio * count.all:
            return False
        count.mark(now)
        return True


class RetryCounts:
    """What a service did beyond first attempts, since start; lives in the Registry.

    `retries` were made, `refused` were not for want of budget (hedges included), `hedges` were begun and `hedges_won`.
    """

    __slots__ = ("retries", "refused", "hedges", "hedges_won")

    def __init__(self) -> None:
        self.retries = self.refused = self.hedges = self.hedges_won = 0

    def describe(self) -> dict[str, int]:
        """The numbers by name."""
        return {name: getattr(self, name) for name in self.__slots__}


def may_repeat(
    error: GatewayError,
    method: bytes,
    body_touched: bool,
    sent: bool,
    methods: Collection[bytes] = IDEMPOTENT,
    after_timeout: bool = False,
) -> bool:
    """Whether the exchange may be tried again after `error`, before anything of an answer was passed on.

    `body_touched`: some of the request body was taken from the client, and it is not kept. `sent`: something of the
    request may have reached the target. `methods` may be sent twice; `after_timeout`: also when nobody has waited
    for the answer to the first.
    """
    retry = error.cause.retry
    if error.cause is RESPONSE_TIMEOUT and after_timeout:
        retry = Retry.ALWAYS
    if body_touched or retry is Retry.NEVER:
        return False
    return not sent or method in methods
