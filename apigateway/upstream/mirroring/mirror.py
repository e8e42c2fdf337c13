"""Requests that are sent a second time, to a service whose answers nobody sees, and which can keep nobody waiting.

The copy of a request is an exchange of its own, with a client's side that takes everything and reads no more than it
has to. It has one attempt and no fallback, and the service's own bounds, breakers and time limits hold for it. It is
neither counted among the exchanges with clients, nor awaited when the gateway stops. Knows no routes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from twisted.logger import Logger
from zope.interface import implementer

from apigateway.errors import unforeseen_error
from apigateway.exchange import Exchange
from apigateway.http.heads import RequestHead
from apigateway.http.lines import lines_spelled
from apigateway.interfaces import Fields, IAttempt, IDownstream
from apigateway.upstream.mirroring.overhearing import Tap
from apigateway.upstream.steps.forward import Forward
from apigateway.upstream.steps.nobody import NOBODY
from apigateway.upstream.steps.plan import ForwardPlan

if TYPE_CHECKING:
    from apigateway.upstream.bulkhead import Busy
    from apigateway.upstream.service import Service

MOST_READ = 256 * 1024
"""So many bytes of an answer are read, so that its connection can be used again; what is longer is cut."""

MARK = b"X-Gateway-Mirror"
"""The field that marks a copy. Its value is the service that the original went to."""

_log = Logger(namespace="apigateway.upstream")
_MARKED = lines_spelled((MARK,))


class MirrorCounts:
    """What has become of the requests of one mirror. Lives in the Registry.

    `failed` are those of the `sent` that the service did not answer. Of those that were not sent, `too_many` were more
    than may be in flight, and `too_large` had a body above the bound.
    """

    __slots__ = ("in_flight", "sent", "failed", "too_many", "too_large")

    def __init__(self) -> None:
        self.in_flight = self.sent = self.failed = self.too_many = self.too_large = 0

    def __repr__(self) -> str:
        return f"<MirrorCounts {self.describe()}>"

    def describe(self) -> dict[str, int]:
        """The numbers by name."""
        return {name: getattr(self, name) for name in self.__slots__}


class Apart:
    """A service as copies see it: with one attempt, no fallback, and `everyone` apart from the exchanges with clients.

    All else is the service's own, as it is at the time.
    """

    __slots__ = ("_service", "terms", "everyone", "fallback", "finish_abandoned", "begun")

    def __init__(self, service: Service, everyone: set[Busy]) -> None:
        self._service = service
        self.terms = replace(service.terms, retries=0, hedging=None)
        self.everyone = everyone
        self.fallback = None
        self.finish_abandoned = False
        self.begun = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._service, name)

    def forward(self, exchange: Exchange, plan: ForwardPlan) -> None:
        """As `Service.forward`."""
        one = Forward(cast("Service", self), exchange, plan)
        try:
            one.begin()
        except Exception:
            one.abandon()
            raise


class Mirror:
    """Copies of the requests of one route, for one service.

    `share` of them, 0 to 1, with these `methods` (empty: all), bodies up to `max_body` bytes, and `most` at a time.
    `random` is from [0, 1); `observe` gets each copy when it is over, under the name `route`.
    """

    __slots__ = ("service", "route", "plan", "share", "methods", "max_body", "most", "counts", "_random", "_observe",
                 "_apart")  # fmt: skip

    def __init__(
        self,
        service: Service,
        route: str,
        plan: ForwardPlan,
        counts: MirrorCounts,
        everyone: set[Busy],
        random: Callable[[], float],
        observe: Callable[[Exchange], None],
        share: float = 1.0,
        methods: frozenset[bytes] = frozenset(),
        max_body: int = 64 * 1024,
        most: int = 100,
    ) -> None:
        self.service = service
        self.route = route
        self.plan = plan
        self.counts = counts
        self.share = share
        self.methods = methods
        self.max_body = max_body
        self.most = most
        self._random = random
        self._observe = observe
        self._apart = Apart(service, everyone)

    def __repr__(self) -> str:
        return f"<Mirror {self.route} to {self.service.name} {self.counts!r}>"

    def wants(self, head: RequestHead) -> bool:
        """Whether a request is to be sent again, but none that asks for another protocol; what can't be is counted."""
        if (self.methods and head.method not in self.methods) or b"upgrade" in head.special:
            return False
        if self._random() >= self.share:
            return False
        if head.length > self.max_body:
            self.counts.too_large += 1
        elif self.counts.in_flight >= self.most:
            self.counts.too_many += 1
        else:
            return True
        return False

    def hold(self) -> None:
        """Keep a place for a request whose body has yet to come."""
        self.counts.in_flight += 1

    def let_go(self) -> None:
        """The place is not needed: the request is not sent, or is sent now."""
        self.counts.in_flight -= 1

    def send(self, original: Exchange, service: str, body: bytes, trailers: Fields) -> None:
        """Send the request again that an exchange began with, which went to `service`. Never fails."""
        self.counts.in_flight += 1
        self.counts.sent += 1
        copy = Copy(self, original, service, body, trailers)
        try:
            self._apart.forward(copy.exchange, self.plan)
        except Exception:
            _log.failure("a request could not be sent again to {service}", service=self.service.name)
            copy.exchange.fail(unforeseen_error())

    @property
    def idle_s(self) -> float:
        """How long the body of an answer may take."""
        return self._apart.terms.limits.idle

    def now(self) -> float:
        """The monotonic clock, in seconds."""
        return self.service.now()

    def over(self, exchange: Exchange) -> None:
        """A copy is over."""
        self.counts.in_flight -= 1
        if exchange.cause is not None:
            self.counts.failed += 1
        self._observe(exchange)


@implementer(IDownstream)
class Copy:
    """The client's side of one copy: gives the body at once, and throws the answer away."""

    __slots__ = ("exchange", "_mirror", "_body", "_trailers", "_read", "_until", "_is_over")

    def __init__(self, mirror: Mirror, original: Exchange, service: str, body: bytes, trailers: Fields) -> None:
        head = _marked(original.head, service.encode())
        now = mirror.now()
        self.exchange = exchange = Exchange(head, self, original.peer, original.secure, now, mirror.over)
        exchange.client, exchange.trusted = original.client, original.trusted
        exchange.request_id, exchange.snapshot = original.request_id, original.snapshot
        exchange.route = mirror.route
        self._mirror = mirror
        self._body = body
        self._trailers = trailers
        self._read = 0
        self._until = 0.0
        self._is_over = False

    def __repr__(self) -> str:
        return f"<Copy {self.exchange.route} to {self.exchange.service} read={self._read}>"

    def _end(self) -> None:
        if not self._is_over:
            self._is_over = True
            self.exchange.end(self._mirror.now())
            # The two hold each other no more, so that no collector has to find them.
            self.exchange.downstream = NOBODY

    # See `IDownstream`.

    def send_continue(self) -> None:
        """The body is here."""

    def send_informational(self, status: int, fields: Fields) -> None:
        """Nobody waits."""

    def open_body(self) -> None:
        """All of it, at once."""
        upstream = self.exchange.upstream
        if upstream is not None and self._body:
            upstream.body(self._body)
        self._body = b""
        if self.exchange.upstream is upstream and upstream is not None:
            upstream.body_end(self._trailers)

    def pause_body(self) -> None:
        """It is given already, or not asked for yet."""

    def resume_body(self) -> None:
        """It is given already."""

    def send_head(self, status: int, reason: bytes, lines: bytes, length: int | None) -> None:
        """What there was to learn is known; the rest gets its time once."""
        self._until = self._mirror.now() + self._mirror.idle_s

    def send_whole(self, status: int, reason: bytes, lines: bytes, body: bytes) -> None:
        """Nobody reads."""
        self._end()

    def send_body(self, data: bytes) -> None:
        """Nobody reads; an answer without end is cut."""
        self._read += len(data)
        if self._read > MOST_READ or self._mirror.now() > self._until:
            self.exchange.let_go()
            self._end()

    def finish(self, trailers: Fields) -> None:
        """It is over."""
        self._end()

    def flush(self) -> None:
        """Nobody reads."""

    def abort(self) -> None:
        """It is over."""
        self._end()

    def offer_switch(self) -> bool:
        """Nobody would speak the other protocol."""
        return False

    def switch(self, reason: bytes, lines: bytes, attempt: IAttempt, account: Any) -> None:
        """See `offer_switch`."""
        raise AssertionError("nothing was offered")

    def progress(self) -> tuple[bool, int]:
        """The request is all here, and nothing waits to be read."""
        return True, 0


def _marked(head: RequestHead, service: bytes) -> RequestHead:
    """A head for a copy: the same, and nobody else's mark in it."""
    lines = b"%b%b: %b\r\n" % (_MARKED.sub(b"", head.lines), MARK, service)
    copy = RequestHead(head.method, head.target, head.minor, None, None, head.special, lines)
    copy.length = head.length
    return copy


class Mirroring:
    """Sends exchanges on with `forward`, and some of their requests again."""

    __slots__ = ("_forward", "_mirrors")

    def __init__(self, forward: Callable[[Exchange, ForwardPlan], None], mirrors: tuple[Mirror, ...]) -> None:
        self._forward = forward
        self._mirrors = mirrors

    def __repr__(self) -> str:
        return f"<Mirroring {list(self._mirrors)}>"

    def forward(self, exchange: Exchange, plan: ForwardPlan) -> None:
        """Send the exchange on, and then the copies of its request, when all of it is here."""
        head = exchange.head
        wanting = [mirror for mirror in self._mirrors if mirror.wants(head)]
        if wanting and head.length:
            Tap(exchange, wanting)
            wanting = []
        self._forward(exchange, plan)
        for mirror in wanting:
            mirror.send(exchange, exchange.service, b"", [])
