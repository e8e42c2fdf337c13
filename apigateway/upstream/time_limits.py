"""How long each step of an attempt may take, and what is said where one takes longer."""

from __future__ import annotations

from dataclasses import dataclass

from apigateway.errors import CONNECT_TIMEOUT, IDLE_TIMEOUT, RESPONSE_TIMEOUT, Cause, GatewayError

NEVER = float("inf")
"""The deadline of a step that may take as long as it likes."""

_TOO_LATE = {
    CONNECT_TIMEOUT: "No connection to the service was to be had in time.",
    RESPONSE_TIMEOUT: "The service did not begin to answer in time.",
    IDLE_TIMEOUT: "The service stopped in the middle of a body.",
}


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Seconds that each step of an attempt may take: to get a connection, to be answered, between two pieces."""

    connection: float
    response: float
    idle: float


def too_late(overdue: Cause) -> GatewayError:
    """The failure of a step that took longer; `overdue` is one of the three causes."""
    return GatewayError(overdue, _TOO_LATE[overdue])
