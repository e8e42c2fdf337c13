"""The client's side of an exchange as a double: records the answer, plays the client's request body.

Knows no sockets and no reactor. What was sent but not flushed is not recorded yet, as a client would not see it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from apigateway.errors import CLIENT_GONE
from apigateway.http.lines import split_lines
from apigateway.interfaces import IDownstream

if TYPE_CHECKING:
    from apigateway.exchange import Exchange
    from apigateway.interfaces import Fields, IAttempt

_WITHOUT_BODY = (204, 304)


@implementer(IDownstream)
class RecordingDownstream:
    """Records the answer to one exchange.

    `status` (0: none yet), `reason`, `fields`, `length`, `body` and `trailers` are the answer as far as it was flushed,
    `interim` the 1xx answers before it as (status, fields); `is_finished` or `is_aborted` tells how it ended. Then
    the exchange is ended too, at `now()`. `continued` says that the client was told to send its body, `is_open` that
    it was asked for, `is_paused` that no more of it is wanted for now. `is_whole` and `untaken` are its `progress`, as
    the test says. `was_offered`: another protocol was, which it `can_switch` to; `switched` is what it was given then.

    Calls in an order that no client could be sent (a body before its head, two heads, more after the end) raise
    `AssertionError`.
    """

    def __init__(self, now: Callable[[], float] = lambda: 0.0) -> None:
        self.exchange: Exchange | None = None
        self.interim: list[tuple[int, Fields]] = []
        self.status = 0
        self.reason = b""
        self.fields: Fields = []
        self.length: int | None = None
        self.body = b""
        self.trailers: Fields = []
        self.continued = self.is_open = self.is_paused = False
        self.is_finished = self.is_aborted = self.is_gone = False
        self.is_whole = True
        self.untaken = 0
        self.can_switch = True
        self.was_offered = False
        self.switched: tuple[IAttempt, Any] | None = None
        self._now = now
        self._sent_head = self._sent_end = False
        self._unflushed: list[Callable[[], None]] = []
        self._arrived: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        ends = [name for name in ("finished", "aborted", "gone") if getattr(self, "is_" + name)]
        kept = f" unflushed={len(self._unflushed)}" if self._unflushed else ""
        return f"<RecordingDownstream {self.status} body={len(self.body)} {' '.join(ends) or 'running'}{kept}>"

    def get(self, name: bytes) -> bytes | None:
        """The first value of a field of the answer, whatever its spelling; None if it isn't there."""
        return next((value for key, value in self.fields if key.lower() == name.lower()), None)

    # What the client does.

    def arrive(self, *pieces: bytes) -> None:
        """Pieces of the request body arrive; they wait until the body is open and not paused."""
        self._arrived.extend(partial(self._deliver, piece) for piece in pieces)
        self._pass_on()

    def arrive_end(self, trailers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """The request body is complete."""
        self._arrived.append(partial(self._deliver_end, list(trailers)))
        self._pass_on()

    def read_slowly(self) -> None:
        """The client takes no more of the answer for now."""
        if self.exchange and self.exchange.upstream:
            self.exchange.upstream.pause()

    def read_again(self) -> None:
        """The client takes the answer again."""
        if self.exchange and self.exchange.upstream:
            self.exchange.upstream.resume()

    def leave(self) -> None:
        """The client goes away: its exchange is over, and what is still sent to it is lost."""
        self.is_gone = True
        exchange = self.exchange
        if exchange:
            upstream, exchange.upstream = exchange.upstream, None
            if upstream:
                upstream.client_gone()
            exchange.cause = exchange.cause or CLIENT_GONE
            self._end_exchange()

    # IDownstream.

    def send_continue(self) -> None:
        self.continued = True

    def send_informational(self, status: int, fields: Fields) -> None:
        assert not self._sent_head, "an interim answer after the final head"
        self._unflushed.append(partial(self.interim.append, (status, list(fields))))

    def open_body(self) -> None:
        assert not self.is_open, "the request body is opened twice"
        self.is_open = True
        self._pass_on()

    def pause_body(self) -> None:
        self.is_paused = True

    def resume_body(self) -> None:
        self.is_paused = False
        self._pass_on()

    def send_head(self, status: int, reason: bytes, lines: bytes, length: int | None) -> None:
        assert not self._sent_head, "two final heads for one exchange"
        self._sent_head = True
        self._unflushed.append(partial(self._record_head, status, reason, split_lines(lines), length))

    def send_whole(self, status: int, reason: bytes, lines: bytes, body: bytes) -> None:
        self.send_head(status, reason, lines, len(body))
        self.send_body(body)
        self.finish([])
        self.flush()

    def send_body(self, data: bytes) -> None:
        assert self._sent_head, "a body before its head"
        assert not self._sent_end, "a body after its end"
        self._unflushed.append(partial(self._record_body, data))

    def finish(self, trailers: Fields) -> None:
        assert self._sent_head, "an end before the head"
        assert not self._sent_end, "two ends for one exchange"
        self._sent_end = True
        self._unflushed.append(partial(self._record_end, list(trailers)))

    def flush(self) -> None:
        unflushed, self._unflushed = self._unflushed, []
        if not self.is_aborted and not self.is_gone:
            for step in unflushed:
                step()

    def abort(self) -> None:
        self.flush()
        if not self.is_gone and not self.is_finished:
            self.is_aborted = True
            self._end_exchange()

    def offer_switch(self) -> bool:
        self.was_offered = self.can_switch
        return self.can_switch

    def switch(self, reason: bytes, lines: bytes, attempt: IAttempt, account: Any) -> None:
        assert self.was_offered, "a switch that was not offered"
        self.status, self.reason, self.fields = 101, reason, split_lines(lines)
        self.switched = (attempt, account)

    def progress(self) -> tuple[bool, int]:
        return self.is_whole, self.untaken

    # How it is recorded and delivered.

    def _record_head(self, status: int, reason: bytes, fields: Fields, length: int | None) -> None:
        self.status, self.reason, self.fields, self.length = status, reason, fields, length

    def _record_body(self, data: bytes) -> None:
        is_head = self.exchange is not None and self.exchange.head.method == b"HEAD"
        if not is_head and self.status not in _WITHOUT_BODY:
            self.body += data

    def _record_end(self, trailers: Fields) -> None:
        self.trailers = trailers
        self.is_finished = True
        self._end_exchange()

    def _end_exchange(self) -> None:
        exchange, self.exchange = self.exchange, None
        if exchange:
            exchange.end(self._now())

    def _pass_on(self) -> None:
        while self._arrived and self.is_open and not self.is_paused:
            self._arrived.pop(0)()

    def _deliver(self, piece: bytes) -> None:
        if self.exchange and self.exchange.upstream:
            self.exchange.upstream.body(piece)

    def _deliver_end(self, trailers: Fields) -> None:
        if self.exchange and self.exchange.upstream:
            self.exchange.upstream.body_end(trailers)
