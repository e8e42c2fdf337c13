"""What became of requests, and why: each is as it should be, or has an explanation, or has none. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from bench.soak.faults import CATALOGUE, CUT, RACES

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

WHEN_DOWN = frozenset(("connect-failed", "connection-lost", "connect-timeout", "response-timeout", CUT))
REPEATED = frozenset(("GET", "HEAD", "DELETE", "OPTIONS"))
"""Methods of which a request is sent again when its connection ends first: those of the load have no bodies."""

GATEWAY_STATUSES = frozenset((502, 503, 504))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a client saw of one request. Times are seconds of the monotonic clock.

    `ending` as in `wire.Answer`, or `left` where the client went away. `is_right`: whatever came was the client's own,
    byte for byte, and the service received what was sent. `fallback` says that the gateway marked it as such.
    """

    service: str
    kind: str
    method: str
    fault: str
    began: float
    ended: float
    ending: str
    status: int = 0
    cause: str = ""
    request_id: str = ""
    is_right: bool = True
    fallback: bool = False

    @property
    def seen(self) -> str | int:
        """In a word: a cause, a status of the service's own, or how it ended."""
        return self.cause or (self.status if self.ending == "whole" else self.ending)


def is_fine(outcome: Outcome) -> bool:
    """What nobody need explain: a right answer where nothing was to go wrong, and clients that went away."""
    if outcome.ending == "left":
        return True
    is_whole = outcome.ending == "whole" and outcome.status == 200 and outcome.is_right and not outcome.fallback
    return is_whole and (not outcome.fault or 200 in CATALOGUE[outcome.fault].seen)


@dataclass
class History:
    """What was done to services: when each was down, and when requests with a failure, or a race, were sent to it."""

    down: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
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
        """Whether any part of the service was down meanwhile."""
        return any(start - edge_s <= ended and began <= end + edge_s for start, end in self.down[service])

    def failed_often(self, service: str, began: float, ended: float) -> bool:
        """Whether there was reason for a breaker to be open."""
        times = self.failures[service]
        count = bisect_right(times, ended) - bisect_left(times, began - AFTERMATH_S)
        return count >= BREAKER_FAILURES or self.was_down(service, began, ended, AFTERMATH_S)

    def was_race(self, service: str, began: float, ended: float) -> bool:
        """Whether the service closed connections of its own accord just then."""
        times = self.races[service]
        return bisect_right(times, ended) > bisect_left(times, began - RACE_S)


def explain(outcome: Outcome, history: History) -> str:
    """Why it is as it is; nothing, where nobody knows."""
    if not outcome.is_right or outcome.ending in ("late", "broken"):
        return ""
    if outcome.fallback:
        return _why_fallback(outcome, history)
    return next((name for name, holds in EXPLANATIONS.items() if holds(outcome, history)), "").format(outcome.fault)


def _is_the_fault(outcome: Outcome, history: History) -> bool:
    return bool(outcome.fault) and outcome.seen in CATALOGUE[outcome.fault].seen


def _is_limited(outcome: Outcome, history: History) -> bool:
    return outcome.seen == "rate-limited" and outcome.service in history.limited


def _is_breaker(outcome: Outcome, history: History) -> bool:
    is_guarded = outcome.seen == "breaker-open" and outcome.service in history.guarded
    return is_guarded and history.failed_often(outcome.service, outcome.began, outcome.ended)


def _is_down(outcome: Outcome, history: History) -> bool:
    return outcome.seen in WHEN_DOWN and history.was_down(outcome.service, outcome.began, outcome.ended)


def _is_race(outcome: Outcome, history: History) -> bool:
    if outcome.seen != "connection-lost" or outcome.method in REPEATED:
        return False
    return history.was_race(outcome.service, outcome.began, outcome.ended)


EXPLANATIONS: dict[str, Callable[[Outcome, History], bool]] = {
    "fault {}": _is_the_fault,
    "rate limit": _is_limited,
    "breaker open after failures": _is_breaker,
    "service was down": _is_down,
    "a connection was closed just when it was taken": _is_race,
}
"""Everything that explains an outcome, the first that holds; `{}` is the fault."""


def _why_fallback(outcome: Outcome, history: History) -> str:
    service, began, ended = outcome.service, outcome.began, outcome.ended
    seen = CATALOGUE[outcome.fault].seen if outcome.fault else ()
    if any((isinstance(one, str) and one != CUT) or one in GATEWAY_STATUSES for one in seen):
        return f"fallback for fault {outcome.fault}"
    if history.failed_often(service, began, ended):
        return "fallback while the service was failing"
    if outcome.method not in REPEATED and history.was_race(service, began, ended):
        return "fallback for a connection that was closed just when it was taken"
    return ""


class Ledger:
    """All outcomes, counted; those that need an explanation are kept until there is one."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.count = 0
        self.statuses: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.explained: Counter[str] = Counter()
        self.unexplained: list[str] = []
        self.ids: dict[str, int] = {}
        self._odd: list[Outcome] = []

    def add(self, outcome: Outcome) -> None:
        """One request is over."""
        self.count += 1
        self.kinds[outcome.kind] += 1
        self.statuses[str(outcome.seen)] += 1
        if outcome.request_id:
            if outcome.request_id in self.ids:
                self.unexplained.append(f"two answers with the request id {outcome.request_id}")
            self.ids[outcome.request_id] = outcome.status
        if not is_fine(outcome):
            self._odd.append(outcome)

    def close(self, logged: Mapping[str, tuple[int, str]]) -> None:
        """All is known: explain what can be explained. `logged` are status and cause by request id."""
        for outcome in self._odd:
            if outcome.ending == "whole" and outcome.status != 200 and not outcome.cause:
                # An answer to HEAD can't tell the cause.
                outcome = replace(outcome, cause=logged.get(outcome.request_id, (0, ""))[1])
            why = explain(outcome, self.history)
            if why:
                self.explained[f"{outcome.seen}{' (fallback)' if outcome.fallback else ''}: {why}"] += 1
            else:
                self.unexplained.append(str(outcome))
        self._odd.clear()
