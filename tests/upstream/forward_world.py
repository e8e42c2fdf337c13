"""A service whose targets do what a test says, for the tests of the steps of an exchange."""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.task import Clock
from zope.interface import implementer

from apigateway.errors import GatewayError
from apigateway.http.lines import join_lines, split_lines
from apigateway.interfaces import IAttempt, ICircuitBreaker, ITransport
from apigateway.testing.exchanges import exchange_for
from apigateway.upstream.health import TargetHealth
from apigateway.upstream.pool.crowding import TOO_SLOW
from apigateway.upstream.service import Service
from apigateway.upstream.steps.plan import ForwardPlan
from apigateway.upstream.steps.retry import RetryBudget
from apigateway.upstream.steps.terms import Terms
from apigateway.upstream.steps.time_limits import TimeLimits
from apigateway.upstream.target import Target

LIMITS = TimeLimits(connection=7.0, response=30.0, idle=60.0)


@implementer(IAttempt)
class ScriptedAttempt:
    """Keeps what it is asked to send; the test plays the target by calling its receiver.

    `written` are the calls in their order, `flushed` those of them that were let out: by a flush, or at once.
    """

    def __init__(self, receiver, reused):
        self.receiver = receiver
        self.reused = reused
        self.heard = False
        self.written = []
        self.flushed = []
        self.is_paused = self.is_cancelled = self.is_over = False
        self.can_switch = True
        self.offer = None

    def start(self, method, target, lines, length):
        self.head = (method, target, split_lines(lines), length)
        self._write("head")
        if not length:
            self.flush()

    def body(self, data):
        self._write(data)

    def body_end(self, trailers):
        self._write(("end", trailers))

    def _write(self, what):
        assert not self.is_cancelled, "sending on after it was given up"
        assert not self.is_over, "sending on after its end"
        self.written.append(what)

    def flush(self):
        assert not self.is_cancelled
        self.flushed = list(self.written)

    def offer_switch(self, offer):
        self.offer = offer if self.can_switch else None
        return self.can_switch

    def switch(self, protocol):
        self.is_over = True
        return b""

    def pause(self):
        self.is_paused = True

    def resume(self):
        self.is_paused = False

    def cancel(self):
        assert not self.is_cancelled, "given up twice"
        assert not self.is_over, "given up after its end"
        self.is_cancelled = True

    # What the target does.

    def answers(self, status=200, fields=(), body=b"", trailers=()):
        """A whole answer in one batch."""
        receiver = self.receiver
        receiver.head(status, b"Fine", join_lines(fields), len(body))
        if body and not self.is_cancelled:
            receiver.data(body)
        if not self.is_cancelled:
            self.is_over = True
            receiver.end(list(trailers))
            receiver.flush()

    def begins(self, status=200, fields=(), length=None):
        """The head of an answer."""
        self.receiver.head(status, b"Fine", join_lines(fields), length)
        if not self.is_cancelled:
            self.receiver.flush()

    def sends(self, data):
        """A piece of the answer."""
        self.receiver.data(data)
        self.receiver.flush()

    def ends(self, trailers=()):
        """The end of the answer."""
        self.is_over = True
        self.receiver.end(list(trailers))
        self.receiver.flush()

    def fails(self, cause):
        """The end of the attempt."""
        self.is_over = True
        self.receiver.failed(GatewayError(cause))
        self.receiver.flush()


@implementer(ITransport)
class ScriptedTransport:
    """Lends when the test says so, or with `lends` at once; `reused` marks what it lends when not asked for fresh.

    `makes_room` are those who make room for others, the last first.
    """

    def __init__(self, lends=True, reused=False):
        self.lends = lends
        self.reused = reused
        self.attempts = []
        self.leases = []
        self.waiting = []
        self.refuses = None
        self.swept = []
        self.makes_room = []
        self.asked_for_room = []

    @property
    def last(self):
        """The latest attempt."""
        return self.attempts[-1]

    def lease(self, receiver, fresh=False):
        self.leases.append("fresh" if fresh else "any")
        if self.refuses is not None:
            receiver.failed(GatewayError(self.refuses))
        else:
            self.waiting.append((receiver, fresh))
            if self.lends:
                self.lend()

    def lend(self):
        """A connection is there for the first who waits."""
        receiver, fresh = self.waiting.pop(0)
        attempt = ScriptedAttempt(receiver, self.reused and not fresh)
        self.attempts.append(attempt)
        receiver.leased(attempt)

    def refuse(self, cause):
        """There is none for the first who waits."""
        receiver, _ = self.waiting.pop(0)
        receiver.failed(GatewayError(cause))

    def cancel(self, receiver):
        waiting = [one for one in self.waiting if one[0] is not receiver]
        assert len(waiting) == len(self.waiting) - 1, "who doesn't wait can't stop waiting"
        self.waiting = waiting

    def make_room(self, receiver):
        self.asked_for_room.append(receiver)
        if not self.makes_room:
            return False
        self.makes_room.pop().stop(TOO_SLOW)
        return True

    def sweep(self, now):
        self.swept.append(now)

    def close(self):
        raise AssertionError("a service closes no transports")

    def statistics(self):
        return {}


@implementer(ICircuitBreaker)
class CountingBreaker:
    """Gives numbered permits while `is_open` is False, and holds each to exactly one outcome."""

    def __init__(self, state="closed"):
        self.state = state
        self.is_open = False
        self.wait_s = 0.0
        self.outcomes = {}

    def allows(self, now):
        if self.is_open:
            return 0
        permit = len(self.outcomes) + 1
        self.outcomes[permit] = None
        return permit

    def _settle(self, permit, outcome):
        assert self.outcomes[permit] is None, f"permit {permit} was {self.outcomes[permit]}, now {outcome}"
        self.outcomes[permit] = outcome

    def success(self, permit, now):
        self._settle(permit, "success")

    def failure(self, permit, now, reason):
        self._settle(permit, f"failure: {reason}")

    def cancelled(self, permit, now):
        self._settle(permit, "cancelled")

    def retry_after(self, now):
        return self.wait_s

    def describe(self, now):
        return {}

    @property
    def told(self):
        """The outcomes in the order of their permits; None: not yet."""
        return list(self.outcomes.values())


class World:
    """A service of some targets on a clock of its own. `ended` are the exchanges that are over.

    With `waits`, attempts are made that are to be waited for. `terms` are those that differ from the defaults.
    """

    def __init__(
        self,
        targets=1,
        retries=1,
        finish_abandoned=False,
        breaker=CountingBreaker,
        max_in_flight=1024,
        bulkhead=None,
        waits=False,
        random=lambda: 0.5,
        terms=None,
        **transport,
    ):
        self.clock = Clock()
        self.ended = []
        self.transports = [ScriptedTransport(**transport) for _ in range(targets)]
        self.breakers = [breaker() for _ in range(targets)]
        self.targets = tuple(
            Target(f"http://t{number}", b"t%d" % number, 1, way, stop, TargetHealth())
            for number, (way, stop) in enumerate(zip(self.transports, self.breakers, strict=True))
        )
        self.budget = RetryBudget()
        self.service = Service(
            "shop", self.targets, replace(Terms(LIMITS, retries), **(terms or {})), self.budget, self.clock.seconds,
            finish_abandoned, max_in_flight, bulkhead, later=self.clock.callLater if waits else None, random=random,
        )  # fmt: skip
        self.plan = ForwardPlan(via=False)

    @property
    def transport(self):
        return self.transports[0]

    @property
    def attempt(self):
        """The latest attempt at the first target."""
        return self.transport.last

    @property
    def breaker(self):
        return self.breakers[0]

    def exchange(self, *args, **kwargs):
        return exchange_for(*args, now=self.clock.seconds, observe=self.ended.append, **kwargs)

    def forward(self, *args, **kwargs):
        """Begin an exchange; its client's side."""
        exchange = self.exchange(*args, **kwargs)
        self.service.forward(exchange, self.plan)
        return exchange.downstream

    def advance(self, seconds):
        self.clock.advance(seconds)
        self.service.sweep(self.clock.seconds())
