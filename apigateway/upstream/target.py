"""One address of a service, and what is remembered of it. Lives in the Registry and survives new snapshots."""

from __future__ import annotations

from apigateway.errors import GatewayError, Side
from apigateway.interfaces import ICircuitBreaker, ITransport
from apigateway.upstream.balancing.ewma import PeakEwma
from apigateway.upstream.balancing.standing import Standing
from apigateway.upstream.health import TargetHealth


class Target:
    """One address: `url` of what is dialed, `host` as a `Host` field has it, and the state that belongs to it.

    `latency` is None where nobody chooses by it.
    """

    __slots__ = ("url", "host", "weight", "transport", "breaker", "health", "in_flight", "attempts", "failures",
                 "standing", "latency")  # fmt: skip

    def __init__(
        self,
        url: str,
        host: bytes,
        weight: int,
        transport: ITransport,
        breaker: ICircuitBreaker | None,
        health: TargetHealth,
        standing: Standing | None = None,
        latency: PeakEwma | None = None,
    ) -> None:
        self.url = url
        self.host = host
        self.weight = weight
        self.transport = transport
        self.breaker = breaker
        self.health = health
        self.standing = standing or Standing()
        self.latency = latency
        self.in_flight = self.attempts = self.failures = 0

    def over(self, permit: int, error: GatewayError | None, now: float) -> None:
        """An attempt is over; `permit` as in `failed`, `error` why it was not answered."""
        self.in_flight -= 1
        if error is not None and error.cause.side is Side.TARGET:
            self.failed(permit, now, error.cause.code)
        elif permit and self.breaker is not None:
            if error is None:
                self.breaker.success(permit, now)
            else:
                self.breaker.cancelled(permit, now)

    def answered(self, permit: int, status: int, now: float) -> int:
        """The head of an answer is there; what is left of the permit: 0 where the breaker has its verdict already."""
        if status >= 500:
            self.failed(permit, now, f"status {status}")
            return 0
        if permit and self.breaker is not None and self.breaker.state != "closed":
            self.breaker.success(permit, now)
            return 0
        return permit

    def failed(self, permit: int, now: float, reason: str) -> None:
        """An attempt failed by the target's fault; `permit` is its breaker's, 0 where that has been given back."""
        self.failures += 1
        if self.latency is not None:
            self.latency.learn_failure(now)
        if permit and self.breaker is not None:
            self.breaker.failure(permit, now, reason)

    def __repr__(self) -> str:
        state = self.breaker.state if self.breaker else "no breaker"
        stands = f" {self.standing.word}" if self.standing.word in ("ejected", "returning") else ""
        return f"<Target {self.url} {state} {self.health}{stands} in_flight={self.in_flight}>"
