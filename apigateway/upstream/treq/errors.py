"""What Twisted reports as failures, as the gateway's own errors. No address appears in a detail: clients read those."""

from __future__ import annotations

from collections.abc import Iterator

from twisted.internet import defer, error
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import RequestGenerationFailed

from apigateway.errors import (
    BAD_RESPONSE,
    CONNECT_FAILED,
    CONNECT_TIMEOUT,
    CONNECTION_LOST,
    INTERNAL_ERROR,
    NAME_NOT_RESOLVED,
    Cause,
    GatewayError,
)
from apigateway.upstream.dialing.dial import Explain, nothing_more, own_fault

_log = Logger()

# The first entry that fits counts. A ValueError is what an endpoint makes of a host that can be no name.
_CONNECTING: tuple[tuple[tuple[type[BaseException], ...], Cause, str], ...] = (
    (
        (error.TimeoutError, error.TCPTimedOutError, defer.TimeoutError),
        CONNECT_TIMEOUT,
        "The service did not take the connection in time.",
    ),
    (
        (error.DNSLookupError, error.UnknownHostError, ValueError),
        NAME_NOT_RESOLVED,
        "The name of the service is not known.",
    ),
    ((error.ConnectionRefusedError,), CONNECT_FAILED, "The service refused the connection."),
    ((error.ConnectionClosed,), CONNECT_FAILED, "The service closed the connection at once."),
    ((error.ConnectError, OSError), CONNECT_FAILED, "The service could not be connected to."),
)


def connect_error(failure: Failure) -> GatewayError:
    """Why there is no connection."""
    if isinstance(failure.value, GatewayError):
        return failure.value
    ours = own_fault(failure.value)
    if ours is not None:
        return ours
    for kinds, cause, detail in _CONNECTING:
        if failure.check(*kinds):
            return GatewayError(cause, detail)
    return _unexpected(failure)


def exchange_error(failure: Failure, answering: bool, refusal: Explain = nothing_more) -> GatewayError:
    """Why the exchange on a connection failed.

    `answering` says that the head of the answer had arrived; `refusal` knows better where TLS was refused.
    """
    if isinstance(failure.value, GatewayError):
        return failure.value
    if not failure.check(RequestGenerationFailed):
        causes = list(_causes(failure))
        lost = next((cause for cause in causes if isinstance(cause, error.ConnectionClosed)), None)
        if lost is not None:
            when = "in the middle of its answer" if answering else "before it answered"
            return refusal(lost) or GatewayError(CONNECTION_LOST, f"The service closed the connection {when}.")
        if all(type(cause).__module__.startswith("twisted.web.") for cause in causes):
            return GatewayError(BAD_RESPONSE, "The framing of the answer is broken.")
    return _unexpected(failure)


def _causes(failure: Failure) -> Iterator[BaseException | None]:
    """The exceptions at the bottom; Twisted wraps them in lists of reasons."""
    reasons = getattr(failure.value, "reasons", None)
    if not reasons:
        yield failure.value
        return
    for reason in reasons:
        yield from _causes(reason)


def _unexpected(failure: Failure) -> GatewayError:
    _log.failure("an attempt through treq failed in a way that is not the service's", failure)
    return GatewayError(INTERNAL_ERROR, "The gateway failed while it spoke with the service.")
