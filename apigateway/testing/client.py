"""A raw client: sends bytes as given, shows what came back, and can read slowly or go away."""

from __future__ import annotations

from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from apigateway.testing.wire import Message, WireReader


class MemoryClient(Protocol):
    """One connection of a client. `received` is all that came, `lost` why the connection ended (None: it is open)."""

    def __init__(self) -> None:
        self.lost: Failure | None = None
        self._unsent = b""
        self._pieces: list[bytes] = []

    def __repr__(self) -> str:
        state = "open" if self.is_open else "closed"
        return f"<MemoryClient {state} received={len(self.received)}>"

    @property
    def received(self) -> bytes:
        """All that came so far."""
        # Put together when somebody looks: at each piece, it would cost many megabytes' time.
        if len(self._pieces) > 1:
            self._pieces = [b"".join(self._pieces)]
        return self._pieces[0] if self._pieces else b""

    @property
    def is_open(self) -> bool:
        """Connected, or still connecting."""
        return self.lost is None

    def send(self, data: bytes) -> MemoryClient:
        """Send bytes as they are, as soon as the connection is there."""
        if self.transport is None:
            self._unsent += data
        else:
            self.transport.write(data)
        return self

    def close(self) -> None:
        """Close properly."""
        assert self.transport is not None, "the client isn't connected yet: pump the network"
        self.transport.loseConnection()

    def reset(self) -> None:
        """Go away without a word."""
        assert self.transport is not None, "the client isn't connected yet: pump the network"
        self.transport.abortConnection()  # type: ignore[attr-defined]  # the memory network's transports have it

    def stop_reading(self) -> None:
        """Take nothing more for now."""
        assert self.transport is not None, "the client isn't connected yet: pump the network"
        self.transport.pauseProducing()  # type: ignore[attr-defined]  # the memory network's transports have it

    def read_again(self) -> None:
        """Take what comes."""
        assert self.transport is not None, "the client isn't connected yet: pump the network"
        self.transport.resumeProducing()  # type: ignore[attr-defined]  # the memory network's transports have it

    def answers(self, *methods: str) -> list[Message]:
        """What came, read as HTTP answers, interim ones among them.

        `methods` are those of the requests, where HEAD is one of them: its answer has no body.
        """
        reader = WireReader(is_response=True, methods=methods)
        reader.feed(self.received)
        if not self.is_open:
            reader.end()
        return reader.messages

    # IProtocol.

    def connectionMade(self) -> None:
        """Send what has waited for this."""
        assert self.transport is not None
        self.transport.write(self._unsent)
        self._unsent = b""

    def dataReceived(self, data: bytes) -> None:
        """Keep it."""
        self._pieces.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Keep the reason."""
        self.lost = reason
