"""The seams of the gateway: where two implementations stand, or where a test puts a double.

An exchange sits between one `IDownstream` (its client's side) and one `IUpstream` (whatever answers it). A service
answers through attempts: it leases an `IAttempt` from a target's `ITransport` and is told what happens as an
`IAttemptReceiver`. Fields of HTTP heads are spelled and ordered as on the wire: as field lines (see `http.lines`) where
they only pass through, as `list[tuple[bytes, bytes]]` where somebody looks at them.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IConsumer, IProtocol, IPushProducer, ITCPTransport
from zope.interface import Attribute, Interface

Fields = list[tuple[bytes, bytes]]


class IFlowTransport(ITCPTransport, IPushProducer, IConsumer):
    """What a TCP connection of Twisted provides: bytes, and flow control in both directions."""


class IDownstream(Interface):
    """The client's side of one exchange: takes the answer, gives the request body.

    Everything sent is kept until `flush`, so that a head and a body that are there together leave in one write.
    """

    def send_continue() -> None:
        """Tell a client that asked (`Expect: 100-continue`) to send its body; otherwise nothing happens."""

    def send_informational(status: int, fields: Fields) -> None:
        """Pass on an interim answer such as 103. Does nothing where the client can't take it."""

    def open_body() -> None:
        """Begin to deliver the request body to `exchange.upstream`, what has already arrived at once."""

    def pause_body() -> None:
        """Deliver no more of the request body for now."""

    def resume_body() -> None:
        """Go on delivering the request body."""

    def send_head(status: int, reason: bytes, lines: bytes, length: int | None) -> None:
        """Send the head of the final answer, without framing fields: those follow from `length` (None: unknown)."""

    def send_whole(status: int, reason: bytes, lines: bytes, body: bytes) -> None:
        """Send a whole answer that is there at once: as `send_head`, `send_body`, `finish` and `flush`."""

    def send_body(data: bytes) -> None:
        """Send a piece of the answer's body. Ignored where the answer has no body (HEAD, 204, 304)."""

    def finish(trailers: Fields) -> None:
        """The answer is complete."""

    def flush() -> None:
        """Write what has been kept."""

    def abort() -> None:
        """Cut the answer so that the client sees that it is broken."""

    def offer_switch() -> bool:
        """The service is about to be offered another protocol (`Upgrade`): whether the client's side could switch.

        Then nothing behind the request is looked at any more, and unless `switch` follows the answer is the last.
        """

    def switch(reason: bytes, lines: bytes, attempt: IAttempt, account: Any) -> None:
        """Answer 101, and pass on bytes both ways from now on: the exchange lasts as long as they do.

        `lines` are all of the head's fields. `attempt` is to `switch`, too; `account` is a `RelayAccount`.
        """

    def progress() -> tuple[bool, int]:
        """Whether the whole request is here, and how many bytes that were sent the client has not taken yet."""


class IUpstream(Interface):
    """Whatever answers one exchange, as its client's side sees it."""

    def body(data: bytes) -> None:
        """A piece of the request body."""

    def body_end(trailers: Fields) -> None:
        """The request body is complete."""

    def pause() -> None:
        """The client reads slowly: send no more of the answer for now."""

    def resume() -> None:
        """The client reads again."""

    def client_gone() -> None:
        """The client went away, or its request turned out to be malformed: stop working for it."""


class IAttempt(Interface):
    """One try of an exchange at one target, on a connection on loan."""

    reused = Attribute("bool: the connection has carried an exchange before")
    heard = Attribute("bool: something of an answer to this one has arrived")
    receiver = Attribute("IAttemptReceiver | None: who is told what happens; None when the attempt is over")

    def start(method: bytes, target: bytes, lines: bytes, length: int) -> None:
        """Send the request head. `length` as `RequestHead.length`. Kept until `flush` where a body follows."""

    def body(data: bytes) -> None:
        """Send a piece of the request body. Kept until `flush`."""

    def body_end(trailers: Fields) -> None:
        """The request body is complete. Kept until `flush`."""

    def flush() -> None:
        """Write what has been kept."""

    def offer_switch(offer: Any) -> bool:
        """Called before `start`: the request makes this `Offer` of other protocols; False where there is no way.

        None takes an offer back.
        """

    def switch(protocol: IProtocol) -> bytes:
        """Called from `IAttemptReceiver.switched`: the attempt is over, and its bytes are `protocol`'s.

        That one is connected to a transport. Returns what has already arrived for it.
        """

    def pause() -> None:
        """Read no more of the answer for now."""

    def resume() -> None:
        """Read the answer again."""

    def cancel() -> None:
        """Give up: the connection is cut, and the receiver hears no more."""


class IAttemptReceiver(Interface):
    """Whom an attempt tells what happens. `flush` ends each batch of what arrived together."""

    exchange = Attribute("Exchange: what it is all for")
    deadline = Attribute("float: when the step has taken too long; infinite while the client is the one to hurry")

    def stop(error: Any) -> None:
        """End the exchange with a `GatewayError` that is not the target's; the attempt is cancelled."""

    def leased(attempt: IAttempt) -> None:
        """A connection is there; the attempt may be started."""

    def informational(status: int, fields: Fields) -> None:
        """An interim answer arrived (1xx, but neither 100 nor 101)."""

    def head(status: int, reason: bytes, lines: bytes, length: int | None) -> None:
        """The head of the final answer arrived, with the fields to pass on; `length` None is not known beforehand."""

    def switched(protocol: bytes, reason: bytes, lines: bytes) -> None:
        """The service has taken the offer and speaks `protocol` now: `IAttempt.switch` or `cancel`, at once.

        `lines` are the fields of its answer, without those of the connection.
        """

    def whole(status: int, reason: bytes, lines: bytes, body: bytes) -> None:
        """A whole answer arrived at once, no failure of the target: as `head`, `data`, `end` and `flush`."""

    def data(data: bytes) -> None:
        """A piece of the answer's body arrived."""

    def end(trailers: Fields) -> None:
        """The answer is complete; the attempt is over and must not be used again."""

    def flush() -> None:
        """All that arrived together has been told."""

    def writable(is_writable: bool) -> None:
        """The target stopped taking the request body, or takes it again."""

    def failed(error: Exception) -> None:
        """The attempt is over with a `GatewayError`; it must not be used again."""


class ITransport(Interface):
    """How a target is reached: makes attempts, and owns the connections they use."""

    def lease(receiver: IAttemptReceiver, fresh: bool = False) -> None:
        """Get a connection; `receiver.leased` or `receiver.failed` is called at once or later.

        `fresh` asks for one that has carried no exchange before.
        """

    def cancel(receiver: IAttemptReceiver) -> None:
        """The receiver no longer waits for its lease."""

    def make_room(receiver: IAttemptReceiver) -> bool:
        """End an exchange whose client is too slow, so that the receiver's may begin; False where there is none."""

    def sweep(now: float) -> None:
        """Close connections that have been idle too long. Called several times a second."""

    def close() -> None:
        """Close idle connections now, and each of the others when its attempt is over."""

    def statistics() -> dict[str, int]:
        """Numbers: open, idle, waiting, opened, reused."""


class IBalancer(Interface):
    """Decides which target of a service is tried next."""

    def pick(exchange: Any, now: float, tried: Any = ()) -> Any:
        """The `Target` for the next attempt of an `Exchange`, or None where there is none that may be tried.

        `tried` are those that are not wanted, because this exchange has failed there. Unhealthy and ejected targets are
        passed over unless there is no other in the whole service, and so are those that their breaker keeps from work.
        """


class ICircuitBreaker(Interface):
    """Decides whether a target may be tried. Times are `now` of the same monotonic clock, in seconds."""

    state = Attribute("str: 'closed', 'open' or 'half-open'")

    def allows(now: float) -> int:
        """Ask before an attempt: a permit, or 0 for no.

        A permit must be given back by exactly one of success, failure or cancelled. It tells the breaker when the
        attempt began, so that the outcome of an old one can't be taken for the probe's.
        """

    def success(permit: int, now: float) -> None:
        """The attempt was answered, with whatever is not the target's failure."""

    def failure(permit: int, now: float, reason: str) -> None:
        """The attempt failed by the target's fault."""

    def cancelled(permit: int, now: float) -> None:
        """The attempt ended without a verdict on the target."""

    def retry_after(now: float) -> float:
        """Seconds until the next attempt may be allowed; 0 where it may be now."""

    def describe(now: float) -> dict[str, Any]:
        """State, consecutive failures, and the last changes with their times and reasons."""


class IRateLimiter(Interface):
    """Counts requests per key and refuses those above the limit."""

    def admit(key: str, now: float) -> tuple[bool, int, float]:
        """Count one request if it is admitted; one that is refused does not count.

        Returns (admitted, remaining, wait): how many more would be admitted now, and the seconds until the count
        recovers by one or more. After a refusal, `wait` is when a request is admitted, if nobody else takes the place.
        """

    def peek(key: str, now: float) -> tuple[bool, int, float]:
        """What `admit` would say, with `remaining` before this request; counts nothing."""

    def tracked() -> int:
        """How many keys are remembered."""

    def sweep(now: float) -> None:
        """Forget a bounded number of keys that have nothing left to remember."""


class IPolicyPlugin(Interface):
    """A kind of policy that is not in the box: named under `policies` in the configuration, made for each such route.

    It is given to the gateway, or found: as a `twisted.plugin.IPlugin` in a module of a folder `apigateway/plugins/`.
    """

    name = Attribute("str: its key under `policies` in the configuration, and its name in the log")
    after = Attribute("str: the policy in the box after which it is asked, one of `policies.catalogue.PLACES`")
    options = Attribute("a kind of `apigateway.config`, mostly a `Table`, that reads its options; None: it has none")

    def make(options: Any, tools: Any) -> Any:
        """The `Policy` for one route, or None where it has none there.

        `options` are what its kind has read, `tools` are `PolicyTools`. Called for each configuration that is tried,
        also for those that are not used in the end, so it must begin nothing.
        """


class IHealthChecker(Interface):
    """Probes the targets of a service and tells each target's health."""

    def start() -> None:
        """Begin to probe."""

    def stop() -> None:
        """Probe no more; what is under way is cancelled."""


class IDiscovery(Interface):
    """Finds the targets of one service while the gateway runs. Whoever made it is told when they are others."""

    targets = Attribute("tuple[Target, ...] | None: the last good ones of the model, each place once; None before any")

    def start() -> None:
        """Begin to look; something may be found at once. Once started, does nothing."""

    def stop() -> None:
        """Look no more; what is under way is cancelled."""

    def describe() -> dict[str, Any]:
        """How it looks, how many targets there are, and what goes wrong, as values for JSON."""


class IExchangeObserver(Interface):
    """Sees each exchange once, when it is over. Must be quick and must change nothing."""

    def exchange_ended(exchange: Any) -> None:
        """The exchange is over; its record fields are final."""
