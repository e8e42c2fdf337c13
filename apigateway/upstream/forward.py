"""The steps of an exchange at a service: choose a target, lease, send, receive, and again where that is safe.

Stands between the exchange's client side, which it answers, and one attempt after the other. Knows no policies and no
routes beyond the `ForwardPlan`, and no transport beyond `ITransport`.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

from zope.interface import implementer

from apigateway.errors import BODY_TOO_LARGE, CONNECT_TIMEOUT, IDLE_TIMEOUT, RESPONSE_TIMEOUT, Cause, GatewayError
from apigateway.exchange import Exchange
from apigateway.http.fields import response_fields
from apigateway.interfaces import Fields, IAttempt, IAttemptReceiver, IUpstream
from apigateway.upstream.fallback import can_fall_back, fall_back
from apigateway.upstream.nobody import GONE, NOBODY
from apigateway.upstream.plan import ForwardPlan, unforeseen
from apigateway.upstream.retry import may_repeat
from apigateway.upstream.time_limits import NEVER, too_late

if TYPE_CHECKING:
    from apigateway.upstream.service import Service
    from apigateway.upstream.target import Target


@implementer(IUpstream, IAttemptReceiver)
class Forward:
    """One exchange at one service. `deadline` is when the present step has taken too long, by `overdue`."""

    __slots__ = (
        "exchange", "deadline", "overdue", "_service", "_plan", "_tried", "_target", "_permit", "_attempt",
        "_body_asked", "_body_touched", "_request_received", "_repeated", "_retries_left", "_starting", "_held",
    )  # fmt: skip

    def __init__(self, service: Service, exchange: Exchange, plan: ForwardPlan, body_asked: bool = False) -> None:
        self.exchange = exchange
        self.deadline = NEVER
        self.overdue: Cause = CONNECT_TIMEOUT
        self._service = service
        self._plan = plan
        self._target: Target | None = None
        self._tried: tuple[Target, ...] = ()
        self._attempt: IAttempt | None = None
        self._permit = 0
        self._retries_left = service.retries
        self._body_asked = body_asked
        self._body_touched = self._repeated = self._starting = self._held = False
        self._request_received = not exchange.head.length

    def __repr__(self) -> str:
        return f"<Forward {self._service.name} {self._target} attempts={self.exchange.attempts}>"

    def begin(self) -> None:
        """Make the first attempt."""
        service, exchange = self._service, self.exchange
        exchange.upstream = self
        exchange.service = service.name
        if len(service.active) >= service.max_in_flight and not service.makes_room(self):
            self._give_up(service.overloaded())
            return
        service.active.add(self)
        service.everyone.add(self)
        # A fallback begins when another service has failed, which may have taken long.
        now = service.now() if exchange.fallback else exchange.started
        if service.repeats:
            service.budget.deposit(now)
        if not self._lease_next(now):
            self._give_up(service.refusal(now))

    # Attempts, one after the other.

    def _lease_next(self, now: float) -> bool:
        exchange, balancer = self.exchange, self._service.balancer
        while True:
            target = balancer.pick(exchange, now, self._tried)
            if target is None:
                return False
            permit = target.breaker.allows(now) if target.breaker is not None else 1
            if permit:
                self._lease(target, permit, now, False)
                return True
            self._tried += (target,)

    def _lease(self, target: Target, permit: int, now: float, fresh: bool) -> None:
        exchange = self.exchange
        exchange.attempts += 1
        exchange.target = target.url
        target.attempts += 1
        target.in_flight += 1
        self._target = target
        self._permit = permit
        if self._body_asked:
            # What arrives now is for this attempt, and there is nobody yet to take it.
            exchange.downstream.pause_body()
        self.overdue = CONNECT_TIMEOUT
        self.deadline = now + self._service.limits.connection
        target.transport.lease(self, fresh)

    def leased(self, attempt: IAttempt) -> None:
        """See `IAttemptReceiver.leased`."""
        self._attempt = attempt
        exchange, plan, target = self.exchange, self._plan, self._target
        assert target is not None
        head = exchange.head
        try:
            path, lines = plan.target(head), plan.request_lines(exchange, target.host)
        except Exception:
            # A policy has left a head that can't be written.
            self.stop(unforeseen(exchange, "the request can't be sent on"))
            return
        attempt.start(head.method, path, lines, head.length)
        exchange.sent = now = self._service.now()
        self.overdue = RESPONSE_TIMEOUT
        if head.length:
            # As long as the request is arriving, its client is the one to hurry.
            self.deadline = NEVER
            self._starting = True
            self._take_body()
            self._starting = False
            if self._attempt is attempt:
                attempt.flush()
        else:
            self.deadline = now + self._service.limits.response

    def _take_body(self) -> None:
        downstream = self.exchange.downstream
        if self._body_asked:
            downstream.resume_body()
        else:
            self._body_asked = True
            downstream.send_continue()
            downstream.open_body()

    def _over(self, error: GatewayError | None, now: float) -> None:
        """The attempt is over: the target's account of it is settled."""
        target, self._target = self._target, None
        self._attempt = None
        if target is not None:
            target.over(self._permit, error, now)

    def failed(self, error: Exception) -> None:
        """See `IAttemptReceiver.failed`: try again where that is safe, or give up."""
        if not isinstance(error, GatewayError):
            raise error
        now = self._service.now()
        target, attempt, exchange = self._target, self._attempt, self.exchange
        if exchange.status or not may_repeat(
            error, exchange.head.method, reused=True, body_touched=self._body_touched, sent=attempt is not None
        ):
            self._over(error, now)
            self._give_up(error)
        elif attempt and attempt.reused and not (attempt.heard or self._repeated) and target:
            # The service closed an idle connection just when it was taken: that is no failure of either.
            self._repeated = True
            permit, self._permit = self._permit, 0
            self._over(None, now)
            self._lease(target, permit, now, fresh=True)
        else:
            if target is not None:
                self._tried += (target,)
            self._over(error, now)
            self._retry(error, now)

    def _retry(self, error: GatewayError, now: float) -> None:
        """At another target, within the budget; otherwise the failure stands."""
        service = self._service
        if self._retries_left and service.repeats and service.budget.withdraw(now):
            self._retries_left -= 1
            if self._lease_next(now):
                return
        self._give_up(error)

    def _give_up(self, error: GatewayError) -> None:
        exchange = self.exchange
        self._leave()
        if not exchange.status and can_fall_back(
            self._service.fallback, exchange, error.cause.status, self._body_touched
        ):
            exchange.cause = error.cause
            fall_back(self._service.fallback, exchange, self._plan, self._body_asked)
        else:
            exchange.fail(error)

    def _leave(self) -> None:
        self.deadline = NEVER
        self._service.active.discard(self)
        self._service.everyone.discard(self)

    def expired(self) -> None:
        """The present step has taken too long."""
        self._cancel_attempt()
        is_unread = self.exchange.downstream is NOBODY and self.exchange.status
        self.failed(GONE if is_unread else too_late(self.overdue))

    def _cancel_attempt(self) -> None:
        if self._attempt is not None:
            self._attempt.cancel()
        elif self._target is not None:
            self._target.transport.cancel(self)

    # The client's side: see `IUpstream`.

    def body(self, data: bytes) -> None:
        """See `IUpstream.body`."""
        exchange, attempt = self.exchange, self._attempt
        self._body_touched = True
        exchange.bytes_in += len(data)
        if exchange.max_body is not None and exchange.bytes_in > exchange.max_body:
            self.stop(GatewayError(BODY_TOO_LARGE, f"At most {exchange.max_body} bytes are taken."))
        elif attempt is not None:
            attempt.body(data)
            if not self._starting:
                attempt.flush()
            self._starting = False  # the head leaves with the first piece, and with no more than that

    def body_end(self, trailers: Fields) -> None:
        """See `IUpstream.body_end`."""
        self._request_received = self._body_touched = True
        attempt = self._attempt
        if attempt is None:
            return
        if not self._held:
            self._await_more()
        attempt.body_end(self._plan.request_trailers(trailers) if trailers else trailers)
        attempt.flush()

    def stop(self, error: GatewayError) -> None:
        """See `IAttemptReceiver.stop`."""
        self.abandon(error)
        self.exchange.fail(error)

    def pause(self) -> None:
        """See `IUpstream.pause`; from now on it is the client who keeps the answer waiting."""
        if self._attempt is not None:
            self._held = True
            self._attempt.pause()
            if self._request_received:
                self.deadline = NEVER

    def resume(self) -> None:
        """See `IUpstream.resume`."""
        if self._attempt is not None:
            self._held = False
            self._attempt.resume()
            self._await_more()

    def client_gone(self) -> None:
        """See `IUpstream.client_gone`."""
        if self._service.finish_abandoned and self._request_received:
            # The record is closed; what still happens goes to one that nobody reads.
            self.exchange = copy(self.exchange)
            self.exchange.downstream = NOBODY
            if self._attempt is not None:
                self.resume()
                # An answer without end would never be missed: the rest gets its times once, not with each piece anew.
                self._held = True
                self.deadline += 0.0 if self.exchange.status else self._service.limits.idle
            return
        self.abandon()

    def abandon(self, error: GatewayError | None = None) -> None:
        """Let go of everything, and answer nothing; without an error it is not the target's fault."""
        self._leave()
        self._cancel_attempt()
        self._over(error or GONE, self._service.now())

    # The target's side: see `IAttemptReceiver`.

    def writable(self, is_writable: bool) -> None:
        """See `IAttemptReceiver.writable`."""
        if self._request_received:
            return
        if is_writable:
            self.deadline = NEVER
            self.exchange.downstream.resume_body()
        else:
            self.overdue = IDLE_TIMEOUT
            self.deadline = self._service.now() + self._service.limits.idle
            self.exchange.downstream.pause_body()

    def informational(self, status: int, fields: Fields) -> None:
        """See `IAttemptReceiver.informational`."""
        if not self.exchange.status:
            self.exchange.downstream.send_informational(status, response_fields(fields))

    def head(self, status: int, reason: bytes, lines: bytes, length: int | None) -> None:
        """See `IAttemptReceiver.head`."""
        exchange = self.exchange
        exchange.answered = now = self._service.now()
        self._settle(status, now)
        if status >= 500 and can_fall_back(self._service.fallback, exchange, status, self._body_touched):
            self.abandon()
            fall_back(self._service.fallback, exchange, self._plan, self._body_asked)
            return
        try:
            answer = self._plan.answer(exchange, status, reason, lines, length, now)
        except GatewayError as error:
            self.stop(error)
            return
        exchange.status = answer[0]
        exchange.downstream.send_head(*answer)

    def whole(self, status: int, reason: bytes, lines: bytes, body: bytes) -> None:
        """See `IAttemptReceiver.whole`."""
        exchange = self.exchange
        exchange.answered = now = self._service.now()
        self._over(None, now)
        self._leave()
        try:
            status, reason, lines, _ = self._plan.answer(exchange, status, reason, lines, len(body), now)
        except GatewayError as error:
            exchange.fail(error)
            return
        exchange.status = status
        exchange.bytes_out += len(body)
        exchange.downstream.send_whole(status, reason, lines, body)

    def _settle(self, status: int, now: float) -> None:
        """A failure counts at once; and a long answer must not keep a recovering target waiting for its verdict."""
        target = self._target
        if target is not None and (status >= 500 or self._permit):
            self._permit = target.answered(self._permit, status, now)

    def data(self, data: bytes) -> None:
        """See `IAttemptReceiver.data`."""
        if self._attempt is not None:
            self.exchange.bytes_out += len(data)
            self.exchange.downstream.send_body(data)

    def end(self, trailers: Fields) -> None:
        """See `IAttemptReceiver.end`."""
        self._over(None, self.exchange.answered)
        self._leave()
        self.exchange.downstream.finish(self._plan.answer_trailers(trailers) if trailers else trailers)

    def flush(self) -> None:
        """See `IAttemptReceiver.flush`."""
        if self._attempt is not None and self.exchange.status and not self._held:
            self._await_more()
        self.exchange.downstream.flush()

    def _await_more(self) -> None:
        """The next piece of the answer is due; but while the request is on its way, its two ends see to time."""
        if self._request_received:
            limits, is_answered = self._service.limits, self.exchange.status
            self.overdue = IDLE_TIMEOUT if is_answered else RESPONSE_TIMEOUT
            self.deadline = self._service.now() + (limits.idle if is_answered else limits.response)
