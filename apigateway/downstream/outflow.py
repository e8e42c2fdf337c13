"""How a client takes what is written for it, and how its connection ends when all is said.

Times are seconds of the monotonic clock. Sets no timer: what it returns are deadlines.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import ISSLTransport

from apigateway.downstream.http1_answer import AnswerWriter
from apigateway.downstream.sending_pace import NEVER
from apigateway.errors import CLIENT_TOO_SLOW
from apigateway.exchange import Exchange
from apigateway.interfaces import IFlowTransport
from apigateway.sockets.unsent import unsent, waiting

LINGER_S = 2.0
"""How long a client that has not finished its request may take to read why it was not served."""

LOOK_S = 0.01
"""After that long it is looked how much a client has to take: with the next sweep, if it is not done by then."""


class ReaderLimits(Protocol):
    """How much must be read in how many seconds: see `SiteLimits`."""

    @property
    def body_s(self) -> float:
        """The window."""

    @property
    def least_moved(self) -> int:
        """The bytes."""


class Outflow:
    """One client's side of the answers to it. `answer` writes them, `now` reads the clock.

    `is_stalled`: it is not to get any more, because it has not taken what it got. `is_last`: it gets no more at all.
    """

    __slots__ = ("is_stalled", "is_last", "_answer", "_is_sending", "_now", "_seen")

    def __init__(self, answer: AnswerWriter, now: Callable[[], float]) -> None:
        self.is_stalled = self.is_last = False
        self._answer = answer
        # The end comes when all is sent, which the kernel may have and the transport no more.
        self._is_sending = False
        self._now = now
        # What had been written, and what of it was unsent, when the present window began.
        self._seen: tuple[int, int] | None = None

    def stall(self) -> float:
        """The transport can't get rid of what it has; returns when to look at it."""
        self.is_stalled = True
        self._seen = None
        return self._now() + LOOK_S

    def close(self, transport: IFlowTransport) -> float:
        """Close when all that has been written is sent; returns when to look whether it is taken."""
        self._end(transport)
        self._is_sending = True
        transport.loseConnection()
        return self._now() + LOOK_S

    def linger(self, transport: IFlowTransport) -> float:
        """Close, but let a client that is still sending read the answer first (RFC 9112 §9.6); returns how long."""
        self._end(transport)
        has_halves = getattr(transport, "has_halves", not ISSLTransport.providedBy(transport))  # Twisted's TLS has none
        (transport.loseWriteConnection if has_halves else transport.loseConnection)()
        return self._now() + LINGER_S

    def _end(self, transport: IFlowTransport) -> None:
        self.is_last = True
        self._is_sending = False
        self._seen = None
        transport.unregisterProducer()

    def untaken(self, transport: IFlowTransport) -> int:
        """How many bytes of what was written the client's machine does not have yet."""
        return unsent(transport)

    def judge(self, transport: IFlowTransport, exchange: Exchange | None, limits: ReaderLimits) -> float:
        """It was time to look whether the client reads; who is too slow is cut. Returns when to look again."""
        if self.goes_on(transport, limits.least_moved):
            return self._now() + limits.body_s
        if exchange is not None:
            exchange.cause = CLIENT_TOO_SLOW
        transport.abortConnection()
        return NEVER

    def goes_on(self, transport: IFlowTransport, least: int) -> bool:
        """It was time to look: whether the client may have more time.

        It may if there is something to take that was not looked at before, or if it has taken `least` bytes, and one at
        least, since. They count when the kernel of the client's machine has them.
        """
        written, left, seen = self._answer.written, unsent(transport), self._seen
        self._seen = written, left
        if seen is None:
            return self.is_stalled or (left if self._is_sending else waiting(transport)) > 0
        return written - left - (seen[0] - seen[1]) >= max(least, 1)
