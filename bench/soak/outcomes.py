"""What became of requests, and why: each is as it should be, or has an explanation, or has none. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.soak.faults import CATALOGUE, CUT
from bench.soak.history import History

WHEN_DOWN = frozenset(("connect-failed", "connection-lost", "connect-timeout", "response-timeout", CUT))
REPEATED = frozenset(("GET", "HEAD", "DELETE", "OPTIONS"))
"""Methods of which a request is sent again when its connection ends first: those of the load have no bodies."""

GATEWAY_STATUSES = frozenset((502, 503, 504))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a client saw of one request. Times are seconds of the monotonic clock.

    `ending` as in `wire.Answer`, or `left` where the client went away. `is_right`: whatever came was the client's own,
    byte for byte, and the service received what was sent. `fallback` says that the gateway marked it as such. `by`
    names the target that answered, where one did. `good` is the status that was hoped for. Of a WebSocket something was
    `heard` until then: only what happened later explains its end.
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
    by: str = ""
    is_encrypted: bool = False
    good: int = 200
    heard: float = 0.0

    @property
    def seen(self) -> str | int:
        """In a word: a cause, a status of the service's own, or how it ended."""
        return self.cause or (self.status if self.ending == "whole" else self.ending)


def is_fine(outcome: Outcome) -> bool:
    """What nobody need explain: a right answer where nothing was to go wrong, and clients that went away."""
    if outcome.ending == "left":
        return True
    is_good = outcome.ending == "whole" and outcome.status == outcome.good
    return is_good and outcome.is_right and not outcome.fallback and _is_harmless(outcome.fault)


def _is_harmless(fault: str) -> bool:
    return not fault or 200 in CATALOGUE[fault].seen


def explain(outcome: Outcome, history: History) -> str:
    """Why it is as it is; nothing, where nobody knows."""
    if not outcome.is_right or outcome.ending in ("late", "broken"):
        return ""
    if not history.was_listed(outcome.by, outcome.began, outcome.ended):
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
    where = outcome.by or outcome.service
    return outcome.seen in WHEN_DOWN and history.was_down(where, outcome.heard or outcome.began, outcome.ended)


def _is_untrusted(outcome: Outcome, history: History) -> bool:
    is_seen = outcome.seen == "tls-untrusted"
    return is_seen and history.was_untrusted(outcome.service, outcome.began, outcome.ended)


def _is_race(outcome: Outcome, history: History) -> bool:
    if outcome.seen != "connection-lost" or outcome.method in REPEATED:
        return False
    return history.was_race(outcome.service, outcome.began, outcome.ended)


EXPLANATIONS: dict[str, Callable[[Outcome, History], bool]] = {
    "fault {}": _is_the_fault,
    "rate limit": _is_limited,
    "breaker open after failures": _is_breaker,
    "service was down": _is_down,
    "its certificate was a stranger's": _is_untrusted,
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
