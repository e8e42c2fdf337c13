"""Whether a failed attempt may be followed by another: what is safe, and what the budget allows.

There are two kinds of another attempt. When a connection that had been idle dies before the first byte of an answer,
its exchange is repeated once on a fresh connection; that is the price of keeping connections and costs no budget. Every
other retry, at the next target, is paid for from the service's `RetryBudget`. Both must be safe: `may_repeat`.
"""

from __future__ import annotations

from apigateway.errors import GatewayError, Retry
from apigateway.upstream.sliding import SlidingCount

IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))
"""Methods that may be sent twice, RFC 9110 §9.2.2."""

WINDOW_S = 10.0


class RetryBudget:
    """Keeps the retries of a service within a share of its exchanges, so that they can't add up to a storm.

    Over about ten seconds there are at most `ratio` of the exchanges plus ten times `min_per_second` retries.
    """

    __slots__ = ("_count", "_floor", "_ratio", "deposit")

    def __init__(self, ratio: float = 0.2, min_per_second: float = 3.0) -> None:
        self._ratio = ratio
        self._floor = min_per_second * WINDOW_S
        self._count = SlidingCount(WINDOW_S)
        self.deposit = self._count.count
        """`deposit(now)`: an exchange began."""

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


def may_repeat(error: GatewayError, method: bytes, reused: bool, body_touched: bool, sent: bool) -> bool:
    """Whether the exchange may be tried again after `error`, before anything of an answer was passed on.

    `reused`: the connection had carried an exchange before. `body_touched`: some of the request body was taken from the
    client, and it is not kept. `sent`: something of the request may have reached the target.
    """
    retry = error.cause.retry
    if body_touched or retry is Retry.NEVER or (retry is Retry.IF_REUSED and not reused):
        return False
    return not sent or method in IDEMPOTENT
