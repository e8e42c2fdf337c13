"""One end of a relay: what arrives there goes to the other end, as it is and at the pace that the other end takes it.

Knows transports, and of WebSockets where their frames end; neither clients nor services, and no time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol, IPushProducer, ISSLTransport
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from apigateway.http.websocket import Frames


@implementer(IProtocol, IHalfCloseableProtocol, IPushProducer)
class RelaySide:
    """Reads from its transport and writes to that of the `other` side.

    `moved` counts bytes that arrived. `frames` follows the frames of a WebSocket. `is_over`: nothing more will arrive,
    `has_ended`: the peer has said so, `is_lost`: the connection is gone, `is_broken`: without having been closed in
    order. `changed` is called with the side after each of them. `last_words` are what the other side gets at the next
    end of a frame, and nothing after that; `has_said` that nothing more is passed on.
    """

    __slots__ = (
        "transport", "other", "frames", "moved", "is_over", "has_ended", "is_lost", "is_broken", "last_words",
        "has_said", "_changed",
    )  # fmt: skip

    other: RelaySide

    def __init__(self, frames: Frames | None, changed: Callable[[RelaySide], None]) -> None:
        self.transport: Any = None
        self.frames = frames
        self.moved = 0
        self.is_over = self.has_ended = self.is_lost = self.is_broken = self.has_said = False
        self.last_words: bytes | None = None
        self._changed = changed

    def __repr__(self) -> str:
        state = "lost" if self.is_lost else "over" if self.is_over else "open"
        return f"<RelaySide {state} moved={self.moved} {self.frames or ''}>"

    # The connection.

    def makeConnection(self, transport: Any) -> None:
        """See `IProtocol.makeConnection`. From now on the transport tells how its peer takes what is written."""
        self.transport = transport
        transport.registerProducer(self, True)

    def connectionMade(self) -> None:
        """See `IProtocol.connectionMade`."""

    def dataReceived(self, data: bytes) -> None:
        """Pass it on."""
        self.moved += len(data)
        if self.last_words is not None:
            self._end(data)
            return
        if self.frames is not None:
            self.frames.feed(data)
        self.other.transport.write(data)

    def readConnectionLost(self) -> None:
        """The peer sends no more, but may still read (a half-closed connection)."""
        self.is_over = self.has_ended = True
        self._changed(self)

    def writeConnectionLost(self) -> None:
        """What we had to send is sent."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        self.is_over = self.is_lost = True
        self.is_broken = reason.check(ConnectionDone) is None
        self._changed(self)

    # Back-pressure: this side's transport takes no more, so that nothing more is read at the other.

    def pauseProducing(self) -> None:
        """The peer reads slowly."""
        self.other.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """The peer reads again."""
        self.other.transport.resumeProducing()

    def stopProducing(self) -> None:
        """The connection is lost; `connectionLost` follows."""

    # The end.

    def say_last(self, words: bytes) -> None:
        """Tell the other side this, as soon as no frame is incomplete there, and nothing after it.

        Who has got a close frame of this side's peer already gets no other.
        """
        if self.last_words is None:
            self.last_words = words
            self._end(b"")

    def _end(self, data: bytes) -> None:
        frames = self.frames
        if frames is None:
            return  # nobody is left to have it
        if not self.has_said:
            size = frames.take_frame(data)
            if size:
                self.other.transport.write(data[:size])
                data = data[size:]
            if frames.is_between:
                self.has_said = True
                if not frames.is_closed and self.last_words:
                    self.other.transport.write(self.last_words)
        if data:
            frames.feed(data)  # it goes nowhere: only the answer to the other side's last words is of interest
        if frames.is_closed:
            self._changed(self)

    def end_sending(self) -> None:
        """Send what has been written, and then no more; reading goes on where there is a way to say so."""
        if self.is_over or ISSLTransport.providedBy(self.transport):  # TLS has no halves
            self.close()
        elif not self.is_lost:
            self.transport.unregisterProducer()
            self.transport.loseWriteConnection()

    def close(self) -> None:
        """Close when all that was written is sent; what the other side sends from now on is dropped."""
        if self.is_lost:
            return
        other = self.other
        other.has_said = True
        if other.last_words is None:
            other.last_words = b""
        self.transport.unregisterProducer()
        self.transport.loseConnection()
        if not other.is_lost:
            other.transport.resumeProducing()

    def cut(self) -> None:
        """Close now."""
        if not self.is_lost:
            self.transport.abortConnection()

    def forget(self) -> None:
        """Both connections are gone, and so is whoever wanted to know."""
        del self.other, self.transport, self._changed
