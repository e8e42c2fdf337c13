"""On which terms a service is asked: how long each step may take, and which attempts may follow one that failed.

Made once per snapshot, for a service and for each of its routes. Knows no exchange.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from apigateway.http.event_stream import is_event_stream
from apigateway.upstream.steps.deadline_field import DeadlineField
from apigateway.upstream.steps.head_times import HeadTimes
from apigateway.upstream.steps.retry import IDEMPOTENT
from apigateway.upstream.steps.time_limits import NEVER, TimeLimits

REPLAY = 64 * 1024
"""Bytes of a request's body that are kept to be sent again, unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Hedging:
    """When a second attempt is begun beside the first: after `after_s`, or after a share of the service's answers.

    `share` is 0.95 for the time within which 95 % of the heads have come by `heads`; it is never below `least_s`.
    """

    after_s: float | None = None
    share: float = 0.95
    least_s: float = 0.005
    heads: HeadTimes | None = None

    def delay(self) -> float | None:
        """Seconds until the second attempt; None where too little is known of the service yet."""
        if self.heads is None:
            return self.after_s
        known = self.heads.quantile(self.share)
        return None if known is None else max(known, self.least_s)


@dataclass(frozen=True, slots=True)
class Terms:
    """For the exchanges of a route, or of a whole service.

    `total` is how long it may take to the head of the answer, all attempts together. There are at most `retries`
    further attempts: of requests with these `methods`, after a failure, one of these `statuses`, or with
    `after_timeout` an attempt that was not answered in time. Bodies up to `replay` bytes are kept for them. Before the
    n-th there is a random wait of up to `backoff_s` times 2^(n-1), and never more than `most_backoff_s`.
    """

    limits: TimeLimits
    retries: int = 1
    total: float = NEVER
    methods: frozenset[bytes] = IDEMPOTENT
    statuses: frozenset[int] = frozenset()
    after_timeout: bool = False
    replay: int = REPLAY
    backoff_s: float = 0.025
    most_backoff_s: float = 0.25
    deadline_field: DeadlineField | None = None
    hedging: Hedging | None = None
    is_timed: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_timed", self.total < NEVER or self.deadline_field is not None)

    def while_answered(self, lines: bytes) -> Terms:
        """What holds once there is an answer with these field lines: streams of events may be quiet for longer."""
        if not is_event_stream(lines):
            return self
        return replace(self, limits=replace(self.limits, idle=self.limits.event_stream))

    def backoff(self, made: int, random: float) -> float:
        """Seconds to wait before one more attempt, when `made` further ones were made; `random` is from [0, 1)."""
        return random * min(self.most_backoff_s, self.backoff_s * 2.0 ** min(made, 64))

    def keeps(self, method: bytes, length: int) -> bool:
        """Whether the body of a request is kept for another attempt; `length` as `RequestHead.length`."""
        return self.retries > 0 and length <= self.replay and self.replay > 0 and method in self.methods
