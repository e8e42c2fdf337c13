"""What can go wrong with an exchange: the causes, whose fault each is, and the answer it gets.

Knows no sockets, routes or services. `CAUSES` is the one table; `docs/errors.md` is held against it by a test.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Side(Enum):
    """Whose fault a failure is."""

    CLIENT = "client"
    GATEWAY = "gateway"
    TARGET = "target"


class Retry(Enum):
    """Whether another attempt may be made after a failure.

    `IF_REUSED`, the death of a connection, is as `ALWAYS`; and where that had been idle, the target may have closed it
    before it saw the request: then the first other attempt is made there, and costs no budget.
    """

    NEVER = "never"
    ALWAYS = "always"
    IF_REUSED = "if-reused"


@dataclass(frozen=True, slots=True)
class Cause:
    """A stable reason why the gateway itself answered, or cut, an exchange."""

    code: str
    status: int
    side: Side
    title: str
    retry: Retry = Retry.NEVER


CAUSES: dict[str, Cause] = {}


def _cause(code: str, status: int, side: Side, title: str, retry: Retry = Retry.NEVER) -> Cause:
    cause = CAUSES[code] = Cause(code, status, side, title, retry)
    return cause


BAD_REQUEST = _cause("bad-request", 400, Side.CLIENT, "The request is malformed")
AMBIGUOUS_PATH = _cause("ambiguous-path", 400, Side.CLIENT, "The path could be read in more than one way")
MISSING_HEADER = _cause("missing-header", 400, Side.CLIENT, "A required header is missing")
FORBIDDEN = _cause("forbidden", 403, Side.CLIENT, "This page is not for you")
NO_ROUTE = _cause("no-route", 404, Side.CLIENT, "No service answers at this path")
METHOD_NOT_ALLOWED = _cause("method-not-allowed", 405, Side.CLIENT, "The method is not allowed here")
REQUEST_TIMEOUT = _cause("request-timeout", 408, Side.CLIENT, "The request did not arrive in time")
BODY_TOO_LARGE = _cause("body-too-large", 413, Side.CLIENT, "The request body is too large")
URI_TOO_LONG = _cause("uri-too-long", 414, Side.CLIENT, "The request target is too long")
UNSUPPORTED_MEDIA_TYPE = _cause("unsupported-media-type", 415, Side.CLIENT, "The content type is not accepted here")
EXPECTATION_FAILED = _cause("expectation-failed", 417, Side.CLIENT, "The expectation cannot be met")
CONFIGURATION_REFUSED = _cause("configuration-refused", 422, Side.CLIENT, "The configuration cannot be used")
RATE_LIMITED = _cause("rate-limited", 429, Side.CLIENT, "Too many requests")
CLIENT_TOO_SLOW = _cause("client-too-slow", 408, Side.CLIENT, "The client is too slow")
HEAD_TOO_LARGE = _cause("head-too-large", 431, Side.CLIENT, "The request head is too large")
CLIENT_GONE = _cause("client-gone", 499, Side.CLIENT, "The client went away")
INTERNAL_ERROR = _cause("internal-error", 500, Side.GATEWAY, "The gateway failed")
CONNECT_FAILED = _cause("connect-failed", 502, Side.TARGET, "The service cannot be reached", Retry.ALWAYS)
NAME_NOT_RESOLVED = _cause(
    "name-not-resolved", 502, Side.TARGET, "The name of the service cannot be resolved", Retry.ALWAYS
)
TLS_UNTRUSTED = _cause("tls-untrusted", 502, Side.TARGET, "The certificate of the service is not trusted", Retry.ALWAYS)
TLS_FAILED = _cause("tls-failed", 502, Side.TARGET, "No TLS could be spoken with the service", Retry.ALWAYS)
CONNECTION_LOST = _cause("connection-lost", 502, Side.TARGET, "The service closed the connection", Retry.IF_REUSED)
BAD_RESPONSE = _cause("bad-response", 502, Side.TARGET, "The service answered with something that is not HTTP")
BREAKER_OPEN = _cause("breaker-open", 503, Side.TARGET, "The service is failing and is given time to recover")
NO_TARGETS = _cause("no-targets", 503, Side.TARGET, "The service has no targets at present")
NO_DESCRIPTORS = _cause("no-descriptors", 503, Side.GATEWAY, "The gateway can open no further connection")
POOL_EXHAUSTED = _cause("pool-exhausted", 503, Side.GATEWAY, "All connections to the service are busy")
SERVICE_OVERLOADED = _cause("service-overloaded", 503, Side.GATEWAY, "The service has all the work that it may have")
OVERLOADED = _cause("overloaded", 503, Side.GATEWAY, "The gateway has more to do than it can do in time")
STOPPING = _cause("stopping", 503, Side.GATEWAY, "The gateway is stopping")
CONNECT_TIMEOUT = _cause(
    "connect-timeout", 504, Side.TARGET, "The service could not be connected to in time", Retry.ALWAYS
)
RESPONSE_TIMEOUT = _cause("response-timeout", 504, Side.TARGET, "The service did not answer in time")
TOTAL_TIMEOUT = _cause("total-timeout", 504, Side.TARGET, "The service did not answer in time, all attempts together")
IDLE_TIMEOUT = _cause("idle-timeout", 504, Side.TARGET, "The service stopped in the middle of a body")


class GatewayError(Exception):
    """A failure of one exchange or attempt: its cause, and a sentence about this very case.

    `retry_after_s` and `fields` go into the answer, where one is still possible.
    """

    def __init__(
        self,
        cause: Cause,
        detail: str = "",
        retry_after_s: int | None = None,
        fields: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        super().__init__(cause.code, detail)
        self.cause = cause
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.fields = fields


def unforeseen_error() -> GatewayError:
    """What a failure that nobody foresaw is to a client: it tells nothing of it, the log does."""
    return GatewayError(INTERNAL_ERROR, "Something unforeseen went wrong; the log tells more.")
