"""The keys of time limits, retries and hedging: what a service says, and the part of it that a route may say."""

from __future__ import annotations

from typing import Any

from apigateway.config.kinds import ListOf, OrFalse
from apigateway.config.model.retries import Hedging, Retries, RouteRetries, RouteTimeouts, Timeouts
from apigateway.config.scalars import BOOLEAN, Scalar, duration, integer, matching, number, size
from apigateway.config.tables import Key, Table, keys_of
from apigateway.config.units import DURATION_PATTERN, duration_text, seconds
from apigateway.config.web import CHANGED_FIELD, METHOD, STATUS_RANGE


def _worse(text: str) -> tuple[int, int]:
    low, high = STATUS_RANGE.parse(text)
    if low < 400:
        raise ValueError(text)
    return low, high


BAD_STATUS = Scalar("a status from 400 on such as 503, or a range such as 502-504", _worse, STATUS_RANGE.json,
                    STATUS_RANGE.show)  # fmt: skip


def _after(text: str) -> float | str:
    if text.startswith("p"):
        return text
    value = seconds(text)
    if value < 0.001:
        raise ValueError(text)
    return value


def _shown_after(value: float | str) -> str:
    return value if isinstance(value, str) else duration_text(value)


AFTER = matching("`p50` to `p99`, or a duration such as 200ms", rf"p[5-9][0-9]|{DURATION_PATTERN}", _after,
                 show=_shown_after)  # fmt: skip

_STEPS: dict[str, Any] = {
    "response": (duration(), "From the request to the head of the answer; then 504 `response-timeout`."),
    "idle": (duration(), "Without a byte of a body moving, in either direction; then 504 `idle-timeout`, or a cut."),
    "event_stream": (duration(), "The same where the answer is `text/event-stream`, which may be quiet."),
    "total": (
        OrFalse(duration()),
        "To the head of the answer, all attempts together; then 504 `total-timeout`. `false`: no bound.",
    ),
}

_ATTEMPTS: dict[str, Any] = {
    "attempts": (integer(0, 10), "Further attempts after the first, at most."),
    "methods": (ListOf(METHOD, 1), "Methods that may be sent twice."),
    "statuses": (ListOf(BAD_STATUS), "Answers that are worth another attempt: `[429, 502-504]`."),
    "timeouts": (BOOLEAN, "Whether another attempt follows one that was not answered within `timeouts.response`."),
    "replay": (size(0), "The largest request body that is kept to be sent again; `0`: none."),
    "backoff": (duration(0), "Before another attempt there is a random wait of up to so long, doubled each time …"),
    "max_backoff": (duration(0), "… and at most so long."),
}

TIMEOUTS = Table(
    "timeouts",
    keys_of(
        Timeouts,
        connect=(duration(), "Until a connection to a target stands; then 504 `connect-timeout`."),
        pool=(duration(), "In the line for a connection, when all are busy; then 503 `pool-exhausted`."),
        **_STEPS,
    ),
    Timeouts,
)

ROUTE_TIMEOUTS = Table("route_timeouts", keys_of(RouteTimeouts, **_STEPS), RouteTimeouts)

RETRIES = Table(
    "retries",
    keys_of(
        Retries,
        **_ATTEMPTS,
        budget=(number(0, 1), "Further attempts, as a share of the service's requests, at most …"),
        min_per_second=(number(0), "… but this many a second in any case."),
    ),
    Retries,
)

ROUTE_RETRIES = Table("route_retries", keys_of(RouteRetries, **_ATTEMPTS), RouteRetries)

HEDGING = Table(
    "hedging",
    keys_of(
        Hedging,
        after=(
            AFTER,
            "When it is made: when the first takes longer than most answers of the service did, or than this.",
        ),
        at_least=(duration(), "Where `after` is a share: not sooner than this."),
    ),
    Hedging,
)

_BESIDE: dict[str, Key] = {
    "hedging": Key(OrFalse(HEDGING), "A second attempt, at another target, while the first is not answered.", False),
    "deadline_header": Key(
        OrFalse(CHANGED_FIELD), "The request field that tells the service how many milliseconds are left.", False
    ),
}

SERVICE_ATTEMPT_KEYS: dict[str, Key] = {
    "timeouts": Key(TIMEOUTS, "How long each step of an exchange may take.", TIMEOUTS.show(Timeouts())),
    "retries": Key(
        OrFalse(RETRIES, Retries(attempts=0)), "Further attempts after one that failed.", RETRIES.show(Retries())
    ),
    **_BESIDE,
}
"""What stands in a service."""

ROUTE_ATTEMPT_KEYS: dict[str, Key] = {
    "timeouts": Key(
        ROUTE_TIMEOUTS, "How long each step of an exchange may take.", ROUTE_TIMEOUTS.show(RouteTimeouts())
    ),
    "retries": Key(
        OrFalse(ROUTE_RETRIES, RouteRetries(attempts=0)),
        "Further attempts after one that failed; the budget is the service's.",
        ROUTE_RETRIES.show(RouteRetries()),
    ),
    **_BESIDE,
}
"""What may stand in a route, too."""
