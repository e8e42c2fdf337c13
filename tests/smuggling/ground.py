"""Where attacks are played: a gateway in memory, a recorder behind it, and the comparison of what either understood."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import h11

from apigateway.exchange import Exchange
from apigateway.http.heads import RequestHead
from apigateway.http.upgrade import WEBSOCKET, offered
from apigateway.testing.client import MemoryClient
from apigateway.testing.gateway import RunningGateway, running_gateway
from apigateway.testing.memory import MemoryNetwork
from apigateway.upstream.steps.forward import Forward
from tests.smuggling.answers import Read, read_answers
from tests.smuggling.recorder import Recorder, Seen

CONFIGURATION = """
services:
  one:
    prefix: /
    targets: ["http://one:80"]
    transport: %s
    headers: {host: pass}
    rate_limit: false
    circuit_breaker: false
    health_check: false
    retries: false
"""

WRITTEN = frozenset((
    b"host", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-request-id", b"via", b"te",
    b"connection", b"content-length", b"transfer-encoding", b"upgrade",
))  # fmt: skip
"""What the gateway writes itself, each once at most; all else must be as the client sent it."""

_DECISIVE = frozenset((b"authorization", b"cookie", b"expect", b"forwarded", b"trailer", b"upgrade", b"x-real-ip"))
"""What else decides about a request, and must not come behind its body."""


class Judged:
    """A request as the gateway's policies had it: its head, and the body that went by them."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.body = b""

    @property
    def head(self) -> RequestHead:
        """The head that routes and policies look at."""
        return self.exchange.head

    @property
    def is_served(self) -> bool:
        """The service answered; else the gateway did."""
        return bool(self.exchange.answered) and self.exchange.cause is None

    @property
    def is_over(self) -> bool:
        """It came to its end; else the client went away from it."""
        return self.exchange.cause is None or self.exchange.cause.code != "client-gone"

    @property
    def is_refused(self) -> bool:
        """It could not be read, or not to its end."""
        exchange = self.exchange
        wrong = exchange.cause is not None and exchange.cause.code not in _UNROUTABLE
        return wrong and exchange.status in _REFUSALS and not exchange.answered

    def __repr__(self) -> str:
        cause = self.exchange.cause.code if self.exchange.cause else "served"
        return f"<Judged {self.head.method!r} {self.head.target!r} {len(self.body)} {self.exchange.status} {cause}>"


class Played(NamedTuple):
    """What came of an attack."""

    judged: list[Judged]
    seen: list[Seen]
    received: bytes
    is_closed: bool
    disagreements: list[str]

    @property
    def refused(self) -> bool:
        """The gateway would not read on."""
        return any(one.is_refused for one in self.judged)

    @property
    def forwarded(self) -> int:
        """How many requests the service read whole."""
        return sum(one.is_complete for one in self.seen)


_REFUSALS = frozenset((400, 408, 413, 414, 417, 431))
_UNROUTABLE = frozenset(("no-route",))
"""Nothing was wrong with how these were written, so the connection may stay."""


class Ground:
    """A gateway, and a recorder behind it that stays from one attack to the next, as do their connections."""

    def __init__(self, transport: str = "native") -> None:
        self.network = MemoryNetwork()
        self.network.hosts["one"] = ["10.0.0.5"]
        self.recorder = Recorder()
        self.network.listen("10.0.0.5", 80, self.recorder)
        self.gateway: RunningGateway = running_gateway(CONFIGURATION % transport, self.network)
        self.network.pump()

    def play(self, pieces: Sequence[bytes], early: bool = False) -> Played:
        """Send these pieces on one connection, and compare; then ask something harmless, which must be answered."""
        recorder, observer = self.recorder, self.gateway.observer
        recorder.seen, recorder.refused, recorder.early = [], [], early
        observer.exchanges.clear()
        with bodies_heard() as bodies:
            client = self.gateway.client()
            self.network.pump()
            for piece in pieces:
                client.send(piece)
                self.network.pump()
            received, is_closed = client.received, not client.is_open
            self._leave(client)
        judged = [Judged(exchange) for exchange in observer.exchanges]
        for one in judged:
            one.body = bodies.get(one.exchange.request_id, b"")
        played = Played(judged, recorder.seen, received, is_closed, [])
        played.disagreements.extend(compare(played, recorder.refused))
        played.disagreements.extend(self._ask_after())
        return played

    def _leave(self, client: MemoryClient) -> None:
        if client.is_open:
            client.close()
        self.network.pump()
        if client.is_open:
            client.reset()
            self.network.pump()

    def _ask_after(self) -> Iterator[str]:
        """Whoever comes next gets an answer, and that answer."""
        self.recorder.early, self.recorder.seen = False, []
        client = self.gateway.client("198.51.100.9").send(b"GET /after HTTP/1.1\r\nHost: h\r\n\r\n")
        self.network.pump()
        seen = self.recorder.seen
        if [one.target for one in seen] != [b"/after"]:
            yield f"the next client's request arrives as {seen}"
        elif not client.received.endswith(b"\r\n\r\n" + seen[0].id):
            yield f"the next client gets {client.received!r}"
        self._leave(client)


@contextmanager
def bodies_heard() -> Iterator[dict[bytes, bytes]]:
    """What goes by as bodies on the way to services, by request id."""
    heard: dict[bytes, bytes] = {}
    body = Forward.body

    def listening(self: Forward, data: bytes) -> None:
        heard[self.exchange.request_id] = heard.get(self.exchange.request_id, b"") + data
        body(self, data)

    Forward.body = listening  # type: ignore[method-assign]  # put back below
    try:
        yield heard
    finally:
        Forward.body = body  # type: ignore[method-assign]


def compare(played: Played, refused: list[str]) -> Iterator[str]:
    """What the two sides disagree about."""
    for why in refused:
        yield f"the service can't read what it got: {why}"
    judged = {one.exchange.request_id: one for one in played.judged}
    for seen in played.seen:
        one = judged.get(seen.id)
        if one is None:
            yield f"nobody judged {seen} {seen.fields}"
        else:
            yield from _compare_requests(one, seen)
    ids = [seen.id for seen in played.seen]
    yield from (f"seen twice: {one!r}" for one in set(ids) if ids.count(one) > 1)
    if ids != [one for one in judged if one in ids]:
        yield f"seen in another order: {ids}"
    complete = {seen.id for seen in played.seen if seen.is_complete}
    for one in played.judged:
        if one.is_served and one.exchange.request_id not in ids:
            yield f"answered, but never seen: {one}"
        if one.is_refused and one.exchange.request_id in complete:
            yield f"refused, but seen whole: {one}"
    yield from _compare_answers(played)


def _compare_requests(judged: Judged, seen: Seen) -> Iterator[str]:
    head = judged.head
    if (seen.method, seen.target) != (head.method, head.target):
        yield f"judged as {judged}, seen as {seen}"
    if seen.all(b"host") != [(head.special.get(b"host") or b"one").strip()]:
        yield f"judged as for {head.special.get(b'host')!r}, seen as for {seen.all(b'host')}"
    if head.get(b"host") != (None if head.special.get(b"host") is None else head.special[b"host"].strip()):
        yield f"policies that ask for the host get {head.get(b'host')!r}, routes {head.special.get(b'host')!r}"
    if seen.body != judged.body[: len(seen.body)] or (seen.is_complete and seen.body != judged.body):
        yield f"judged with the body {judged.body!r}, seen with {seen.body!r}"
    if seen.is_complete and head.length > 0 and len(seen.body) != head.length:
        yield f"judged with {head.length} bytes, seen with {len(seen.body)}"
    fields = [(name.lower(), value.strip(b" \t")) for name, value in head.plain]
    passed = [field for field in seen.fields if field[0] not in WRITTEN]
    if passed != fields:
        yield f"judged with {fields}, seen with {passed}"
    if seen.all(b"upgrade") and (seen.all(b"upgrade") != [WEBSOCKET] or WEBSOCKET not in offered(head)):
        yield f"offered to the service, and not by the client: {seen.all(b'upgrade')}"
    named = [name for name, _ in head.fields]
    yield from (f"hidden from policies: {name!r}" for name, _ in head.plain if name not in named)
    for name in {name for name, _ in seen.fields if name in WRITTEN}:
        if len(seen.all(name)) > 1:
            yield f"more than one {name.decode()}: {seen.all(name)}"
    merged = [name for name in seen.trailers if name.replace(b"_", b"-") in WRITTEN | _DECISIVE]
    yield from (f"not judged, as it came behind the body: {name!r}" for name in merged)
    spelled = [name for name, _ in seen.fields if name not in WRITTEN and name.replace(b"_", b"-") in WRITTEN]
    yield from (f"another spelling of what the gateway writes: {name!r}" for name in spelled)


def _compare_answers(played: Played) -> Iterator[str]:
    """Each request that was judged has one answer, that of its own; there are no others."""
    asked = played.judged
    try:
        answers = list(read_answers(played.received, [one.head.method for one in asked], played.is_closed))
    except h11.RemoteProtocolError as error:
        yield f"the client can't read its answers: {error}"
        return
    complete = [answer for answer in answers if answer.is_complete]
    ended = [one for one in asked if one.is_over]
    if len(complete) < len(ended):
        yield f"{len(ended)} requests and {len(complete)} whole answers"
    for one, answer in zip(asked, answers, strict=False):
        yield from _compare_answer(one, answer)
    if played.refused and not played.is_closed and answers and answers[-1].status in _REFUSALS:
        yield f"refused, and the connection stays: {answers[-1]}"


def _compare_answer(judged: Judged, answer: Read) -> Iterator[str]:
    if not judged.exchange.status and not answer.status:
        return  # perhaps told to go on, but the client went away
    if answer.status != judged.exchange.status:
        yield f"{judged} is answered with {answer.status}"
    ids = [value for name, value in answer.fields if name == b"x-request-id"]
    if ids != [judged.exchange.request_id]:
        yield f"{judged} is answered as {ids}"
    is_whole = answer.is_complete and judged.is_served and judged.head.method != b"HEAD"
    if is_whole and answer.body != judged.exchange.request_id:
        yield f"{judged} gets the answer of another: {answer.body!r}"


Play = Callable[[Sequence[bytes]], Played]
__all__: list[Any] = ["Ground", "Judged", "Play", "Played", "bodies_heard", "compare"]
