"""One connection of the treq transport: Twisted's client protocol, and before it a reader of answers.

Twisted has no limit on answer heads, waits for ever after a 101, drops interim answers and the spelling of fields,
takes anything for trailers, and keeps connections that the service asked to close. So all is read a second time, by
the same reader and rules as on native connections, before Twisted sees it. Knows no pool and no receiver.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any
from typing import Protocol as Shape

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IAddress, IProtocolFactory, ITCPTransport
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

from apigateway.errors import BAD_RESPONSE, GatewayError
from apigateway.http.response_reader import ResponseReader
from apigateway.interfaces import Fields


class HeadWatcher(Shape):
    """Whom a connection tells of the answer. `heard` turns True with the first byte of it."""

    heard: bool

    def interim_read(self, status: int, fields: Fields) -> None:
        """An interim answer arrived."""

    def head_read(self, reader: ResponseReader) -> None:
        """The head of the final answer arrived; Twisted gets it next."""

    def head_refused(self, error: GatewayError) -> None:
        """What arrived is no answer; the connection is dropped."""

    def segment_over(self) -> None:
        """All that arrived together has been told."""


class TreqConnection(Protocol):
    """A connection, `inner` being the protocol that speaks HTTP on it.

    `ready` fires with `inner` once requests can be sent. `exchanges` counts those begun. `keep` turns False when the
    connection must not carry another one.
    """

    transport: ITCPTransport

    def __init__(self, inner: Any, gone: Callable[[TreqConnection], None]) -> None:
        self.inner = inner
        self.watcher: HeadWatcher | None = None
        self.exchanges = 0
        self.keep = True
        self.ended_cleanly = False
        self.ready: Deferred[Any] = Deferred(self._give_up)
        self._gone = gone
        self._reader = ResponseReader()
        self._begun = self._head_told = False
        self.is_lost = False

    def __repr__(self) -> str:
        state = "lost" if self.is_lost else "busy" if self.watcher else "idle"
        return f"<TreqConnection {state} exchanges={self.exchanges}>"

    @property
    def is_leaving(self) -> bool:
        """Closing at rest. Over TLS that may take for ever, if the service never agrees."""
        return self.watcher is None and bool(getattr(self.transport, "disconnecting", False))

    def lend(self, watcher: HeadWatcher) -> None:
        """Begin an exchange."""
        self.exchanges += 1
        self.watcher = watcher

    def expect_answer(self, is_head: bool) -> None:
        """A request is sent now: read its answer."""
        self._reader.expect(is_head)
        self._begun = self._head_told = False

    def drop(self) -> None:
        """Cut the connection. Twisted's pool learns it at once, and not when the reactor gets round to it."""
        if not self.is_lost:
            self._end(Failure(ConnectionAborted()))
            self.transport.abortConnection()

    def _give_up(self, ready: Deferred[Any]) -> None:
        ready.errback(CancelledError())
        self.drop()

    # The protocol.

    def connectionMade(self) -> None:
        """Requests can be sent now."""
        self.inner.makeConnection(self.transport)
        if not self.ready.called:
            self.ready.callback(self.inner)

    def dataReceived(self, data: bytes) -> None:
        """Read first, then let Twisted read."""
        watcher = self.watcher
        if self.inner.state == "QUIESCENT" or watcher is None:
            self.drop()
            return
        if not self._begun:
            data = data.lstrip(b"\r\n")  # Twisted takes no empty line before an answer, as others do
            self._begun = bool(data)
        watcher.heard = True
        if not self._read(self._reader, watcher, data):
            return
        parser = self.inner._parser
        self.inner.dataReceived(data)
        _part(parser, self.inner)
        if self.inner.state == "TRANSMITTING" and getattr(self.transport, "disconnecting", False):
            # Twisted could not read the answer, and while it still sends the request it tells nobody.
            watcher.head_refused(GatewayError(BAD_RESPONSE, "The answer is not HTTP."))
            self.drop()
            return
        if not self.keep and self.inner.state == "QUIESCENT":
            self.drop()
        watcher.segment_over()

    def _read(self, reader: ResponseReader, watcher: HeadWatcher, data: bytes) -> bool:
        """True where Twisted may read on."""
        if self._head_told and reader.passes(data):
            return True
        reader.feed(data)
        reader.chunks = []
        interim, reader.interim = reader.interim, []
        for status, fields in interim:
            watcher.interim_read(status, fields)
        if reader.error is not None:
            watcher.head_refused(reader.error)
            self.drop()
            return False
        if reader.status:
            # Before Twisted learns of the end, and gives the connection to the next.
            self.keep = self.keep and reader.keep_alive and not reader.excess
            if not self._head_told:
                self._head_told = True
                watcher.head_read(reader)
        return not self.is_lost

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008  # as the base has it
        """Pass it on, unless the connection was dropped by us."""
        if not self.is_lost:
            self._end(reason)

    def _end(self, reason: Failure) -> None:
        self.is_lost = True
        self.ended_cleanly = reason.check(ConnectionDone) is not None
        self._gone(self)
        self._reader.forget()
        parser = self.inner._parser
        with suppress(AttributeError):  # having given up on an answer in the middle of a request, Twisted stumbles here
            self.inner.connectionLost(reason)
        _part(parser, self.inner)
        if not self.ready.called:
            self.ready.errback(reason)


def _part(parser: Any, inner: Any) -> None:
    """Twisted's parser of an answer and its decoder of chunks hold each other, and all of the answer, when it is over.

    The collector comes late.
    """
    if parser is not None and inner._parser is not parser:
        parser.bodyDecoder = None


class TreqConnectionFactory(Factory):
    """Puts a `TreqConnection` around each protocol that `inner` makes."""

    noisy = False

    def __init__(
        self, inner: IProtocolFactory, made: Callable[[TreqConnection], None], gone: Callable[[TreqConnection], None],
    ) -> None:  # fmt: skip
        self._inner = inner
        self._made = made
        self._gone = gone

    def buildProtocol(self, addr: IAddress | None) -> TreqConnection:
        """A new connection."""
        inner = self._inner.buildProtocol(addr)  # type: ignore[arg-type]  # the two interfaces disagree about None
        connection = TreqConnection(inner, self._gone)
        self._made(connection)
        return connection
