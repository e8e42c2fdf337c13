"""One route, ready for use: what it matches, the rules for its exchanges, and the service behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from apigateway.errors import AMBIGUOUS_PATH, CLIENT_GONE, INTERNAL_ERROR, GatewayError
from apigateway.exchange import Exchange
from apigateway.http.answers import Answer
from apigateway.http.heads import RequestHead
from apigateway.upstream.plan import ForwardPlan
from apigateway.upstream.service import Service

RequestSide = Callable[[Exchange], Any]
"""A policy's request side: None to go on, an `Answer` to stop, or a Deferred of either; raises `GatewayError`."""

_log = Logger(namespace="apigateway.routing")


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """What to match beyond the path prefix, and what then happens.

    `methods` empty: all. `host` in lower case without port, None: any; "*.example.com" matches one or more labels.
    `headers`: lower-case names and the exact values that must be there. `allow_paths` as in the configuration.
    `preflights`: a policy answers CORS preflights, whatever the methods.
    """

    name: str
    prefix: bytes
    service: Service
    plan: ForwardPlan = ForwardPlan()
    methods: frozenset[bytes] = frozenset()
    host: bytes | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()
    allow_paths: frozenset[str] = frozenset()
    on_request: tuple[RequestSide, ...] = ()
    preflights: bool = False
    plain: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "plain", self.host is None and not self.headers)

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
        name = head.special.get(b"host", b"").strip().lower()
        name = name.rpartition(b":")[0] if b":" in name and not name.endswith(b"]") else name
        return name == self.host or (self.host[:2] == b"*." and name.endswith(self.host[1:]))

    def begin(self, exchange: Exchange, ambiguities: frozenset[str]) -> None:
        """Let an exchange through the policies to the service."""
        exchange.route = self.name
        if ambiguities and not ambiguities <= self.allow_paths:
            raise ambiguous(ambiguities)
        exchange.service = self.service.name
        self._run(exchange, self.on_request)

    def _run(self, exchange: Exchange, policies: tuple[RequestSide, ...]) -> None:
        for number, policy in enumerate(policies, 1):
            verdict = policy(exchange)
            if verdict is not None:
                self._heed(verdict, exchange, policies[number:])
                return
        self.service.forward(exchange, self.plan)

    def _heed(self, verdict: Any, exchange: Exchange, left: tuple[RequestSide, ...]) -> None:
        if isinstance(verdict, Deferred):
            verdict.addCallback(self._go_on, exchange, left).addErrback(self._failed, exchange)
        else:
            exchange.answer(verdict)

    def _go_on(self, verdict: Answer | None, exchange: Exchange, left: tuple[RequestSide, ...]) -> None:
        if _is_over(exchange):
            return
        if verdict is None:
            self._run(exchange, left)
        else:
            exchange.answer(verdict)

    def _failed(self, why: Failure, exchange: Exchange) -> None:
        if _is_over(exchange):
            return
        if isinstance(why.value, GatewayError):
            exchange.fail(why.value)
        else:
            _log.failure("a policy failed", failure=why, route=self.name)
            exchange.fail(GatewayError(INTERNAL_ERROR, "Something unforeseen went wrong; the log tells more."))


def _is_over(exchange: Exchange) -> bool:
    """The client went away while a policy was thinking."""
    return bool(exchange.ended) or exchange.cause is CLIENT_GONE


def ambiguous(ways: frozenset[str]) -> GatewayError:
    """The refusal of a path that two parsers could read differently."""
    return GatewayError(AMBIGUOUS_PATH, f"The path holds: {', '.join(sorted(ways))}.")
