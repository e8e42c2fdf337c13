"""What was done to services, and when: all that can explain an outcome. Pure; times are of the monotonic clock."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TypeAlias

from bench.soak.faults import CATALOGUE, RACES

BREAKER_FAILURES = 5
"""As many failures in a row as open a breaker here."""

RECOVERY_S = 2.0
"""How long it then stays open."""

AFTERMATH_S = RECOVERY_S + 3.0
"""How long failures explain an open breaker: it may fail its probe and open again."""

EDGE_S = 1.0
"""How long around the time in which a service was down its failures are explained by that."""

RACE_S = 2.0
"""How long a service that closes connections explains the end of one that was just taken."""

LEAVES_S = 6.0
"""How long a target that is not in the list any more may still be asked: lists are looked at once a second, twice."""

Spans: TypeAlias = dict[str, list[tuple[float, float]]]


@dataclass
class History:
    """When services and targets were down, or showed a stranger's certificate; when requests with a failure, or a
    race, were sent to a service; which targets were listed from when on, for services whose targets are in a file."""

    down: Spans = field(default_factory=lambda: defaultdict(list))
    untrusted: Spans = field(default_factory=lambda: defaultdict(list))
    listed: dict[str, list[tuple[float, frozenset[str]]]] = field(default_factory=dict)
    failures: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    races: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    limited: frozenset[str] = frozenset()
    guarded: frozenset[str] = frozenset()

    def sent(self, service: str, fault: str, now: float) -> None:
        """A request with a declared fault is sent. Times must come in order."""
        if CATALOGUE[fault].is_failure:
            self.failures[service].append(now)
        if fault in RACES:
            self.races[service].append(now)

    def was_down(self, service: str, began: float, ended: float, edge_s: float = EDGE_S) -> bool:
        """Whether the target, or any of the service, was down meanwhile."""
        return _meets(self.down[service], began, ended, edge_s)

    def was_untrusted(self, service: str, began: float, ended: float) -> bool:
        """Whether it showed a certificate that nobody should trust."""
        return _meets(self.untrusted[service], began, ended, EDGE_S)

    def was_listed(self, target: str, began: float, ended: float) -> bool:
        """Whether the target might be asked then, as far as lists tell of it."""
        lists = self.listed.get(target.rpartition("-")[0], [])
        # The one before is there until the next is noticed.
        first = bisect_right(lists, began - LEAVES_S, key=_at)
        valid = lists[max(0, first - 1) : bisect_right(lists, ended, key=_at)]
        return not lists or any(target in targets for _, targets in valid)

    def failed_often(self, service: str, began: float, ended: float) -> bool:
        """Whether there was reason for a breaker to be open."""
        times = self.failures[service]
        count = bisect_right(times, ended) - bisect_left(times, began - AFTERMATH_S)
        return count >= BREAKER_FAILURES or self.was_down(service, began, ended, AFTERMATH_S)

    def was_race(self, service: str, began: float, ended: float) -> bool:
        """Whether the service closed connections of its own accord just then."""
        times = self.races[service]
        return bisect_right(times, ended) > bisect_left(times, began - RACE_S)


def _meets(spans: list[tuple[float, float]], began: float, ended: float, edge_s: float) -> bool:
    return any(start - edge_s <= ended and began <= end + edge_s for start, end in spans)


def _at(entry: tuple[float, object]) -> float:
    return entry[0]
