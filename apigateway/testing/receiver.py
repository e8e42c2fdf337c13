"""The receiver of an attempt as a double: records what a transport tells it, and refuses what it must not be told."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from zope.interface import implementer

from apigateway.errors import GatewayError
from apigateway.http.lines import split_lines
from apigateway.interfaces import IAttemptReceiver
from apigateway.testing.exchanges import exchange_for

if TYPE_CHECKING:
    from apigateway.exchange import Exchange
    from apigateway.interfaces import Fields, IAttempt


@implementer(IAttemptReceiver)
class RecordingReceiver:
    """Records one lease and its attempt.

    `attempt` is the leased one (None: not yet); `status` (0: none yet), `reason`, `fields`, `length`, `body` and
    `trailers` are the answer, `interim` the 1xx answers as (status, fields). `is_writable` says that the target takes
    the request body. `is_ended`, or the `error`, tells how it ended. `events` are the names of the calls in their
    order, the same name in a row once. `exchange` is some GET unless it is given, and `deadline` as the test says;
    `stopped` is the error that the exchange was ended with, if it was: the attempt is cancelled then. `switched_to` is
    the protocol to which the service has switched; `when_switched` gets the attempt then, and cancels it by default.

    `when_leased` is called with the attempt, so that a test can start it at once. Calls in an impossible order (a body
    before its head, anything after the end) and errors that are no `GatewayError` raise `AssertionError`.
    """

    def __init__(self, when_leased: Callable[[IAttempt], None] | None = None, exchange: Exchange | None = None) -> None:
        self.attempt: IAttempt | None = None
        self.interim: list[tuple[int, Fields]] = []
        self.status = 0
        self.reason = b""
        self.fields: Fields = []
        self.length: int | None = None
        self.body = b""
        self.trailers: Fields = []
        self.is_writable = True
        self.is_ended = False
        self.error: GatewayError | None = None
        self.stopped: GatewayError | None = None
        self.exchange = exchange or exchange_for()
        self.deadline = 0.0
        self.events: list[str] = []
        self._when_leased = when_leased

        self.switched_to = b""
        self.when_switched: Callable[[IAttempt], None] = lambda attempt: attempt.cancel()

    def __repr__(self) -> str:
        state = "waiting" if self.attempt is None else "running"
        if self.is_ended:
            state = "ended"
        if self.error:
            state = f"failed {self.error.cause.code}"
        return f"<RecordingReceiver {state} {self.status} body={len(self.body)}>"

    def get(self, name: bytes) -> bytes | None:
        """The first value of a field of the answer, whatever its spelling; None if it isn't there."""
        return next((value for key, value in self.fields if key.lower() == name.lower()), None)

    @property
    def cause(self) -> str | None:
        """The code of the cause of the failure; None where there was none."""
        return self.error.cause.code if self.error else None

    # IAttemptReceiver.

    def leased(self, attempt: IAttempt) -> None:
        assert self.attempt is None, "leased twice"
        self._told("leased")
        self.attempt = attempt
        if self._when_leased:
            self._when_leased(attempt)

    def stop(self, error: Exception) -> None:
        self._told("stop")
        assert isinstance(error, GatewayError), f"{error!r} was not converted"
        self.stopped = error
        if self.attempt is not None:
            self.attempt.cancel()

    def informational(self, status: int, fields: Fields) -> None:
        assert not self.status, "an interim answer after the final head"
        self._told("informational")
        self.interim.append((status, list(fields)))

    def head(self, status: int, reason: bytes, lines: bytes, length: int | None) -> None:
        assert self.attempt is not None, "an answer without a lease"
        assert not self.status, "two final heads for one attempt"
        self._told("head")
        self.status, self.reason, self.fields, self.length = status, reason, split_lines(lines), length

    def whole(self, status: int, reason: bytes, lines: bytes, body: bytes) -> None:
        self.head(status, reason, lines, len(body))
        if body:
            self.data(body)
        self.end([])
        self.flush()

    def switched(self, protocol: bytes, reason: bytes, lines: bytes) -> None:
        assert self.attempt is not None, "an answer without a lease"
        self._told("switched")
        self.switched_to, self.reason, self.fields = protocol, reason, split_lines(lines)
        self.is_ended = True
        self.when_switched(self.attempt)

    def data(self, data: bytes) -> None:
        assert self.status, "a body before its head"
        self._told("data")
        self.body += data

    def end(self, trailers: Fields) -> None:
        assert self.status, "an end before the head"
        self._told("end")
        self.trailers = list(trailers)
        self.is_ended = True

    def flush(self) -> None:
        self._record("flush")

    def writable(self, is_writable: bool) -> None:
        self._told("writable" if is_writable else "not writable")
        self.is_writable = is_writable

    def failed(self, error: Exception) -> None:
        self._told("failed")
        assert isinstance(error, GatewayError), f"{error!r} was not converted"
        self.error = error

    def _told(self, event: str) -> None:
        is_over = self.is_ended or self.error is not None or self.stopped is not None
        assert not is_over, f"{event!r} after the attempt was over"
        self._record(event)

    def _record(self, event: str) -> None:
        if self.events[-1:] != [event]:
            self.events.append(event)
