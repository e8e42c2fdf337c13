"""How long each step of an attempt may take, and what is said where one takes longer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from apigateway.errors import CONNECT_TIMEOUT, IDLE_TIMEOUT, RESPONSE_TIMEOUT, TOTAL_TIMEOUT, Cause, GatewayError

if TYPE_CHECKING:
    from apigateway.exchange import Exchange
    from apigateway.upstream.steps.terms import Terms

NEVER = float("inf")
"""The deadline of a step that may take as long as it likes."""

_TOO_LATE = {
    CONNECT_TIMEOUT: "No connection to the service was to be had in time.",
    RESPONSE_TIMEOUT: "The service did not begin to answer in time.",
    TOTAL_TIMEOUT: "No attempt at the service was answered in the time that there is for all of them.",
    IDLE_TIMEOUT: "The service stopped in the middle of a body.",
}


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Seconds that each step of an attempt may take: to get a connection, to be answered, between two pieces.

    `event_stream` is what stands for `idle` in an answer that is a stream of events.
    """

    connection: float
    response: float
    idle: float
    event_stream: float = 300.0


def too_late(overdue: Cause) -> GatewayError:
    """The failure of a step that took longer; `overdue` is one of the four causes."""
    return GatewayError(overdue, _TOO_LATE[overdue])


def latest_of(terms: Terms, exchange: Exchange, now: float) -> float:
    """When the answer to an exchange that begins now must have begun; a trusted proxy may have said something earlier.

    Its time counts from the complete head of the request, wherever the exchange has been since.
    """
    latest = now + terms.total
    told_s = terms.deadline_field.told(exchange) if terms.deadline_field is not None else None
    return latest if told_s is None else min(latest, exchange.started + told_s)
