"""The stages on the service's side: a target, a connection on loan and back, the head of the request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apigateway.config.model import CircuitBreaker as BreakerOptions
from apigateway.config.model import Pool
from apigateway.exchange import Exchange
from apigateway.upstream.balancing.only import Only
from apigateway.upstream.breaker import CircuitBreaker
from apigateway.upstream.health import TargetHealth
from apigateway.upstream.native.connection import NativeConnection
from apigateway.upstream.native.transport import NativeTransport
from apigateway.upstream.steps.plan import ForwardPlan
from apigateway.upstream.target import Target
from bench.stages.memory import Sink
from bench.stages.messages import Heads, exchange_of
from bench.stages.stage import Now, Stage, Work

HOST = b"127.0.0.1:9001"


class Borrower:
    """Takes a connection on loan, and does no more with it."""

    attempt: Any = None

    def leased(self, attempt: Any) -> None:
        """Here it is."""
        self.attempt = attempt


def _pool(now: Now) -> tuple[NativeTransport, NativeConnection]:
    """A pool with one connection, which is idle."""

    def dial(build: Callable[[], Any], failed: Callable[[Any], None]) -> None:
        build().makeConnection(Sink([]))

    pool = NativeTransport(Pool(), dial, now, 5.0)
    borrower: Any = Borrower()
    pool.lease(borrower)
    pool.released(borrower.attempt)
    return pool, borrower.attempt


def _lease(now: Now) -> Work:
    pool, _ = _pool(now)
    borrower: Any = Borrower()

    def lend(_: Any) -> None:
        pool.lease(borrower)
        pool.released(borrower.attempt)

    return Work(lend)


def _choose(now: Now) -> Work:
    pool, _ = _pool(now)
    breaker = CircuitBreaker(BreakerOptions(), lambda *change: None)
    balancer = Only((Target("http://127.0.0.1:9001", HOST, 1, pool, breaker, TargetHealth()),))

    def choose(exchange: Exchange) -> None:
        moment = 1000.0
        target = balancer.pick(exchange, moment)
        assert target is not None
        target.over(breaker.allows(moment), None, moment)

    head = Heads()()
    return Work(choose, lambda: exchange_of(head))


def _write(now: Now) -> Work:
    plan, head = ForwardPlan(), Heads()()
    _, connection = _pool(now)

    def write(exchange: Exchange) -> None:
        head = exchange.head
        connection.start(head.method, plan.target(head), plan.request_lines(exchange, HOST), head.length)

    return Work(write, lambda: exchange_of(head))


FORWARDING = (
    Stage("choose a target, ask its breaker, tell it", "forward", _choose, counts=True),
    Stage("lease a connection, give it back", "forward", _lease, counts=True),
    Stage("write the request head", "forward", _write, counts=True),
)
