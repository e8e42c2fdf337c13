"""An exchange that a policy is still thinking about: it has a time limit and counts as in progress, as any other.

Knows the verdict that is awaited, not who gives it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from apigateway.exchange import Exchange
from apigateway.interfaces import Fields, IUpstream
from apigateway.upstream.bulkhead import Bulkhead
from apigateway.upstream.steps.time_limits import NEVER


@implementer(IUpstream)
class Thinking:
    """Waits for one verdict. `decided` is called with it, or with a `Failure`; with neither once the client is gone.

    `deadline` is until when, in seconds of the monotonic clock; the sweep of the service looks at it.
    """

    __slots__ = ("exchange", "deadline", "_verdict", "_bulkhead", "_decided", "_over")

    def __init__(
        self, exchange: Exchange, verdict: Deferred[Any], bulkhead: Bulkhead, deadline: float,
        decided: Callable[[Any], None],
    ) -> None:  # fmt: skip
        self.exchange = exchange
        self.deadline = deadline
        self._verdict = verdict
        self._bulkhead = bulkhead
        self._decided = decided
        self._over = False

    def __repr__(self) -> str:
        return f"<Thinking {self.exchange.route} {'over' if self._over else 'waiting'}>"

    def begin(self) -> None:
        """Wait; the verdict may be there already."""
        self.exchange.upstream = self
        self._bulkhead.enter(self)
        self._verdict.addBoth(self._there)

    def _there(self, verdict: Any) -> None:
        """What comes when nobody waits any more is dropped."""
        if not self._over:
            self._end()
            self._decided(verdict)

    def _end(self) -> None:
        self._over = True
        self.deadline = NEVER
        self._bulkhead.leave(self)
        if self.exchange.upstream is self:
            self.exchange.upstream = None

    def expired(self) -> None:
        """No verdict came in time."""
        self._end()
        self._decided(Failure(TimeoutError("no verdict in time")))
        self._verdict.cancel()

    def abandon(self) -> None:
        """Wait no more, and tell nobody."""
        self._end()
        self._verdict.cancel()

    # The client's side: see `IUpstream`. The body waits until it is asked for.

    def body(self, data: bytes) -> None:
        """Nobody has asked for it."""

    def body_end(self, trailers: Fields) -> None:
        """Nobody has asked for it."""

    def pause(self) -> None:
        """There is nothing to send yet."""

    def resume(self) -> None:
        """There is nothing to send yet."""

    def client_gone(self) -> None:
        """Whoever thinks may stop."""
        self.abandon()
