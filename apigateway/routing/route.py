"""One route, ready for use: what it matches, the rules for its exchanges, and the service behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from apigateway.errors import AMBIGUOUS_PATH, GatewayError
from apigateway.exchange import Exchange
from apigateway.http.heads import RequestHead
from apigateway.http.hosts import host_name, is_named
from apigateway.policies.policy import RequestSide, policy_failed
from apigateway.routing.shedding import Shedding
from apigateway.routing.split import Split
from apigateway.routing.thinking import Thinking
from apigateway.upstream.mirroring.mirror import Mirror, Mirroring
from apigateway.upstream.service import Service
from apigateway.upstream.steps.plan import ForwardPlan

NO_BOUNDS = Shedding()
"""Lets everything in."""


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """What to match beyond the path prefix, and what then happens.

    `methods` empty: all. `host` in lower case without port, None: any; "*.example.com" matches one or more labels.
    `headers`: lower-case names and the exact values that must be there. `allow_paths` as in the configuration.
    `names` are those of the policies whose request sides are `on_request`; `on_refusal` are those that mark the answers
    to what is refused before. `preflights`: a policy answers CORS preflights, whatever the methods. `shedding` says
    whether there is room. `split` leads some exchanges to other services than `service`, `mirrors` send some requests a
    second time; `forward` is what comes of both.
    """

    name: str
    prefix: bytes
    service: Service
    plan: ForwardPlan = ForwardPlan()
    methods: frozenset[bytes] = frozenset()
    host: bytes | None = None
    headers: tuple[tuple[bytes, bytes], ...] = field(default=(), repr=False)
    allow_paths: frozenset[str] = frozenset()
    on_request: tuple[RequestSide, ...] = ()
    on_refusal: tuple[RequestSide, ...] = ()
    names: tuple[str, ...] = ()
    preflights: bool = False
    shedding: Shedding = NO_BOUNDS
    split: Split | None = None
    mirrors: tuple[Mirror, ...] = ()
    plain: bool = field(init=False)
    forward: Callable[[Exchange, ForwardPlan], None] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "plain", self.host is None and not self.headers)
        forward = self.service.forward if self.split is None else self.split.forward
        object.__setattr__(self, "forward", Mirroring(forward, self.mirrors).forward if self.mirrors else forward)

    def matches(self, head: RequestHead) -> bool:
        """Whether host and headers are as the route wants them; the path is the tree's business."""
        return self.plain or (self._host_matches(head) and all(head.get(name) == value for name, value in self.headers))

    def takes(self, head: RequestHead) -> bool:
        """Whether the method is one of the route's."""
        method = head.method
        return (
            not self.methods
            or method in self.methods
            or (self.preflights and method == b"OPTIONS" and head.get(b"access-control-request-method") is not None)
        )

    def _host_matches(self, head: RequestHead) -> bool:
        if self.host is None:
            return True
        return is_named(host_name(head.special.get(b"host", b"")), self.host)

    def begin(self, exchange: Exchange, ambiguities: frozenset[str]) -> None:
        """Let an exchange through the policies to the service. Raises `GatewayError` where it is not let in."""
        exchange.route = self.name
        if ambiguities and not ambiguities <= self.allow_paths:
            self.mark(exchange)
            raise ambiguous(ambiguities)
        exchange.service = self.service.name
        shedding = self.shedding
        if shedding.share or len(shedding.everyone) >= shedding.exchanges:
            self._let_in(exchange)
        self._run(exchange, self.on_request)

    def _let_in(self, exchange: Exchange) -> None:
        try:
            self.shedding.check()
        except GatewayError:
            self.mark(exchange)
            raise

    def mark(self, exchange: Exchange) -> None:
        """The exchange is about to be refused: let its answer carry what every answer of the route does."""
        for policy in self.on_refusal:
            policy(exchange)

    def _run(self, exchange: Exchange, policies: tuple[RequestSide, ...]) -> None:
        for number, policy in enumerate(policies, 1):
            verdict = policy(exchange)
            if verdict is not None:
                self._heed(verdict, exchange, policies[number:])
                return
        self.forward(exchange, self.plan)

    def _heed(self, verdict: Any, exchange: Exchange, left: tuple[RequestSide, ...]) -> None:
        if isinstance(verdict, Deferred):
            self._wait_for(verdict, exchange, left)
        elif not exchange.status:
            exchange.answer(verdict)

    def _wait_for(self, verdict: Deferred[Any], exchange: Exchange, left: tuple[RequestSide, ...]) -> None:
        """A policy may take as long as the service itself, and counts as being at work for it."""
        service = self.service
        if service.is_full:
            verdict.addErrback(lambda why: None)
            verdict.cancel()
            raise service.overloaded()
        deadline = service.now() + (self.plan.terms or service.terms).limits.response
        Thinking(exchange, verdict, service.bulkhead, deadline, partial(self._go_on, exchange, left)).begin()

    def _go_on(self, exchange: Exchange, left: tuple[RequestSide, ...], verdict: Any) -> None:
        try:
            if isinstance(verdict, Failure):
                verdict.raiseException()
            if verdict is None:
                self._run(exchange, left)
            else:
                self._heed(verdict, exchange, left)
        except GatewayError as error:
            exchange.fail(error)
        except Exception:
            policy = self.names[-1 - len(left)] if len(self.names) > len(left) else ""
            exchange.fail(policy_failed(policy, exchange, Failure()))


def ambiguous(ways: frozenset[str]) -> GatewayError:
    """The refusal of a path that two parsers could read differently."""
    return GatewayError(AMBIGUOUS_PATH, f"The path holds: {', '.join(sorted(ways))}.")
