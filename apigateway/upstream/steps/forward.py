"""The steps of an exchange at a service: choose a target, lease, send, receive, and again where that is safe.

Stands between the exchange's client side, which it answers, and one attempt after the other. Knows no policies and no
routes beyond the `ForwardPlan`, and no transport beyond `ITransport`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from apigateway.errors import BODY_TOO_LARGE, CONNECT_TIMEOUT, IDLE_TIMEOUT, RESPONSE_TIMEOUT, Cause, GatewayError
from apigateway.exchange import Exchange
from apigateway.http.fields import response_fields
from apigateway.interfaces import Fields, IAttempt, IAttemptReceiver, IUpstream
from apigateway.upstream.steps.again import Again
from apigateway.upstream.steps.choice import pick
from apigateway.upstream.steps.fallback import can_fall_back, fall_back
from apigateway.upstream.steps.further import ask_again, cancel, expire, give_body, total_time, try_again
from apigateway.upstream.steps.nobody import GONE, finish_for_nobody
from apigateway.upstream.steps.plan import ForwardPlan, unforeseen
from apigateway.upstream.steps.switching import offer_lines, switch
from apigateway.upstream.steps.time_limits import NEVER

if TYPE_CHECKING:
    from apigateway.upstream.service import Service
    from apigateway.upstream.target import Target


@implementer(IUpstream, IAttemptReceiver)
class Forward:
    """One exchange at one service, on `terms`.

    `deadline` is when the present step has taken too long, by `overdue`; `latest` when all attempts together have,
    until an answer begins.
    """

    __slots__ = (
        "exchange", "deadline", "latest", "overdue", "terms", "target", "service", "_plan", "again", "permit",
        "attempt", "body_asked", "body_touched", "request_received", "_starting", "held",
    )  # fmt: skip

    def __init__(self, service: Service, exchange: Exchange, plan: ForwardPlan, body_asked: bool = False) -> None:
        self.exchange = exchange
        self.deadline = self.latest = NEVER
        self.overdue: Cause = CONNECT_TIMEOUT
        # What stands in for a service has terms of its own.
        self.terms = service.terms if plan.terms is None or exchange.fallback else plan.terms
        self.target: Target | None = None
        self.service = service
        self._plan = plan
        self.again: Again | None = None
        self.attempt: IAttempt | None = None
        self.permit = 0
        self.body_asked = body_asked
        self.body_touched = self._starting = self.held = False
        self.request_received = not exchange.head.length

    def __repr__(self) -> str:
        return f"<Forward {self.service.name} {self.target} attempts={self.exchange.attempts}>"

    def begin(self) -> None:
        """Make the first attempt."""
        service, exchange = self.service, self.exchange
        exchange.upstream = self
        exchange.service = service.name
        if len(service.active) >= service.max_in_flight and not service.makes_room(self):
            self.give_up(service.overloaded())
            return
        service.active.add(self)
        service.everyone.add(self)
        # A fallback begins when another service has failed, which may have taken long.
        now = service.now() if exchange.fallback else exchange.started
        service.begun += 1
        if self.terms.is_timed and not total_time(self, now):
            return
        found = pick(service.balancer, exchange, now)
        if found is None:
            self.give_up(service.refusal(now))
        else:
            target, permit = found
            self.lease(target, permit, now, False)

    # Attempts, one after the other.

    def lease(self, target: Target, permit: int, now: float, fresh: bool) -> None:
        """Begin an attempt at a target; `permit` is its breaker's."""
        exchange = self.exchange
        exchange.attempts += 1
        exchange.target = target.url
        target.attempts += 1
        target.in_flight += 1
        self.target = target
        self.permit = permit
        if self.body_asked and not self.request_received:
            # What arrives now is for this attempt, and there is nobody yet to take it.
            exchange.downstream.pause_body()
        self.overdue = CONNECT_TIMEOUT
        self.deadline = now + self.terms.limits.connection
        target.transport.lease(self, fresh)

    def leased(self, attempt: IAttempt) -> None:
        """See `IAttemptReceiver.leased`."""
        self.attempt = attempt
        exchange, plan, target, terms = self.exchange, self._plan, self.target, self.terms
        assert target is not None
        head = exchange.head
        try:
            path, lines = plan.target(head), plan.request_lines(exchange, target.host)
        except Exception:
            # A policy has left a head that can't be written.
            self.stop(unforeseen(exchange, "the request can't be sent on"))
            return
        if terms.deadline_field is not None:
            lines = terms.deadline_field.written(lines, min(self.latest - self.service.now(), terms.limits.response))
        if b"upgrade" in head.special:
            lines += offer_lines(exchange, plan, attempt)
        attempt.start(head.method, path, lines, head.length)
        exchange.sent = now = self.service.now()
        self.overdue = RESPONSE_TIMEOUT
        if head.length:
            # As long as the request is arriving, its client is the one to hurry.
            self.deadline = NEVER
            self._starting = True
            give_body(self, attempt)
            self._starting = False
            if self.attempt is attempt:
                attempt.flush()
        else:
            self.deadline = now + terms.limits.response

    def remember(self) -> Again:
        """What is needed for another attempt; kept from now on."""
        if self.again is None:
            self.again = Again(self.terms.retries)
        return self.again

    def over(self, error: GatewayError | None, now: float) -> None:
        """The attempt is over: the target's account of it is settled."""
        target, self.target = self.target, None
        attempt, self.attempt = self.attempt, None
        if target is not None:
            if target.latency is not None and attempt is not None:  # otherwise it was another that was `sent`
                target.latency.attempt_over(self.exchange.sent, self.exchange.answered, now)
            target.over(self.permit, error, now)

    def failed(self, error: Exception) -> None:
        """See `IAttemptReceiver.failed`: try again where that is safe, or give up."""
        if not isinstance(error, GatewayError):
            raise error
        now = self.service.now()
        if not try_again(self, error, now):
            self.over(error, now)
            self.give_up(error)

    def give_up(self, error: GatewayError) -> None:
        """Answer with what stands in for the service, or with the error."""
        exchange = self.exchange
        self._leave()
        if not exchange.status and can_fall_back(
            self.service.fallback, exchange, error.cause.status, self.body_touched
        ):
            exchange.cause = error.cause
            fall_back(self.service.fallback, exchange, self._plan, self.body_asked)
        else:
            exchange.fail(error)

    def _leave(self) -> None:
        self.deadline = self.latest = NEVER
        self.service.active.discard(self)
        self.service.everyone.discard(self)
        if self.terms.is_timed:
            self.service.bulkhead.timed.discard(self)

    def expired(self) -> None:
        """The present step has taken too long, or all of them together."""
        expire(self, self.service.now())

    # The client's side: see `IUpstream`.

    def body(self, data: bytes) -> None:
        """See `IUpstream.body`."""
        exchange, attempt = self.exchange, self.attempt
        self.body_touched = True
        exchange.bytes_in += len(data)
        if self.again is not None:
            self.again.keep(data)
        if exchange.max_body is not None and exchange.bytes_in > exchange.max_body:
            self.stop(GatewayError(BODY_TOO_LARGE, f"At most {exchange.max_body} bytes are taken."))
        elif attempt is not None:
            attempt.body(data)
            if not self._starting:
                attempt.flush()
            self._starting = False  # the head leaves with the first piece, and with no more than that

    def body_end(self, trailers: Fields) -> None:
        """See `IUpstream.body_end`."""
        self.request_received = self.body_touched = True
        attempt, again = self.attempt, self.again
        trailers = self._plan.request_trailers(trailers) if trailers else trailers
        if again is not None:
            again.keep_end(trailers)
        if attempt is None:
            return
        if not self.held:
            self.await_more()
        attempt.body_end(trailers)
        attempt.flush()

    def stop(self, error: GatewayError) -> None:
        """See `IAttemptReceiver.stop`."""
        self.abandon(error)
        self.exchange.fail(error)

    def pause(self) -> None:
        """See `IUpstream.pause`; from now on it is the client who keeps the answer waiting."""
        if self.attempt is not None:
            self.held = True
            self.attempt.pause()
            if self.request_received:
                self.deadline = NEVER

    def resume(self) -> None:
        """See `IUpstream.resume`."""
        if self.attempt is not None:
            self.held = False
            self.attempt.resume()
            self.await_more()

    def client_gone(self) -> None:
        """See `IUpstream.client_gone`."""
        if self.service.finish_abandoned and self.request_received:
            finish_for_nobody(self)
        else:
            self.abandon()

    def abandon(self, error: GatewayError | None = None) -> None:
        """Let go of everything, and answer nothing; without an error it is not the target's fault."""
        now = self.service.now()
        self._leave()
        cancel(self, now)
        self.over(error or GONE, now)

    # The target's side: see `IAttemptReceiver`.

    def writable(self, is_writable: bool) -> None:
        """See `IAttemptReceiver.writable`."""
        if self.request_received:
            return
        if is_writable:
            self.deadline = NEVER
            self.exchange.downstream.resume_body()
        else:
            self.overdue = IDLE_TIMEOUT
            self.deadline = self.service.now() + self.terms.limits.idle
            self.exchange.downstream.pause_body()

    def informational(self, status: int, fields: Fields) -> None:
        """See `IAttemptReceiver.informational`."""
        if not self.exchange.status:
            self.exchange.downstream.send_informational(status, response_fields(fields))

    def head(self, status: int, reason: bytes, lines: bytes, length: int | None) -> None:
        """See `IAttemptReceiver.head`."""
        exchange, now = self.exchange, self.service.now()
        if status >= 400 and status in self.terms.statuses and ask_again(self, status, lines, self.attempt, now):
            return
        exchange.answered = now
        self.latest = NEVER
        if self.again is not None:
            self.again.kept = None
        self._settle(status, now)
        if status >= 500 and can_fall_back(self.service.fallback, exchange, status, self.body_touched):
            self.abandon()
            fall_back(self.service.fallback, exchange, self._plan, self.body_asked)
            return
        try:
            answer = self._plan.answer(exchange, status, reason, lines, length, now)
        except GatewayError as error:
            self.stop(error)
            return
        exchange.status = answer[0]
        if b"event-stream" in lines.lower():
            self.terms = self.terms.while_answered(lines)
        exchange.downstream.send_head(*answer)

    def whole(self, status: int, reason: bytes, lines: bytes, body: bytes) -> None:
        """See `IAttemptReceiver.whole`."""
        exchange, now = self.exchange, self.service.now()
        if status >= 400 and status in self.terms.statuses and ask_again(self, status, lines, None, now):
            return
        exchange.answered = now
        self.over(None, now)
        self._leave()
        try:
            status, reason, lines, _ = self._plan.answer(exchange, status, reason, lines, len(body), now)
        except GatewayError as error:
            exchange.fail(error)
            return
        exchange.status = status
        exchange.bytes_out += len(body)
        exchange.downstream.send_whole(status, reason, lines, body)

    def switched(self, protocol: bytes, reason: bytes, lines: bytes) -> None:
        """See `IAttemptReceiver.switched`."""
        self._leave()
        switch(self, self._plan, protocol, reason, lines)

    def _settle(self, status: int, now: float) -> None:
        """A failure counts at once; and a long answer must not keep a recovering target waiting for its verdict."""
        target = self.target
        if target is not None and (status >= 500 or self.permit):
            self.permit = target.answered(self.permit, status, now)

    def data(self, data: bytes) -> None:
        """See `IAttemptReceiver.data`."""
        if self.attempt is not None:
            self.exchange.bytes_out += len(data)
            self.exchange.downstream.send_body(data)

    def end(self, trailers: Fields) -> None:
        """See `IAttemptReceiver.end`."""
        self.over(None, self.exchange.answered)
        self._leave()
        self.exchange.downstream.finish(self._plan.answer_trailers(trailers) if trailers else trailers)

    def flush(self) -> None:
        """See `IAttemptReceiver.flush`."""
        if self.attempt is not None and self.exchange.status and not self.held:
            self.await_more()
        self.exchange.downstream.flush()

    def await_more(self) -> None:
        """The next piece of the answer is due; but while the request is on its way, its two ends see to time."""
        if self.request_received:
            limits, is_answered = self.terms.limits, self.exchange.status
            self.overdue = IDLE_TIMEOUT if is_answered else RESPONSE_TIMEOUT
            self.deadline = self.service.now() + (limits.idle if is_answered else limits.response)
