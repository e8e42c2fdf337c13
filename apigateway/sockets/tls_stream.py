"""A connection that speaks TLS, once its handshake is done: the transport of one protocol, over another transport.

The transport below keeps its ways with flow control, with small writes and with ends; here is only what TLS adds.
Knows nothing of how certificates are judged, and of the handshake only that it is over.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from cryptography import x509
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableProtocol,
    ILoggingContext,
    INegotiated,
    IPushProducer,
    ISSLTransport,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from apigateway.sockets.tls import TRUNCATED, Peer, TlsFailed, peer_of
from apigateway.sockets.tls_wire import INCOMING, OUTGOING, PLAIN, RECORD, SLICE, clear
from apigateway.sockets.unsent import waiting

MOST_TALK = 4 * 1024
"""Who makes TLS itself talk, by asking for new keys, and leaves so much of it unread, is cut."""

MOST_LEFT = 64 * 1024
"""Who is gone gets what is left, up to so much: small writes may only wait for the end of a round."""


@implementer(ISSLTransport, INegotiated, IPushProducer, IConsumer, ILoggingContext)
class TlsStream:
    """`below` carries it, and has it for a protocol; `protocol` is above, and has it for a transport.

    The end that the other side announces (close_notify) comes to a protocol that can close by halves as
    `readConnectionLost`, and to others as the end of the connection. An end that nobody announced is no
    `ConnectionDone`: something may have been cut off (RFC 8446 §6.1).

    `first_data` is called once, before the first bytes are delivered: by then the other end has given its tickets.
    """

    __slots__ = (
        "first_data", "_below", "_tls", "wrappedProtocol", "_read", "_write", "_is_pulled", "_closing", "_said_end",
        "_heard_end", "_over", "_why", "_talked", "has_delivered",
    )  # fmt: skip

    has_halves = True
    """`loseWriteConnection` ends this side alone."""

    def __init__(self, below: Any, tls: ssl.SSLObject, first_data: Callable[[], None] | None = None) -> None:
        self.first_data = first_data
        self._below = below
        self._tls = tls
        self.wrappedProtocol: Any = None
        self._read: Any = tls.read  # into a buffer it gives a number, which its types do not know
        self._write = tls.write
        self.has_delivered = False
        self._is_pulled = self._closing = self._said_end = self._heard_end = self._over = False
        self._why: Exception | None = None
        self._talked = 0

    def __repr__(self) -> str:
        state = "over" if self._over else "ending" if self._said_end or self._heard_end else "open"
        return f"<TlsStream {self._tls.version()} {state}>"

    def begin(self, protocol: Any, rest: bytes) -> None:
        """The handshake is done: the protocol's turn. `rest` is what came right behind it."""
        self.wrappedProtocol = protocol
        self._below.protocol = self
        protocol.makeConnection(self)
        if rest:
            self.dataReceived(rest)

    # To the transport below it is a protocol.

    def dataReceived(self, data: bytes) -> None:
        """Some ciphertext."""
        if self._over or self._heard_end:
            return  # behind its end nothing counts (RFC 8446 §6.1)
        plain = self._decrypt(data)
        if OUTGOING.pending:
            self._talk()
        if plain:
            if self.first_data is not None:
                tell, self.first_data = self.first_data, None
                tell()
            self.has_delivered = True
            self.wrappedProtocol.dataReceived(plain)
        if (self._heard_end or self._why is not None) and not self._over:
            self._end_of_reading()

    def _decrypt(self, data: bytes) -> bytes:
        """All that is here. An end or a fault behind it is noted."""
        read = self._read
        pieces: list[bytes] = []
        INCOMING.write(data)
        try:
            size = read(RECORD, PLAIN)
            if size and not INCOMING.pending:
                return bytes(PLAIN[:size])  # as mostly
            while size:
                pieces.append(bytes(PLAIN[:size]))
                if not INCOMING.pending:
                    break
                size = read(RECORD, PLAIN)
            else:
                self._heard_end = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self._heard_end = True
        except ssl.SSLError as error:
            self._why = TlsFailed.because(error)
        clear()
        return b"".join(pieces)

    def _talk(self) -> None:
        """TLS has something of its own to say: new keys, or an alert."""
        said = OUTGOING.read()
        self._talked = self._talked + len(said) if waiting(self._below) else 0
        if self._talked > MOST_TALK:
            self.abortConnection()
        else:
            self._below.write(said)

    def _end_of_reading(self) -> None:
        if self._why is not None:
            self._finish()
        elif self._said_end or not IHalfCloseableProtocol.providedBy(self.wrappedProtocol):
            self._why = ConnectionDone()
            self._say_end()
            self._finish()
        else:
            self.wrappedProtocol.readConnectionLost()

    def _finish(self) -> None:
        """Nothing more can be said: in order, unless the other end does not take what there is."""
        self._over = True
        if self._is_pulled or waiting(self._below) > MOST_LEFT:
            self._below.abortConnection()
        else:
            self._below.unregisterProducer()  # one that is held back would be waited for
            self._below.loseConnection()

    def connectionLost(self, reason: Failure) -> None:
        """The transport below is gone."""
        protocol, self.wrappedProtocol = self.wrappedProtocol, None
        self.first_data = None
        self._over = True
        if self._why is not None:
            reason = Failure(self._why)
        elif not (self._heard_end or self._said_end) and reason.check(ConnectionDone):
            reason = Failure(TlsFailed(TRUNCATED, "the connection ended without the word that TLS has for it"))
        protocol.connectionLost(reason)

    def logPrefix(self) -> str:
        """See `ILoggingContext.logPrefix`."""
        return "tls"

    # To the protocol above it is a transport: writing.

    def write(self, data: bytes) -> None:
        """See `ITransport.write`."""
        if self._said_end or self._over or not data:
            return
        try:
            if len(data) <= SLICE:
                self._write(data)
                self._below.write(OUTGOING.read())
            else:
                whole = memoryview(data)
                for begin in range(0, len(data), SLICE):
                    self._write(whole[begin : begin + SLICE])
                    self._below.write(OUTGOING.read())
                    if self._said_end or self._over:
                        break  # the producer has heard that it is to wait, and would not
        except ssl.SSLError as error:
            self._why = TlsFailed.because(error)
            self._below.write(OUTGOING.read())
            self._finish()

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """See `ITransport.writeSequence`."""
        self.write(b"".join(iovec))

    @property
    def unsent(self) -> int:
        """How much of what was written, encrypted, has not left the process."""
        return waiting(self._below)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """See `IConsumer.registerProducer`."""
        self._is_pulled = not streaming
        self._below.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """See `IConsumer.unregisterProducer`."""
        self._is_pulled = False
        self._below.unregisterProducer()
        if self._closing:
            self._close()

    # Ends.

    def loseConnection(self) -> None:
        """Say that this is the end, behind all that was written, and close.

        What a producer that is pulled still has to give is waited for, and whatever else comes later is not sent. The
        other end's answer to that word is not waited for (RFC 8446 §6.1).
        """
        self._closing = True
        if not self._is_pulled:
            self._close()

    def _close(self) -> None:
        self._closing = False
        if self._over:
            return
        self._say_end()
        self._below.unregisterProducer()
        self._below.loseConnection()

    def loseWriteConnection(self) -> None:
        """Say that nothing more comes, and go on reading."""
        if not self._over:
            self._say_end()
            self._below.loseWriteConnection()

    def _say_end(self) -> None:
        if self._said_end:
            return
        self._said_end = True
        with suppress(ssl.SSLError):  # the other end has not answered yet, and need not
            self._tls.unwrap()
        self._below.write(OUTGOING.read())

    def abortConnection(self) -> None:
        """See `ITCPTransport.abortConnection`."""
        self._over = True
        self._below.abortConnection()

    # Reading.

    def pauseProducing(self) -> None:
        """See `IPushProducer.pauseProducing`. TLS reads nothing either: to write it needs to hear nothing."""
        self._below.pauseProducing()

    def resumeProducing(self) -> None:
        """See `IPushProducer.resumeProducing`."""
        self._below.resumeProducing()

    def stopProducing(self) -> None:
        """See `IProducer.stopProducing`."""
        self.loseConnection()

    def read_now(self) -> bool:
        """Read what waits in the kernel, and deliver it, before the reactor does.

        True where that was data, or an end: with a connection at rest one as bad as the other. What is only between the
        two sides of TLS, such as tickets, is no news to anybody.
        """
        before, self.has_delivered = self.has_delivered, False
        why = self._below.doRead()
        is_news = why is not None or self.has_delivered or self._heard_end or self._over
        self.has_delivered = before or self.has_delivered
        return is_news

    # What there is to know.

    @property
    def disconnecting(self) -> bool:
        """It closes as soon as all has been sent."""
        return self._closing or bool(getattr(self._below, "disconnecting", False))

    @property
    def peer(self) -> Peer:
        """The other end, and what was settled with it."""
        return peer_of(self._tls)

    @property
    def resumed(self) -> bool:
        """Whether an earlier session went on."""
        return bool(self._tls.session_reused)

    @property
    def session(self) -> ssl.SSLSession | None:
        """What a later connection may go on with."""
        return self._tls.session

    @property
    def negotiatedProtocol(self) -> bytes | None:
        """See `INegotiated.negotiatedProtocol`."""
        protocol = self._tls.selected_alpn_protocol()
        return None if protocol is None else protocol.encode("ascii")

    def getPeerCertificate(self) -> x509.Certificate | None:
        """The other end's certificate; None where it showed none."""
        shown = self._tls.getpeercert(True)
        return None if shown is None else x509.load_der_x509_certificate(shown)

    def getPeer(self) -> Any:
        """See `ITransport.getPeer`."""
        return self._below.getPeer()

    def getHost(self) -> Any:
        """See `ITransport.getHost`."""
        return self._below.getHost()

    def getHandle(self) -> Any:
        """The socket; None where there is none. What waits there to be read are records, which need not hold data."""
        return self._below.getHandle() if hasattr(self._below, "getHandle") else None

    def fileno(self) -> int:
        """Of the socket."""
        return int(self._below.fileno())

    def setTcpNoDelay(self, enabled: bool) -> None:
        """See `ITCPTransport.setTcpNoDelay`."""
        self._below.setTcpNoDelay(enabled)

    def getTcpNoDelay(self) -> bool:
        """See `ITCPTransport.getTcpNoDelay`."""
        return bool(self._below.getTcpNoDelay())

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """See `ITCPTransport.setTcpKeepAlive`."""
        self._below.setTcpKeepAlive(enabled)

    def getTcpKeepAlive(self) -> bool:
        """See `ITCPTransport.getTcpKeepAlive`."""
        return bool(self._below.getTcpKeepAlive())
