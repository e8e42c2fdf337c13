"""The exchange: one request and its answer on their way through the gateway, and the record of both.

Knows its two sides only as `IDownstream` and `IUpstream`; no sockets, routes, services or configuration.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from apigateway.errors import Cause, GatewayError
from apigateway.http.answers import Answer
from apigateway.http.dates import with_date
from apigateway.http.heads import RequestHead
from apigateway.http.lines import join_lines
from apigateway.http.problems import problem

if TYPE_CHECKING:
    from apigateway.interfaces import Fields, IDownstream, IUpstream


class Exchange:
    """One request and its answer.

    Times are seconds of the monotonic clock, 0.0 where the step was not reached: `started` (the head was complete),
    `sent` (the head went to the target), `answered` (the head of the answer was there), `ended`. Sizes are bytes of
    bodies. `client` is the address that limits and logs use, `peer` the other end of the connection. `trusted` says
    that the peer is one of the trusted proxies. `extra` holds fields that any answer to this exchange must carry;
    `max_body` bounds the request body while it streams, in bytes. `hedged`: a second attempt was made beside the first.
    """

    __slots__ = (
        "head", "downstream", "upstream", "observe", "snapshot",
        "peer", "client", "trusted", "secure", "request_id", "extra",
        "max_body", "route", "service", "target", "status", "cause", "fallback", "hedged",
        "started", "sent", "answered", "ended", "attempts", "bytes_in", "bytes_out",
    )  # fmt: skip

    def __init__(
        self,
        head: RequestHead,
        downstream: IDownstream,
        peer: str,
        secure: bool,
        started: float,
        observe: Callable[[Exchange], None],
    ) -> None:
        self.head = head
        self.downstream = downstream
        self.upstream: IUpstream | None = None
        self.observe = observe
        self.snapshot: Any = None
        self.peer = self.client = peer
        self.trusted = False
        self.secure = secure
        self.request_id = b""
        self.extra: Fields = []
        self.max_body: int | None = None
        self.route = self.service = self.target = ""
        self.status = 0
        self.cause: Cause | None = None
        self.fallback = self.hedged = False
        self.started = started
        self.sent = self.answered = self.ended = 0.0
        self.attempts = self.bytes_in = self.bytes_out = 0

    def answer(self, answer: Answer) -> None:
        """Answer with what the gateway itself has to say."""
        self.status = answer.status
        self.bytes_out = 0 if self.head.method == b"HEAD" else len(answer.body)
        downstream = self.downstream
        lines = join_lines([*answer.fields, *self.extra, (b"X-Request-Id", self.request_id)])
        downstream.send_whole(answer.status, answer.reason, with_date(lines, self.started), answer.body)

    def fail(self, error: GatewayError) -> None:
        """Answer with the problem, or cut an answer that has already begun."""
        self.cause = error.cause
        if self.status:
            self.downstream.abort()
        else:
            answer = problem(error, self.head, self.request_id)
            # A policy may have said the same for every answer: fields of security, say.
            answer.fields = [field for field in answer.fields if field not in self.extra]
            self.answer(answer)

    def let_go(self) -> None:
        """The client is gone, or its request turned out to be broken: whatever works on an answer stops."""
        upstream, self.upstream = self.upstream, None
        if upstream is not None:
            upstream.client_gone()

    def break_off(self, error: GatewayError) -> None:
        """Nobody works on an answer any more; the client gets the problem, or a cut."""
        self.let_go()
        self.fail(error)

    def end(self, now: float) -> None:
        """Called once by the downstream side when all is over: the record is final, both sides are let go."""
        self.ended = now
        self.upstream = None
        self.observe(self)
