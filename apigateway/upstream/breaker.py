"""The circuit breaker of one target: gives a failing target a rest, then tries it with one exchange at a time.

Knows attempts only by their outcome and the permit they began with; no clock, no sockets, no configuration. What may
happen in which state is `breaker_table.TABLE`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from zope.interface import implementer

from apigateway.interfaces import ICircuitBreaker
from apigateway.upstream.breaker_table import (
    ANSWERED,
    CANCELLED,
    CLOSED,
    COUNT_ANSWER,
    COUNT_FAILURE,
    FAILED,
    LEND_PROBE,
    LIMIT_REACHED,
    OPEN,
    OVERTAKEN,
    PROBE_ANSWERED,
    PROBE_CANCELLED,
    PROBE_FAILED,
    PROBE_LENT,
    REST,
    START_AFRESH,
    TAKE_BACK_PROBE,
    step,
)
from apigateway.upstream.sliding import SlidingCount

NONE = -1
"""Stands where there is no permit; no attempt ever holds it."""

CHANGES_KEPT = 10

PROBE_S = 60.0
"""How long a probe is waited for, unless told otherwise."""

PROBE_WAIT_S = 1.0
"""What to tell those who ask while a probe is under way, whose length nobody knows: the shortest `Retry-After`."""


class BreakerOptions(Protocol):
    """The numbers of a breaker, as the configuration has them; times in seconds."""

    @property
    def failures(self) -> int:
        """So many failures in a row open it."""

    @property
    def recovery(self) -> float:
        """How long it then stays open."""

    @property
    def ratio(self) -> float | None:
        """So large a share of failures opens it too; None switches this rule off."""

    @property
    def window(self) -> float:
        """Over how long the share is taken."""

    @property
    def min_volume(self) -> int:
        """With fewer attempts in the window the share says nothing."""


@implementer(ICircuitBreaker)
class CircuitBreaker:
    """`on_change(old state, new state, reason, now)` is told of every change of state, after it.

    `probe_s` is how long a probe is waited for: as long as an attempt takes at most whose client is not slow.
    """

    __slots__ = (
        "_changes", "_failures", "_issued", "_on_change", "_options", "_permit", "_probe", "_probe_s", "_recent",
        "_until", "state",
    )  # fmt: skip

    def __init__(
        self, options: BreakerOptions, on_change: Callable[[str, str, str, float], None], probe_s: float = PROBE_S
    ) -> None:
        self._options = options
        self._probe_s = probe_s
        self._on_change = on_change
        self.state = CLOSED
        self._failures = 0
        self._recent: SlidingCount | None = None
        self._until = 0.0
        self._issued = 0
        self._changes: deque[tuple[str, str, str, float]] = deque(maxlen=CHANGES_KEPT)
        self._start_afresh(0.0)

    def __repr__(self) -> str:
        probing = " probing" if self._probe != NONE else ""
        return f"<CircuitBreaker {self.state} failures={self._failures}{probing}>"

    def allows(self, now: float) -> int:
        """A permit for one attempt, or 0. While closed all attempts share one permit."""
        permit = self._permit
        if permit > 0:
            return permit
        if self.retry_after(now) > 0:
            return 0
        self._take(PROBE_LENT, now, "the recovery time is over")
        return self._probe

    def success(self, permit: int, now: float) -> None:
        """The target answered the attempt that holds `permit`."""
        if permit == self._permit:
            if self._failures or self._recent is not None:
                self._take(ANSWERED, now)
        else:
            self._take(self._old_or(PROBE_ANSWERED, permit), now, "the probe was answered")

    def failure(self, permit: int, now: float, reason: str) -> None:
        """The attempt that holds `permit` failed by the target's fault."""
        if permit != self._permit:
            self._take(self._old_or(PROBE_FAILED, permit), now, f"the probe failed: {reason}")
            return
        self._take(FAILED, now)
        limit = self._limit_reached()
        if limit:
            self._take(LIMIT_REACHED, now, f"{limit}, the last: {reason}")

    def cancelled(self, permit: int, now: float) -> None:
        """The attempt that holds `permit` ended without a verdict on the target."""
        self._take(CANCELLED if permit == self._permit else self._old_or(PROBE_CANCELLED, permit), now)

    def retry_after(self, now: float) -> float:
        """Seconds until an attempt may be allowed; 0.0 where it may be now.

        A probe that takes longer than it may is waited for no longer: another one follows it.
        """
        if self.state == OPEN:
            return max(0.0, self._until - now)
        return min(PROBE_WAIT_S, max(0.0, self._until - now)) if self._probe != NONE else 0.0

    def describe(self, now: float) -> dict[str, Any]:
        """The state, failures in a row, seconds to the next try, and the last ten changes, newest first."""
        changes = [
            {"from": old, "to": new, "reason": reason, "ago_s": round(now - at, 3)}
            for old, new, reason, at in reversed(self._changes)
        ]
        retry_after = round(self.retry_after(now), 3)
        return {"state": self.state, "failures": self._failures, "retry_after_s": retry_after, "changes": changes}

    def _old_or(self, probe_event: str, permit: int) -> str:
        if not 0 < permit <= self._issued:
            raise ValueError(f"no attempt was ever given the permit {permit}")
        return probe_event if permit == self._probe else OVERTAKEN

    def _limit_reached(self) -> str:
        options, recent = self._options, self._recent
        if self._failures >= options.failures:
            return f"{self._failures} failures in a row"
        if recent is None or options.ratio is None or recent.all < options.min_volume:
            return ""
        if recent.marked < options.ratio * recent.all:
            return ""
        return f"{recent.marked} of {recent.all} attempts failed within {options.window:g} s"

    def _take(self, event: str, now: float, reason: str = "") -> None:
        before = self.state
        self.state, actions = step(before, event)
        for action in actions:
            _ACTIONS[action](self, now)
        if self.state != before:
            self._changes.append((before, self.state, reason, now))
            self._on_change(before, self.state, reason, now)

    def _count_answer(self, now: float) -> None:
        self._failures = 0
        if self._recent is not None:
            self._recent.count(now)

    def _count_failure(self, now: float) -> None:
        self._failures += 1
        if self._recent is not None:
            self._recent.count(now)
            self._recent.mark(now)

    def _rest(self, now: float) -> None:
        self._until = now + self._options.recovery
        self._permit = self._probe = NONE

    def _lend_probe(self, now: float) -> None:
        self._issued += 1
        self._probe = self._issued
        # A client that takes for ever over its request must not keep all others from a target that is well again.
        self._until = now + self._probe_s

    def _take_back_probe(self, now: float) -> None:
        self._probe = NONE

    def _start_afresh(self, now: float) -> None:
        self._issued += 1
        self._permit = self._issued
        self._probe = NONE
        self._failures = 0
        self._recent = SlidingCount(self._options.window) if self._options.ratio is not None else None


_ACTIONS: dict[str, Callable[[CircuitBreaker, float], None]] = {
    COUNT_ANSWER: CircuitBreaker._count_answer,
    COUNT_FAILURE: CircuitBreaker._count_failure,
    REST: CircuitBreaker._rest,
    LEND_PROBE: CircuitBreaker._lend_probe,
    TAKE_BACK_PROBE: CircuitBreaker._take_back_probe,
    START_AFRESH: CircuitBreaker._start_afresh,
}
