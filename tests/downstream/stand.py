"""A site on a memory network, and behind its entrance a double that takes each exchange and does what a test says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.task import LoopingCall
from twisted.web.resource import Resource
from zope.interface import implementer

from apigateway.downstream.http1_channel import Http1Channel
from apigateway.downstream.site import GatewaySite, SiteLimits
from apigateway.errors import GatewayError
from apigateway.exchange import Exchange
from apigateway.http.answers import Answer, reason
from apigateway.http.lines import join_lines
from apigateway.interfaces import Fields, IUpstream
from apigateway.testing.client import MemoryClient
from apigateway.testing.memory import MemoryNetwork
from apigateway.testing.observer import RecordingObserver
from apigateway.testing.wire import Message

SWEEP_S = 0.25


def ask(
    method: str = "GET", target: str = "/", *fields: str, body: bytes = b"", version: str = "1.1", host: str = "h"
) -> bytes:
    """A request; a body is framed by its length unless a field says otherwise."""
    lines = [f"{method} {target} HTTP/{version}", *([f"Host: {host}"] if host else []), *fields]
    if body and not any(field.lower().startswith(("transfer-encoding", "content-length")) for field in fields):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunks(*pieces: bytes, trailers: bytes = b"") -> bytes:
    """A body in chunks, with its end."""
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n%b\r\n" % trailers


@implementer(IUpstream)
class Answering:
    """Answers one exchange as it is told. `body` is what has arrived of the request, `trailers` are there at its end.

    `gone` counts how often it was told that the client is gone; nothing may be told after that. `when_body` is called
    with each piece.
    """

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.downstream = exchange.downstream
        self.body_so_far = b""
        self.trailers: Fields | None = None
        self.is_paused = False
        self.gone = 0
        self.when_body: Callable[[], None] = lambda: None

    def __repr__(self) -> str:
        return f"<Answering {self.exchange.head.target!r} body={len(self.body_so_far)} gone={self.gone}>"

    # What a test lets it do.

    def take_body(self) -> Answering:
        """Ask the client for its body, and for it to go on."""
        self.downstream.send_continue()
        self.downstream.open_body()
        return self

    def begin(self, status: int = 200, fields: Sequence[tuple[bytes, bytes]] = (), length: int | None = None) -> None:
        """Send the head of the answer."""
        self.exchange.status = status
        self.downstream.send_head(status, reason(status), join_lines(fields), length)
        self.downstream.flush()

    def send(self, data: bytes) -> None:
        """Send a piece of its body."""
        self.downstream.send_body(data)
        self.downstream.flush()

    def finish(self, *trailers: tuple[bytes, bytes]) -> None:
        """End it."""
        self.downstream.finish(list(trailers))
        self.downstream.flush()

    def answer(self, body: bytes = b"", status: int = 200) -> None:
        """Send a whole answer."""
        self.exchange.answer(Answer(status, [], body))

    # IUpstream.

    def body(self, data: bytes) -> None:
        assert not self.gone, "a body although the client is gone"
        assert self.trailers is None, "a body after its end"
        self.body_so_far += data
        self.when_body()

    def body_end(self, trailers: Fields) -> None:
        assert not self.gone, "the end of a body although the client is gone"
        assert self.trailers is None, "two ends of one body"
        self.trailers = list(trailers)

    def pause(self) -> None:
        assert not self.gone, "a pause although the client is gone"
        self.is_paused = True

    def resume(self) -> None:
        assert not self.gone, "a resume although the client is gone"
        self.is_paused = False

    def client_gone(self) -> None:
        self.gone += 1


def wait(one: Answering) -> None:
    """Leave the exchange to the test."""


def echo(one: Answering) -> None:
    """Answer at once with the request target."""
    one.answer(one.exchange.head.target)


def take_body(one: Answering) -> None:
    """Ask the client for its body, and leave the rest to the test."""
    one.take_body()


class Stand:
    """A `GatewaySite` that listens on port 8000, and is swept. `does` is what happens to each exchange that comes in.

    `exchanges` came in, `observer` has those that are over. `root` set: exchanges go to that stock Resource instead.
    """

    def __init__(
        self,
        does: Callable[[Answering], None] = wait,
        limits: SiteLimits | None = None,
        root: Resource | None = None,
    ) -> None:
        self.does = does
        self.root = root
        self.exchanges: list[Answering] = []
        self.observer = RecordingObserver()
        self.network = MemoryNetwork()
        self.site = GatewaySite(
            root or Resource(), self._enter, self._identify, self.observer.exchange_ended, limits or SiteLimits(),
            self.network.now, self.network.reactor,
        )  # fmt: skip
        self.network.reactor.listenTCP(8000, self.site)
        sweeping = LoopingCall(lambda: self.site.sweep(self.network.now()))
        sweeping.clock = self.network.reactor
        sweeping.start(SWEEP_S, now=False)

    def _identify(self, exchange: Exchange) -> None:
        exchange.request_id = b"id-%d" % (len(self.observer.exchanges) + 1)

    def _enter(self, exchange: Exchange) -> Any:
        if self.root is not None:
            return self.root
        one = Answering(exchange)
        exchange.upstream = one
        self.exchanges.append(one)
        self.does(one)
        return None

    @property
    def last(self) -> Answering:
        """The last exchange that came in."""
        return self.exchanges[-1]

    @property
    def targets(self) -> list[str]:
        """The targets of all that came in."""
        return [one.exchange.head.target.decode() for one in self.exchanges]

    def connect(self) -> MemoryClient:
        """A new client."""
        client = self.network.client()
        self.network.pump()
        return client

    def send(self, client: MemoryClient, *data: bytes) -> None:
        """Each of these arrives by itself."""
        for piece in data:
            client.send(piece)
            self.network.pump()

    def client(self, *data: bytes) -> MemoryClient:
        """A new client that has sent this."""
        client = self.connect()
        self.send(client, *data)
        return client

    def after(self, seconds: float) -> None:
        """Time passes."""
        self.network.advance(seconds)

    @property
    def channel(self) -> Http1Channel:
        """The only channel."""
        (channel,) = self.site.channels
        assert isinstance(channel, Http1Channel), channel
        return channel

    @property
    def is_reading(self) -> bool:
        """The only connection is read."""
        return "paused" not in repr(self.channel.transport)


def statuses(messages: list[Message]) -> list[int]:
    """What the answers say, those that are incomplete as negative numbers."""
    return [message.status if message.is_complete else -message.status for message in messages]


def refuse(error: GatewayError) -> Callable[[Answering], None]:
    """Raise it at the entrance."""

    def does(one: Answering) -> None:
        raise error

    return does
