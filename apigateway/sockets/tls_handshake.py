"""A handshake, at either end: the protocol of a connection until it is done, when a `TlsStream` takes its place.

What is offered and judged is decided by whoever begins it. A failure is told once, and costs no more than that: who
connects to a port of TLS may be anybody.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from apigateway.sockets.tls import CUT, TIMED_OUT, TlsFailed
from apigateway.sockets.tls_stream import TlsStream
from apigateway.sockets.tls_turns import Turns
from apigateway.sockets.tls_wire import INCOMING, OUTGOING, clear

MOST_KEPT = 32 * 1024
"""With so much that waits for its turn nothing more is read."""

Begin = Callable[[bytes], "ssl.SSLObject | None"]
"""Given what has come so far, OpenSSL's part of the connection; None where that is too little. Raises `TlsFailed`."""

Build = Callable[[TlsStream], Any]
"""The protocol for a connection whose handshake is done. Raises whatever is wrong with the other end."""


class Handshake(Protocol):
    """`speaks_first` is the client's end. `failed` is told why there will be no protocol."""

    transport: Any

    def __init__(
        self,
        begin: Begin,
        build: Build,
        failed: Callable[[TlsFailed], None],
        turns: Turns,
        speaks_first: bool = False,
    ) -> None:
        self._begin = begin
        self._build = build
        self._failed = failed
        self._turns = turns
        self._speaks_first = speaks_first
        self._tls: ssl.SSLObject | None = None
        self._kept = b""
        self._waits = self._paused = self._over = False

    def __repr__(self) -> str:
        state = "over" if self._over else "waiting" if self._waits else "running"
        return f"<Handshake {state} kept={len(self._kept)}>"

    def connectionMade(self) -> None:
        """The client begins."""
        if self._speaks_first:
            self._ask()

    def dataReceived(self, data: bytes) -> None:
        """Keep it until there is a turn."""
        if self._over:
            return
        self._kept += data
        if not self._waits:
            self._ask()
        elif len(self._kept) > MOST_KEPT and not self._paused:
            self._paused = True
            self.transport.pauseProducing()

    def _ask(self) -> None:
        self._waits = True
        self._turns.ask(self._step)

    def _step(self) -> None:
        self._waits = False
        if self._over:
            return
        try:
            self._go_on()
        except ssl.SSLError as error:
            self._fail(TlsFailed.because(error, self._tls))
        except TlsFailed as why:
            self._fail(why)
        else:
            if self._paused and not self._over:
                self._paused = False
                self.transport.resumeProducing()

    def _go_on(self) -> None:
        if self._tls is None:
            self._tls = self._begin(self._kept)
            if self._tls is None:
                return
        data, self._kept = self._kept, b""
        if data:
            INCOMING.write(data)
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self.transport.write(OUTGOING.read())
        else:
            self._done(self._tls, INCOMING.read() if INCOMING.pending else b"")

    def _done(self, tls: ssl.SSLObject, rest: bytes) -> None:
        stream = TlsStream(self.transport, tls)
        last = OUTGOING.read()
        if last:
            self.transport.write(last)
        try:
            protocol = self._build(stream)
        except Exception as error:
            raise TlsFailed.because(error) from error
        if self._over:
            return  # it was given up meanwhile
        self._end()
        if self._paused:
            self.transport.resumeProducing()
        stream.begin(protocol, rest)

    def _end(self) -> Callable[[TlsFailed], None]:
        """It is over; returns who is told if it has failed."""
        failed = self._failed
        self._over = True
        # Who made this holds it, and is not held by it: the collector comes late, and OpenSSL's part has 40 KiB.
        self._tls = None
        self._kept = b""
        self._begin = self._build = self._failed = _no_more
        return failed

    def _fail(self, why: TlsFailed) -> None:
        if self._over:
            return
        failed = self._end()
        clear()
        self.transport.write(OUTGOING.read())
        self.transport.loseConnection()
        failed(why)

    def give_up(self, reason: str = TIMED_OUT) -> None:
        """It has taken too long, or there is no room for it."""
        if not self._over:
            failed = self._end()
            self.transport.abortConnection()
            failed(TlsFailed(reason))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The other end left."""
        if not self._over:
            self._end()(TlsFailed(CUT, "the connection ended during the handshake"))


def _no_more(_: Any) -> Any:
    """What is asked of a handshake that is over."""
