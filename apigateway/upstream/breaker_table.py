"""The circuit breaker's states, events and what each pair does: one table, and its diagram.

Knows no time and no numbers. `docs/circuit-breaker.md` shows what `diagram` draws; a test compares the two.
"""

from __future__ import annotations

CLOSED, OPEN, HALF_OPEN = "closed", "open", "half-open"

ANSWERED = "answered"
FAILED = "failed"
CANCELLED = "cancelled"
LIMIT_REACHED = "limit reached"
PROBE_LENT = "probe lent"
PROBE_ANSWERED = "probe answered"
PROBE_FAILED = "probe failed"
PROBE_CANCELLED = "probe cancelled"
OVERTAKEN = "overtaken"
"""The outcome of an attempt that began before the last change of state: it tells of a time that is over."""

COUNT_ANSWER = "count answer"
COUNT_FAILURE = "count failure"
REST = "rest"
LEND_PROBE = "lend probe"
TAKE_BACK_PROBE = "take back probe"
START_AFRESH = "start afresh"

TABLE: dict[tuple[str, str], tuple[str, tuple[str, ...]]] = {
    (CLOSED, ANSWERED): (CLOSED, (COUNT_ANSWER,)),
    (CLOSED, FAILED): (CLOSED, (COUNT_FAILURE,)),
    (CLOSED, CANCELLED): (CLOSED, ()),
    (CLOSED, OVERTAKEN): (CLOSED, ()),
    (CLOSED, LIMIT_REACHED): (OPEN, (REST,)),
    (OPEN, OVERTAKEN): (OPEN, ()),
    (OPEN, PROBE_LENT): (HALF_OPEN, (LEND_PROBE,)),
    (HALF_OPEN, OVERTAKEN): (HALF_OPEN, ()),
    (HALF_OPEN, PROBE_LENT): (HALF_OPEN, (LEND_PROBE,)),
    (HALF_OPEN, PROBE_CANCELLED): (HALF_OPEN, (TAKE_BACK_PROBE,)),
    (HALF_OPEN, PROBE_FAILED): (OPEN, (COUNT_FAILURE, REST)),
    (HALF_OPEN, PROBE_ANSWERED): (CLOSED, (START_AFRESH,)),
}
"""(state, event) to (next state, actions in order). An event without an entry is an error."""


class IllegalEventError(Exception):
    """An event arrived in a state that has no entry for it: a defect in this program, not in the target."""


def step(state: str, event: str) -> tuple[str, tuple[str, ...]]:
    """The next state and the actions on the way there. Raises `IllegalEventError`."""
    try:
        return TABLE[state, event]
    except KeyError:
        raise IllegalEventError(f"{event!r} cannot happen while {state!r}") from None


def _arrow(before: str, event: str) -> str:
    after, actions = TABLE[before, event]
    label = f"{event} / {', '.join(actions)}" if actions else event
    return f"    {_id(before)} --> {_id(after)}: {label}"


def _id(state: str) -> str:
    return state.replace("-", "_")


def diagram() -> str:
    """The table as a Mermaid state diagram, each arrow labelled "event / actions"."""
    names = [f'    state "{state}" as {_id(state)}' for state in (CLOSED, OPEN, HALF_OPEN)]
    arrows = [_arrow(state, event) for state, event in TABLE]
    return "\n".join(["stateDiagram-v2", *names, f"    [*] --> {_id(CLOSED)}", *arrows]) + "\n"
