"""Active health checks: what is known of a target's health, and the loop that finds it out.

Knows a probe only as a function from (URL, timeout) to a Deferred status; no HTTP, no exchanges, no configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Protocol

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from apigateway.interfaces import IHealthChecker

JITTER = 0.1
"""A check is late by up to this share of the time between two checks, so that many gateways don't probe in step."""


class TargetHealth:
    """What the checks say of one target. Healthy until proven otherwise; changes after several like results in a row.

    `last_check` is `now` of the last result or None, `last_latency` seconds, `last_error` empty after a good check.
    """

    __slots__ = ("checked", "healthy", "last_check", "last_error", "last_latency", "streak", "was_ok")

    def __init__(self) -> None:
        self.healthy = True
        self.checked = False
        self.last_check: float | None = None
        self.last_latency = 0.0
        self.last_error = ""
        self.was_ok = True
        self.streak = 0

    def __repr__(self) -> str:
        if not self.checked:
            return "unchecked"
        return "healthy" if self.healthy else "unhealthy"

    def observe(self, ok: bool, now: float, latency: float, error: str, after: int) -> bool:
        """Note one result. `after` results like this one in a row change the health; returns whether this did."""
        self.streak = self.streak + 1 if self.checked and ok == self.was_ok else 1
        self.checked = True
        self.was_ok = ok
        self.last_check = now
        self.last_latency = latency
        self.last_error = error
        if ok == self.healthy or self.streak < after:
            return False
        self.healthy = ok
        return True

    def describe(self, now: float) -> dict[str, Any]:
        """The state in words, how long ago the last check ended, its latency, and its error or None."""
        if self.last_check is None:
            return {"state": repr(self), "checked_ago_s": None, "latency_s": None, "error": None}
        ago, latency = round(now - self.last_check, 3), round(self.last_latency, 6)
        return {"state": repr(self), "checked_ago_s": ago, "latency_s": latency, "error": self.last_error or None}


class Checked(Protocol):
    """What a check needs of a target."""

    @property
    def url(self) -> str:
        """The address, without a path."""

    @property
    def health(self) -> TargetHealth:
        """Where the results go."""


class HealthOptions(Protocol):
    """How to check, as the configuration has it; times in seconds."""

    @property
    def path(self) -> str:
        """What is asked for at each target."""

    @property
    def interval(self) -> float:
        """The time between two checks of one target."""

    @property
    def timeout(self) -> float:
        """How long a check may take."""

    @property
    def unhealthy_after(self) -> int:
        """So many bad checks in a row make a target unhealthy."""

    @property
    def healthy_after(self) -> int:
        """So many good ones make it healthy again."""

    @property
    def statuses(self) -> tuple[tuple[int, int], ...]:
        """The good statuses, as inclusive ranges."""


def _last_asked(target: Checked) -> float:
    last = target.health.last_check
    return float("-inf") if last is None else last


def _text(failure: Failure) -> str:
    return failure.getErrorMessage() or repr(failure.value)


@implementer(IHealthChecker)
class HealthChecker:
    """Checks each target of a service once in every interval, one after the other, evenly spread.

    A check that takes longer than the interval is not joined by a second one.
    """

    log = Logger()

    def __init__(
        self,
        service_name: str,
        targets: Sequence[Checked],
        options: HealthOptions,
        clock: IReactorTime,
        now: Callable[[], float],
        probe: Callable[[str, float], Deferred[int]],
        random: Random,
    ) -> None:
        self._service_name = service_name
        self._targets = tuple(targets)
        self._options = options
        self._clock = clock
        self._now = now
        self._probe = probe
        self._random = random
        self._loop: LoopingCall | None = None
        self._turn = 0
        self._due: IDelayedCall | None = None
        self._under_way: dict[str, Deferred[None]] = {}

    def __repr__(self) -> str:
        state = "running" if self._loop else "stopped"
        return f"<HealthChecker {self._service_name} {state} under_way={len(self._under_way)}>"

    def start(self) -> None:
        """Check a target now, the others one by one within the interval. Once started, does nothing."""
        if self._loop is None and self._targets:
            # Where targets change all the time, each has its turn: the one that was not asked for longest is the first.
            self._turn = self._targets.index(min(self._targets, key=_last_asked))
            self._loop = LoopingCall(self._next)
            self._loop.clock = self._clock
            self._loop.start(self._pause())

    def stop(self) -> None:
        """Check no more; what is under way is cancelled and leaves no trace."""
        loop, self._loop = self._loop, None
        if loop is None:
            return
        loop.stop()
        due, self._due = self._due, None
        if due is not None and due.active():
            due.cancel()
        for check in list(self._under_way.values()):
            check.cancel()

    def _pause(self) -> float:
        return self._options.interval / len(self._targets)

    def _next(self) -> None:
        target = self._targets[self._turn % len(self._targets)]
        self._turn += 1
        self._due = self._clock.callLater(self._pause() * JITTER * self._random.random(), self._check, target)

    def _check(self, target: Checked) -> None:
        if target.url in self._under_way:
            return
        began = self._now()
        url = target.url.rstrip("/") + self._options.path
        asked = maybeDeferred(self._probe, url, self._options.timeout)
        check = asked.addCallbacks(self._verdict, _text)
        noted = check.addCallback(self._note, target, began)
        self._under_way[target.url] = noted
        noted.addBoth(self._over, target)

    def _verdict(self, status: int) -> str:
        good = any(first <= status <= last for first, last in self._options.statuses)
        return "" if good else f"status {status}"

    def _note(self, error: str, target: Checked, began: float) -> None:
        if self._loop is None:
            return
        now, options = self._now(), self._options
        after = options.unhealthy_after if error else options.healthy_after
        if target.health.observe(not error, now, now - began, error, after):
            self._tell(target, error or f"{after} good checks in a row")

    def _tell(self, target: Checked, reason: str) -> None:
        path = self._options.path
        fields = {"service": self._service_name, "target": target.url, "path": path, "reason": reason}
        if target.health.healthy:
            self.log.info("{service}: {target} is healthy: {reason}", event="target-healthy", **fields)
        else:
            self.log.warn("{service}: {target} is unhealthy at {path}: {reason}", event="target-unhealthy", **fields)

    def _over(self, result: Failure | None, target: Checked) -> None:
        del self._under_way[target.url]
        if result is not None:
            self.log.failure("{service}: a health check broke", result, service=self._service_name)
