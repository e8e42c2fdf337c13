"""A client's connection: whatever is sent, whatever the exchanges do, and in whatever order.

Nothing is raised or logged as failed. What the client gets is HTTP as h11 reads it, one answer an exchange at most, in
their order, each the right one. What is held is bounded. When the connection is gone no exchange is left, each has
ended once, and who worked for one was told once. A client that stays and is silent loses its connection in the end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import h11
from twisted.internet.task import LoopingCall
from twisted.web.resource import Resource

from apigateway.downstream.site import GatewaySite, SiteLimits
from apigateway.errors import CONNECTION_LOST, RATE_LIMITED, GatewayError
from apigateway.exchange import Exchange
from apigateway.http.request_reader import PIPELINED, HeadLimits
from apigateway.testing.client import MemoryClient
from apigateway.testing.memory import MemoryNetwork
from apigateway.testing.memory_transport import HIGH_WATER, PIPE, MemoryTransport
from apigateway.testing.observer import RecordingObserver
from tests.downstream.stand import Answering
from tests.fuzz.target import Target, nothing_logged_as_failed, parts, split
from tests.fuzz.targets.words import REQUESTS

SMALL = SiteLimits(HeadLimits(head=400, fields=8, uri=60))
SHORTEST_REQUEST = len(b"GET / HTTP/1.1\r\nHost:\r\n\r\n") - 8
PIECE = 20_000
SWEEP_S = 4.0
MOST_WAITING = 5000
SLACK = 64 * 1024
SELDOM = 16


def check(data: bytes) -> None:
    """The first line is what happens, see `DOES` and `EVENTS`; the rest is what the client sends, in pieces."""
    script, stream = parts(data)
    doing, _, events = script.partition(b"|")
    with nothing_logged_as_failed():
        stage = _Stage(doing.decode("latin-1"), SMALL if b"s" in events else SiteLimits())
        for number, piece in enumerate([stream] if b"1" in events else split(stream)):
            stage.send(piece)
            stage.happens(chr(events[number % len(events)]) if events else "")
        stage.end()


class _Working(Answering):
    """Works for an exchange, and keeps in `said` what its client should have of it."""

    def __init__(self, exchange: Exchange, said: dict[bytes, bytes]) -> None:
        super().__init__(exchange)
        self._said = said

    def send(self, data: bytes) -> None:
        request_id = self.exchange.request_id
        self._said[request_id] = self._said.get(request_id, b"") + data
        super().send(data)

    def answer(self, body: bytes = b"", status: int = 200) -> None:
        self._said[self.exchange.request_id] = body
        super().answer(body, status)


class _Page(Resource):
    """A stock page that shows what it was sent."""

    isLeaf = True
    max_body = 1000

    def __init__(self, said: dict[bytes, bytes]) -> None:
        super().__init__()
        self._said = said

    def render(self, request: Any) -> bytes:
        body: bytes = request.content.read()
        shown = self._said[request.exchange.request_id] = _marked(request.exchange) + body[:10]
        return shown


def _held(part: object, seen: set[int] | None = None) -> int:
    """Bytes that a part of the gateway holds, with all that is reachable from it but for what all connections share."""
    seen = set() if seen is None else seen
    if id(part) in seen or isinstance(part, (GatewaySite, MemoryTransport, Answering)):
        return 0
    seen.add(id(part))
    if isinstance(part, (bytes, bytearray)):
        return len(part)
    if isinstance(part, dict):
        return sum(_held(one, seen) for item in part.items() for one in item)
    if isinstance(part, (list, tuple, deque, set)):
        return sum(_held(one, seen) for one in part)
    if not type(part).__module__.startswith("apigateway."):
        return 0
    names = [*getattr(type(part), "__slots__", ()), *getattr(part, "__dict__", ())]
    return sum(_held(getattr(part, name, None), seen) for name in names)


def _marked(exchange: Exchange) -> bytes:
    """A body that tells whose answer it is."""
    return exchange.request_id + b" "


class _Stage:
    """A site, one client, and what works for the exchanges."""

    def __init__(self, doing: str, limits: SiteLimits) -> None:
        self.doing = doing or "e"
        self.network = MemoryNetwork()
        self.observer = RecordingObserver()
        self.at_work: list[_Working] = []
        self.said: dict[bytes, bytes] = {}
        self.begun = self.sent = self.steps = 0
        self.has_left = False
        self.site = GatewaySite(
            _Page(self.said), self._enter, self._identify, self.observer.exchange_ended, limits, self.network.now,
            self.network.reactor,
        )  # fmt: skip
        self.network.reactor.listenTCP(8000, self.site)
        sweeping = LoopingCall(lambda: self.site.sweep(self.network.now()))
        sweeping.clock = self.network.reactor
        sweeping.start(SWEEP_S, now=False)
        self.client: MemoryClient = self.network.client()
        self.network.pump()
        (self.channel,) = self.site.channels

    def _identify(self, exchange: Exchange) -> None:
        self.begun += 1
        exchange.request_id = b"<%d>" % self.begun

    def _enter(self, exchange: Exchange) -> Any:
        does = self.doing[(self.begun - 1) % len(self.doing)]
        if does == "p":
            exchange.max_body = _Page.max_body
            return self.site.resource
        one = _Working(exchange, self.said)
        exchange.upstream = one
        self.at_work.append(one)
        DOES.get(does, _echo)(one)
        return None

    def send(self, piece: bytes) -> None:
        """The client sends, if it still can."""
        self.sent += len(piece)
        if self.client.is_open:
            self.client.send(piece)
        self.network.pump()
        self.check_bounds()

    def happens(self, event: str) -> None:
        """Something happens between two pieces."""
        EVENTS.get(event, lambda stage: None)(self)
        self.network.pump()
        self.check_bounds()

    def check_bounds(self) -> None:
        """What the connection holds is bounded by what may arrive at once."""
        reader = self.channel._reader
        at_once = min(self.sent, PIPE)  # while it does not read
        assert len(reader.ready) <= PIPELINED + at_once // SHORTEST_REQUEST + 1, len(reader.ready)
        self.steps += 1
        if self.steps % SELDOM == 0:
            assert _held(self.channel) <= 8 * self.sent + SLACK, _held(self.channel)
        transport: Any = self.channel.transport
        assert len(transport._unsent) <= HIGH_WATER + PIECE * 4, len(transport._unsent)

    def end(self) -> None:
        """The client goes, or stays until it is sent away."""
        self.finish()
        if self.begun % 2 and self.client.is_open:
            self.client.read_again()
            self.network.advance(200)
            self.finish()
            self.network.advance(200)
            assert not self.site.channels, f"{self.channel!r} stays for ever"
        elif self.client.is_open:
            self.has_left = True
            self.client.reset()
            # Who is not read, because requests wait, is missed when the next answer is written.
            self.finish()
        self.network.advance(300)
        self.check_over()

    def finish(self) -> None:
        """All that is at work comes to an end, and what waited behind it."""
        for _ in range(MOST_WAITING):
            self.network.pump()
            if not (working := self.working()):
                return
            for one in working:
                _answer(one)
        raise AssertionError(f"{self.channel!r} does not come to its end")

    def working(self) -> list[_Working]:
        """Those whose exchange goes on."""
        return [one for one in self.at_work if one.exchange.upstream is one]

    def check_over(self) -> None:
        """Nothing is left, and the client got what it should."""
        assert not self.site.channels, self.site.channels
        assert self.channel._exchange is None
        assert not self.channel._reader.ready
        ended = self.observer.exchanges
        assert len(ended) == self.begun, (len(ended), self.begun)
        assert len(set(map(id, ended))) == self.begun
        assert all(one.gone <= 1 and one.exchange.upstream is None for one in self.at_work)
        assert self.begun <= self.sent // SHORTEST_REQUEST + 1
        check_answers(self.client.received, ended, self.said, self.has_left)


def check_answers(received: bytes, ended: list[Exchange], said: dict[bytes, bytes], has_left: bool) -> None:
    """What was received is an answer to each in turn; only the last may be cut short, unless the client left."""
    rest = received
    for number, exchange in enumerate(ended, 1):
        if not rest:
            return
        connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
        method = exchange.head.method or b"GET"
        connection.send(h11.Request(method=method, target=b"/", headers=[(b"Host", b"a")]))
        connection.send(h11.EndOfMessage())
        connection.receive_data(rest)
        body, is_whole = _take(connection, is_last=has_left or number == len(ended))
        if exchange.cause is None:
            right = b"" if method == b"HEAD" else said[exchange.request_id]
            assert body == right if is_whole else right.startswith(body), (body, right)
        rest = connection.trailing_data[0]
        if not is_whole or connection.their_state is h11.MUST_CLOSE:
            break
    assert not rest, f"more was sent than answers: {rest[:200]!r}"


def _take(connection: h11.Connection, is_last: bool) -> tuple[bytes, bool]:
    """The body of one answer, and whether it was all there."""
    body = b""
    ended = False
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError:
            # The end of the connection came too early: it was cut on purpose, which only the last can be.
            assert ended, "that was not HTTP"
            assert is_last, "an answer was cut, and others follow"
            return body, False
        if isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            return body, True
        elif event in (h11.NEED_DATA, h11.PAUSED):
            if ended:
                return body, False
            ended = True
            connection.receive_data(b"")
        elif isinstance(event, h11.ConnectionClosed):
            return body, False


# What is done for an exchange.


def _echo(one: _Working) -> None:
    one.answer(_marked(one.exchange) + one.exchange.head.target)


def _answer(one: _Working) -> None:
    """Whatever state it is in, come to an end."""
    if one.exchange.status:
        one.finish()
    else:
        one.answer(_marked(one.exchange))


def _take_body(one: _Working) -> None:
    one.take_body()


def _hold_body(one: _Working) -> None:
    one.when_body = one.downstream.pause_body
    one.take_body()


def _in_pieces(one: _Working) -> None:
    one.begin()
    one.send(_marked(one.exchange))
    one.send(b"")
    one.send(b"x" * 9)
    one.finish((b"X-Sum", b"1"))


def _known_length(one: _Working) -> None:
    one.begin(length=len(_marked(one.exchange)) + 3)
    one.send(_marked(one.exchange))
    one.send(b"abc")
    one.finish()


def _begin_only(one: _Working) -> None:
    one.begin()
    one.send(_marked(one.exchange))


def _much(one: _Working) -> None:
    """A stream that goes on for as long as it may."""
    _begin_only(one)
    for _ in range(20):
        if not one.is_paused and one.exchange.upstream is one:
            one.send(b"y" * PIECE)


def _cut(one: _Working) -> None:
    _begin_only(one)
    one.exchange.fail(GatewayError(CONNECTION_LOST, "It was cut."))


def _interim(one: _Working) -> None:
    one.downstream.send_informational(103, [(b"Link", b"</a>")])
    one.downstream.flush()
    _echo(one)


def _without_body(one: _Working) -> None:
    one.answer(status=204)


def _refuse(one: _Working) -> None:
    raise GatewayError(RATE_LIMITED, "Too many.", retry_after_s=1)


DOES: dict[str, Callable[[_Working], None]] = {
    "e": _echo, "w": lambda one: None, "b": _take_body, "h": _hold_body, "c": _in_pieces, "l": _known_length,
    "o": _begin_only, "m": _much, "x": _cut, "i": _interim, "n": _without_body, "g": _refuse,
}  # fmt: skip
"""What is done for each exchange in turn, before the `|`; `p` is a stock page."""


def _each(act: Callable[[_Working], None]) -> Callable[[_Stage], None]:
    def happens(stage: _Stage) -> None:
        for one in stage.working():
            act(one)

    return happens


def _client(name: str) -> Callable[[_Stage], None]:
    def happens(stage: _Stage) -> None:
        if stage.client.is_open:
            stage.has_left = stage.has_left or name in ("reset", "close")
            getattr(stage.client, name)()

    return happens


EVENTS: dict[str, Callable[[_Stage], None]] = {
    "a": _each(_answer),
    "b": _each(lambda one: one.downstream.resume_body()),
    "f": _each(lambda one: one.exchange.fail(GatewayError(CONNECTION_LOST, "It was cut."))),
    "t": lambda stage: stage.network.advance(5),
    "T": lambda stage: stage.network.advance(100),
    "p": _client("stop_reading"),
    "q": _client("read_again"),
    "k": _client("reset"),
    "c": _client("close"),
    "z": lambda stage: stage.site.stop_accepting_requests(),
}
"""What happens between two pieces, one after the other, after the `|`; there `s` makes limits small, `1` one piece."""

TARGET = Target(check, (*REQUESTS, b"|", *(name.encode() for name in (*DOES, *EVENTS))), short_runs=250)
