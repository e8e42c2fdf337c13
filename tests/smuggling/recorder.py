"""A service that reads with h11 and keeps what it read: the second opinion on what the gateway sends.

Each answer says in its body which request it answers.
"""

from __future__ import annotations

from typing import Any

import h11
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

LARGE = 1 << 20


class Seen:
    """A request as h11 read it. `fields` have lower-case names, as h11 gives them; `trailers` are names only."""

    def __init__(self, request: h11.Request) -> None:
        self.method = bytes(request.method)
        self.target = bytes(request.target)
        self.fields = [(bytes(name), bytes(value)) for name, value in request.headers]
        self.body = b""
        self.trailers: list[bytes] = []
        self.is_complete = False

    def __repr__(self) -> str:
        state = "complete" if self.is_complete else "incomplete"
        return f"<Seen {self.method!r} {self.target!r} {len(self.body)} {state}>"

    def all(self, name: bytes) -> list[bytes]:
        """The values of a field."""
        return [value for key, value in self.fields if key == name]

    @property
    def id(self) -> bytes:
        """The request id that the gateway gave it; where there is not exactly one, none."""
        found = self.all(b"x-request-id")
        return found[0] if len(found) == 1 else b""


class RecorderConnection(Protocol):
    """One connection to a recorder."""

    transport: Any

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=LARGE)
        self._request: Seen | None = None

    def connectionMade(self) -> None:
        """One more."""
        self._recorder.connections.add(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """One less."""
        self._recorder.connections.discard(self)

    def dataReceived(self, data: bytes) -> None:
        """Read on; what h11 refuses is kept, and ends the connection."""
        try:
            self._h11.receive_data(data)
            while self._step(self._h11.next_event()):
                pass
        except h11.RemoteProtocolError as error:
            self._recorder.refused.append(f"{error}: {data[:200]!r}")
            self.transport.loseConnection()

    def _step(self, event: Any) -> bool:
        if isinstance(event, h11.Request):
            self._request = Seen(event)
            self._recorder.seen.append(self._request)
            if self._recorder.early:
                self._answer(self._request)
        elif isinstance(event, h11.Data) and self._request is not None:
            self._request.body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage) and self._request is not None:
            self._request.is_complete = True
            self._request.trailers = [bytes(name) for name, _ in event.headers]
            if not self._recorder.early:
                self._answer(self._request)
            self._next()
        else:
            return False
        return True

    def _answer(self, request: Seen) -> None:
        body = request.id
        send = self._h11.send
        out = send(h11.Response(status_code=200, headers=[(b"Content-Length", b"%d" % len(body))])) or b""
        out += send(h11.Data(data=body if request.method != b"HEAD" else b"")) or b""
        self.transport.write(out + (send(h11.EndOfMessage()) or b""))

    def _next(self) -> None:
        if self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE:
            self._h11.start_next_cycle()
        else:
            self.transport.loseConnection()


class Recorder(Factory):
    """What h11 read, in `seen`, and why it would not read on, in `refused`.

    `connections` are those that are open. `early`: it answers at the end of a head, and not at that of the body.
    """

    noisy = False

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.refused: list[str] = []
        self.early = False
        self.connections: set[RecorderConnection] = set()

    def buildProtocol(self, addr: object) -> RecorderConnection:
        """A new connection."""
        return RecorderConnection(self)
