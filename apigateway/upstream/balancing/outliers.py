"""Ejection of targets that fail more than the others of their service, though neither breaker nor checks see it.

Nothing of it is done per exchange: the counts that targets keep anyway are compared once in a window.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from twisted.logger import Logger

from apigateway.upstream.balancing.fitness import is_able, is_in
from apigateway.upstream.balancing.group import Group
from apigateway.upstream.target import Target

_log = Logger(namespace="apigateway.upstream")


class OutlierOptions(Protocol):
    """The numbers, as the configuration has them; times in seconds."""

    @property
    def window(self) -> float:
        """How often shares are compared, and over how long they are taken."""

    @property
    def min_attempts(self) -> int:
        """With fewer attempts in a window, of a target or of all others, nothing is said of it."""

    @property
    def excess(self) -> float:
        """So much larger than the others' is the share of failures of a target that is ejected: 0 to 1."""

    @property
    def time(self) -> float:
        """How long it is ejected the first time; the second time twice as long, the third time thrice, and so on."""

    @property
    def max_time(self) -> float:
        """The longest that it is ejected."""


class Window(NamedTuple):
    """What a target did in one window."""

    target: Target
    ended: int
    failures: int

    @property
    def share(self) -> float:
        """Which part of its attempts failed."""
        return min(1.0, self.failures / self.ended) if self.ended else 0.0


class Outliers:
    """Ejects targets and lets them return. No ejection leaves more than half of the targets without work, those that
    are ill or rest included.
    """

    __slots__ = ("_service", "_group", "_options", "_until")

    def __init__(self, service: str, group: Group, options: OutlierOptions, now: float) -> None:
        self._service = service
        self._group = group
        self._options = options
        self._until = now + options.window

    def __repr__(self) -> str:
        ejected = [target.url for target in self._group.targets if target.standing.is_ejected]
        return f"<Outliers {self._service} ejected={ejected}>"

    def tick(self, now: float) -> None:
        """Called every fraction of a second."""
        for target in self._group.targets:
            if target.standing.is_ejected and now >= target.standing.ejected_until:
                self._return(target, "its time is over")
        self._keep_half()
        if now >= self._until:
            self._until = now + self._options.window
            self._judge(now)

    def _keep_half(self) -> None:
        """Where others have become ill or rest since, those that return soonest do so now."""
        ejected = [target for target in self._group.targets if target.standing.is_ejected]
        ejected.sort(key=lambda target: target.standing.ejected_until)
        while ejected and self._places() < 0:
            # One that is ill as well makes no difference by its return; the next does.
            self._return(ejected.pop(0), "too few others are left")

    def _places(self) -> int:
        """How many more may be ejected; below 0 as many are too many."""
        targets = self._group.targets
        return len(targets) // 2 - sum(not is_in(target) for target in targets)

    def _judge(self, now: float) -> None:
        windows = [_window(target) for target in self._group.targets]
        least = self._options.min_attempts
        judged = [window for window in windows if window.ended >= least and is_able(window.target)]
        judged.sort(key=lambda window: -window.share)
        for window in judged:
            others = [other for other in windows if other is not window and is_able(other.target)]
            ended, failures = sum(other.ended for other in others), sum(other.failures for other in others)
            if ended < least:
                continue
            share = min(1.0, failures / ended)
            if window.share - share < self._options.excess:
                window.target.standing.relapses = max(0, window.target.standing.relapses - 1)
            elif self._places() > 0 and is_in(window.target):
                self._eject(window, share, now)

    def _eject(self, window: Window, others: float, now: float) -> None:
        options, target, standing = self._options, window.target, window.target.standing
        seconds = min(options.max_time, options.time * (standing.relapses + 1))
        standing.ejections += 1
        standing.relapses += 1
        standing.is_ejected = True
        standing.ejected_until = now + seconds
        standing.leave()
        _log.warn(
            "{service}: {target} is ejected for {seconds} s: {failures} of {attempts} attempts failed, of the others' "
            "{others:.0%}",
            event="target-ejected", service=self._service, target=target.url, seconds=seconds,
            failures=window.failures, attempts=window.ended, others=round(others, 3),
        )  # fmt: skip

    def _return(self, target: Target, reason: str) -> None:
        target.standing.is_ejected = False
        _window(target)
        _log.info(
            "{service}: {target} is no longer ejected: {reason}",
            event="target-returned", service=self._service, target=target.url, reason=reason,
        )  # fmt: skip


def release(targets: Iterable[Target]) -> None:
    """End ejections where nobody is left who would."""
    for target in targets:
        target.standing.is_ejected = False


def _window(target: Target) -> Window:
    """What a target did since this was last asked."""
    standing = target.standing
    ended, failures = target.attempts - target.in_flight, target.failures
    window = Window(target, max(0, ended - standing.ended), max(0, failures - standing.failures))
    standing.ended, standing.failures = ended, failures
    return window
