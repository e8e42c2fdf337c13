"""Looks for targets again and again: when what was found holds no more, and after a failure ever more slowly.

Knows a look only as a function; keeps the times.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from apigateway.discovery.answers import LookupFailed, NoRecords
from apigateway.discovery.findings import Findings
from apigateway.discovery.places import Found, Look, Place
from apigateway.interfaces import IDiscovery

LOOK_S = 30.0
"""A look that takes longer is given up."""

RETRY_S = 10.0
"""The longest pause after a failure."""

JITTER = 0.1
"""A look is late by up to this share of its pause, so that many gateways don't ask in step."""

_log = Logger(namespace="apigateway.discovery")


@implementer(IDiscovery)
class Polling:
    """`target` makes a target of a place. `pause_s` is the shortest pause between two looks.

    Where there is nothing any more, the last targets stay for `hold_s` seconds; where nobody can tell, they stay.
    """

    def __init__(
        self,
        look: Look,
        target: Callable[[Place], Any],
        findings: Findings,
        clock: IReactorTime,
        now: Callable[[], float],
        random: Random,
        pause_s: float,
        hold_s: float,
    ) -> None:
        self._look = look
        self._target = target
        self._findings = findings
        self._clock = clock
        self._now = now
        self._random = random
        self._pause_s = pause_s
        self._hold_s = hold_s
        self._failures = 0
        self._empty_since: float | None = None
        self._running: Deferred[float] | None = None
        self._timer: IDelayedCall | None = None
        self._started = False

    def __repr__(self) -> str:
        state = "looking" if self._running else "waiting" if self._timer else "stopped"
        return f"<Polling {state} {self._findings!r}>"

    @property
    def targets(self) -> tuple[Any, ...] | None:
        """See `IDiscovery.targets`."""
        return self._findings.targets

    def describe(self) -> dict[str, Any]:
        """See `IDiscovery.describe`."""
        return self._findings.describe()

    def start(self) -> None:
        """See `IDiscovery.start`."""
        if not self._started:
            self._started = True
            self._begin()

    def stop(self) -> None:
        """See `IDiscovery.stop`."""
        self._started = False
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        if self._running is not None:
            self._running.cancel()

    def _begin(self) -> None:
        self._timer = None
        looking = Deferred.fromCoroutine(self._look())
        self._running = running = looking.addTimeout(LOOK_S, self._clock).addCallbacks(self._found, self._failed)
        running.addErrback(self._broken)
        running.addBoth(self._over)

    def _found(self, found: Found) -> float:
        self._failures = 0
        self._empty_since = None
        self._findings.found([self._target(place) for place in found.places], found.error)
        return max(found.until - self._now(), self._pause_s)

    def _failed(self, failure: Failure) -> float:
        failure.trap(LookupFailed, TimeoutError)
        pause: float = min(self._pause_s * 2**self._failures, RETRY_S)
        self._failures = min(self._failures + 1, 30)
        if failure.check(NoRecords):
            return min(pause, self._empty(str(failure.value)))
        reason = str(failure.value) if failure.check(LookupFailed) else f"no answer within {LOOK_S:g} s"
        self._findings.failed(reason)
        return max(pause, self._pause_s)

    def _empty(self, reason: str) -> float:
        """There is nothing, and that is sure: the last targets stay for a while. Returns how long still."""
        now = self._now()
        if self._empty_since is None:
            self._empty_since = now
        left_s: float = self._empty_since + self._hold_s - now
        if left_s > 0 or not self._findings.targets:
            self._findings.failed(reason)
        else:
            self._findings.found((), reason)
        return max(left_s, self._pause_s)

    def _broken(self, failure: Failure) -> float:
        if not failure.check(CancelledError):
            _log.failure("discovery failed unforeseen: {what}", failure, what=repr(self), event="discovery-failed")
        return RETRY_S

    def _over(self, pause: Any) -> None:
        self._running = None
        if self._started:
            late = 1 + JITTER * self._random.random()
            self._timer = self._clock.callLater(pause * late, self._begin)
