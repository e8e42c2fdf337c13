"""Where lies are told: a gateway in memory, a liar behind it, and what clients must never get."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import h11
from twisted.internet.protocol import Factory, Protocol

from apigateway.testing.client import MemoryClient
from apigateway.testing.gateway import RunningGateway, running_gateway
from apigateway.testing.memory import MemoryNetwork
from tests.smuggling.answers import Read, read_answers, read_one
from tests.smuggling.ground import CONFIGURATION
from tests.smuggling.responses import POISON, Lie

Split = Callable[[bytes], Sequence[bytes]]

_ID = re.compile(rb"\r\nX-Request-Id: ([^\r]*)\r\n")
_MADE_BY_GATEWAY = frozenset((502, 504))
_HOP = frozenset((
    b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization", b"te",
    b"transfer-encoding", b"upgrade", b"content-length",
))  # fmt: skip
_ADDED = frozenset((b"via", b"x-request-id", b"date"))


class LiarConnection(Protocol):
    """Lies once if it is asked to, and is honest otherwise: then the body of its answer is the request's id."""

    transport: Any

    def __init__(self, liar: Liar) -> None:
        self.liar = liar
        self.has_lied = False
        self._data = b""

    def dataReceived(self, data: bytes) -> None:
        """Answer each head; bodies of requests are not told from heads, and none of those that matter here has any."""
        self._data += data
        while b"\r\n\r\n" in self._data:
            head, _, self._data = self._data.partition(b"\r\n\r\n")
            self._answer(head + b"\r\n")

    def _answer(self, head: bytes) -> None:
        target = head.split(b" ", 2)[1]
        if target == b"/lie":
            self.has_lied = True
            self.liar.liars.append(self)
            return
        lie = self.liar.lie
        if self.has_lied:
            self.liar.asked_again = True
            self.transport.write(lie.next)
        if self.liar.poisons:
            self.transport.write(POISON)
            return
        found = _ID.search(head)
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 32\r\n\r\n" + (found[1] if found else b"-" * 32))


class Liar(Factory):
    """A service that tells one lie. `asked_again` says that the connection on which it did got another request.

    One that `poisons` answers all others with what is for nobody.
    """

    noisy = False

    def __init__(self) -> None:
        self.lie = Lie(b"")
        self.liars: list[LiarConnection] = []
        self.asked_again = self.poisons = False

    def buildProtocol(self, addr: object) -> LiarConnection:
        """A new connection."""
        return LiarConnection(self)


class Told:
    """What came of a lie. `got` is the answer that its client got, None where the connection was cut before any."""

    def __init__(self) -> None:
        self.got: Read | None = None
        self.reused = False
        self.disagreements: list[str] = []

    @property
    def refused(self) -> bool:
        """The gateway answered instead of the service, or cut its answer."""
        return self.got is None or not self.got.is_complete or self.got.status in _MADE_BY_GATEWAY


class Stage:
    """A gateway, and a liar behind it."""

    def __init__(self, transport: str = "native") -> None:
        self.network = MemoryNetwork()
        self.network.hosts["one"] = ["10.0.0.5"]
        self.liar = Liar()
        self.network.listen("10.0.0.5", 80, self.liar)
        self.gateway: RunningGateway = running_gateway(CONFIGURATION % transport, self.network)
        self.network.pump()

    def tell(self, lie: Lie, split: Split = lambda data: [data]) -> Told:
        """Let a service lie to one client, and see what that one, and others after it, get."""
        liar, told = self.liar, Told()
        if lie.next and may_be_reused(lie):
            lie = lie._replace(next=b"")  # who is as good as honest, and lies the next time, can't be known
        liar.lie, liar.liars, liar.asked_again = lie, [], False
        client = self._ask(
            b"%b /lie HTTP/1.1\r\nHost: h\r\n%b\r\n" % (lie.method, _LONG if lie.method == b"POST" else b"")
        )
        if not liar.liars:
            told.disagreements.append("the service was not asked")
            return told
        self._say(liar.liars[-1], split(lie.now), lie.closes)
        told.disagreements += self._first(told, lie, client)
        if lie.later and liar.liars[-1].transport.connected:
            self._say(liar.liars[-1], split(lie.later), False)
        told.disagreements += self._others(client)
        told.reused = liar.asked_again
        if told.reused and not may_be_reused(lie):
            told.disagreements.append("the connection is used again")
        self._clean(liar)
        return told

    def _ask(self, data: bytes) -> MemoryClient:
        client = self.gateway.client().send(data)
        self.network.pump()
        return client

    def _say(self, service: LiarConnection, pieces: Sequence[bytes], closes: bool) -> None:
        for piece in pieces:
            service.transport.write(piece)
            self.network.pump()
        if closes:
            service.transport.loseConnection()
            self.network.pump()

    def _first(self, told: Told, lie: Lie, client: MemoryClient) -> Iterator[str]:
        """What the lie's own client gets is one answer that h11 can read, and what h11 read of the service's bytes."""
        try:
            answers = list(read_answers(client.received, [lie.method], not client.is_open))
        except h11.RemoteProtocolError as error:
            yield f"the client can't read its answer: {error}: {client.received[:300]!r}"
            return
        if not answers:
            return
        told.got = got = answers[0]
        if got.is_complete and not told.refused:
            yield from _compare(got, lie)

    def _others(self, client: MemoryClient) -> Iterator[str]:
        """Whoever asks next gets an honest answer; the first one too, if its connection is still good."""
        asking = [self.gateway.client("198.51.100.9") for _ in range(2)]
        self.network.pump()
        before = 0
        if client.is_open and self._is_answered(client):
            asking.append(client)
            before = len(client.received)
        for one in asking:
            one.send(b"GET /after HTTP/1.1\r\nHost: h\r\n\r\n")
            self.network.pump()
            received = one.received[before:] if one is client else one.received
            answers = list(read_answers(received, [b"GET"], not one.is_open))
            if not answers or not answers[0].is_complete or answers[0].status != 200:
                yield f"another client gets {received!r}"
            elif dict(answers[0].fields).get(b"x-request-id") != answers[0].body:
                yield f"another client is betrayed: {received!r}"
            if one.is_open:
                one.close()
        self.network.pump()

    def _is_answered(self, client: MemoryClient) -> bool:
        return bool(client.received) and all(one.at_rest for one in self.gateway.gateway.site.channels)

    def _clean(self, liar: Liar) -> None:
        self.network.cut("10.0.0.5")
        self.network.pump()
        for link in list(self.network.links):
            link.cut()
        self.network.pump()
        self.gateway.observer.exchanges.clear()


_LONG = b"Content-Length: 10\r\n"


def _compare(got: Read, lie: Lie) -> Iterator[str]:
    try:
        theirs, _ = read_one(_without_empty_lines(lie.now), lie.method, lie.closes)
    except h11.RemoteProtocolError as error:
        if b"0" * 20 in lie.now:
            return  # h11 bounds the number of digits, the gateway what they say
        yield f"h11 does not read it ({error}), and the client gets {got}"
        return
    if (got.status, got.body) != (theirs.status, theirs.body) or not theirs.is_complete:
        yield f"h11 reads {theirs}, and the client gets {got}"
    named = {
        option.strip().lower() for name, value in theirs.fields if name == b"connection" for option in value.split(b",")
    }
    passed = [field for field in theirs.fields if field[0] not in _HOP | _ADDED | named]
    if [field for field in got.fields if field[0] not in _HOP | _ADDED] != passed:
        yield f"h11 reads the fields {theirs.fields}, and the client gets {got.fields}"


def _without_empty_lines(answers: bytes) -> bytes:
    """What h11 can read, of answers before which there are line ends; the gateway skips those."""
    answers = answers.lstrip(b"\r\n")
    head, end, rest = answers.partition(b"\r\n\r\n")
    return head + end + _without_empty_lines(rest) if end and head.startswith(b"HTTP/1.1 1") else answers


def may_be_reused(lie: Lie) -> bool:
    """Whether nothing was wrong with an answer, in the opinion of h11; that 1.0 can stay it does not know."""
    said, later = _without_empty_lines(lie.now), lie.later
    try:
        read, rest = read_one(said, lie.method, lie.closes)
        if not read.is_complete:
            (read, rest), later = read_one(_without_empty_lines(said + later), lie.method, lie.closes), b""
    except h11.RemoteProtocolError:
        return b"0" * 20 in lie.now
    announced = any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0") for name, value in read.fields
    )
    if announced and (lie.method == b"HEAD" or read.status in (204, 304)):
        return False
    keeps = read.keeps or (b"connection", b"keep-alive") in read.fields
    return read.is_complete and keeps and not rest.strip(b"\r\n") and not later
