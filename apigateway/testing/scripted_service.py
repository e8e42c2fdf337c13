"""A service whose behaviour a test writes down, step by step; on a memory network or on real sockets.

Requests are kept as they arrived, read with a parser of its own, and answered as the script says, right or wrong.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IDelayedCall, IListeningPort, IPullProducer
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from apigateway.testing.steps import Answer, HeaderValues, ReadAll, Step
from apigateway.testing.wire import Message, WireReader

Script = tuple[Step, ...]


class ScriptedConnection(Protocol):
    """One connection to a scripted service. `requests` arrived on it; `lost` is why it ended (None: it is open)."""

    transport: Any

    def __init__(self, service: ScriptedService) -> None:
        self.lost: Failure | None = None
        self._service = service
        self._reader = WireReader(is_response=False, changed=self._request_changed, keep=service.keep)
        self._turns: deque[tuple[Message | None, Script]] = deque()
        self._steps: deque[Step] = deque()
        self._request: Message | None = None
        self._awaited: Callable[[], bool] | None = None
        self._timer: IDelayedCall | None = None
        self._busy = self._running = False

    def __repr__(self) -> str:
        state = "open" if self.lost is None else "closed"
        return f"<ScriptedConnection {state} {self.requests} {list(self._steps)}>"

    @property
    def requests(self) -> list[Message]:
        """What arrived, the last one perhaps incomplete."""
        return self._reader.messages

    @property
    def is_idle(self) -> bool:
        """Open, with nothing under way: every request was read to its end and every script is over."""
        is_read = all(request.is_complete for request in self.requests)
        return self.lost is None and is_read and not (self._busy or self._steps or self._turns)

    # What steps do.

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self.transport.write(data)

    def send_from(self, producer: IPullProducer) -> None:
        """Let a producer send."""
        self.transport.registerProducer(producer, False)

    def stop_sending(self) -> None:
        """The producer is done."""
        self.transport.unregisterProducer()

    def read(self, wanted: bool) -> None:
        """Read on, or no more."""
        if wanted:
            self.transport.resumeProducing()
        else:
            self.transport.pauseProducing()

    def later(self, seconds: float) -> None:
        """Go on after some time."""
        self._timer = self._service.reactor.callLater(seconds, self.go_on)

    def wait_until(self, condition: Callable[[], bool]) -> bool:
        """Go on when something holds that only what arrives can change; True where it holds already."""
        if condition():
            return True
        self._awaited = condition
        return False

    def insert(self, *steps: Step) -> None:
        """Do these before the steps that are left."""
        self._steps.extendleft(reversed(steps))

    def close(self) -> None:
        """Close when all is sent."""
        self.transport.loseConnection()

    def close_sending(self) -> None:
        """Send no more."""
        self.transport.loseWriteConnection()

    def reset(self) -> None:
        """Close at once."""
        self.transport.abortConnection()

    def go_on(self) -> None:
        """The step that kept the script waiting is over."""
        self._busy = False
        self._run()

    def _run(self) -> None:
        if self._running:
            return
        self._running = True
        while not self._busy and self.lost is None:
            if self._steps:
                self._busy = True
                if self._steps.popleft().run(self, self._request):
                    self._busy = False
            elif self._turns:
                self._request, script = self._turns.popleft()
                self._steps.extend(script)
            else:
                break
        self._running = False

    def _request_changed(self, request: Message) -> None:
        if not request.is_complete:
            self._service.requests.append(request)
            self._turns.append((request, self._service.next_script()))
            self._run()
        self._look()

    def _look(self) -> None:
        if self._awaited is not None and self._awaited():
            self._awaited = None
            self.go_on()

    # IProtocol.

    def connectionMade(self) -> None:
        """Do what the service does when a connection is made."""
        self._service.connections.append(self)
        self._turns.append((None, self._service.greeting))
        self._run()

    def dataReceived(self, data: bytes) -> None:
        """Read on."""
        self._reader.feed(data)
        self._look()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Keep the reason; the script is over."""
        self.lost = reason
        if self._timer is not None and self._timer.active():
            self._timer.cancel()


class ScriptedService(Factory):
    """A service that does what it is told.

    Each request takes the next of the scripts given to `script`, or where there is none the usual one, which answers
    200 without a body until `answers` or `does` says otherwise. A script begins when the request's head is there.
    `greeting` are the steps on each new connection, before any request.

    `requests` and `connections` are all there were, in their order. Of each body `keep` bytes are kept.
    """

    noisy = False

    def __init__(self, keep: int = 1 << 20) -> None:
        self.requests: list[Message] = []
        self.connections: list[ScriptedConnection] = []
        self.greeting: Script = ()
        self.keep = keep
        self.reactor: Any = None
        self._listener: IListeningPort | None = None
        self._place = (0, "")
        self._usual: Script = (ReadAll(), Answer())
        self._scripts: deque[Script] = deque()

    def __repr__(self) -> str:
        return f"<ScriptedService {len(self.requests)} requests on {len(self.connections)} connections>"

    def listen(self, reactor: Any, port: int = 0, host: str = "127.0.0.1") -> IListeningPort:
        """Listen with a reactor, a memory network's or a real one."""
        self.reactor = reactor
        listener: IListeningPort = reactor.listenTCP(port, self, interface=host)
        self._listener = listener
        self._place = (listener.getHost().port, host)  # type: ignore[attr-defined]  # TCP's addresses have it
        return listener

    @property
    def port(self) -> int:
        """Where it listens, or did."""
        return self._place[0]

    # How it goes away, and comes back.

    @property
    def is_listening(self) -> bool:
        """Connections are not refused."""
        return self._listener is not None

    def refuse(self) -> Deferred[None]:
        """From now on refuse connections; those that are there stay. Fires when nobody listens any more."""
        listener: Any = self._listener
        self._listener = None
        return maybeDeferred(listener.stopListening) if listener is not None else succeed(None)

    def die(self) -> Deferred[None]:
        """As a process that is killed: refuse connections, and reset those that are there."""
        for connection in self.open_connections:
            connection.reset()
        return self.refuse()

    def come_back(self) -> None:
        """Listen again where it did before, after `refuse` or `die`."""
        assert self._listener is None, "it listens already"
        self.listen(self.reactor, *self._place)

    def stop_accepting(self) -> None:
        """Take no connection, and refuse none either, as a process that hangs.

        In memory, attempts to connect then hang. On real sockets the kernel makes connections on its own until its
        backlog is full; to the other end they look made, and nothing is ever read from them.
        """
        self._port().pauseProducing()

    def accept_again(self) -> None:
        """Take connections, those that wait among them."""
        self._port().resumeProducing()

    def close_idle(self, reset: bool = False) -> int:
        """Close, or reset, the connections on which nothing is under way; returns how many there were."""
        idle = [connection for connection in self.connections if connection.is_idle]
        for connection in idle:
            (connection.reset if reset else connection.close)()
        return len(idle)

    def _port(self) -> Any:
        assert self._listener is not None, "it does not listen"
        return self._listener

    def answers(
        self,
        status: int = 200,
        body: bytes = b"",
        headers: HeaderValues = (),
        chunks: Sequence[bytes] | None = None,
    ) -> ScriptedService:
        """From now on usually answer this, when the request is complete."""
        return self.does(ReadAll(), Answer(status, body, headers, None if chunks is None else tuple(chunks)))

    def does(self, *steps: Step) -> ScriptedService:
        """From now on usually do this."""
        self._usual = steps
        return self

    def script(self, *steps: Step) -> ScriptedService:
        """Do this for the next request that has no script yet."""
        self._scripts.append(steps)
        return self

    def forget_scripts(self) -> ScriptedService:
        """From now on only what it usually does."""
        self._scripts.clear()
        return self

    @property
    def open_connections(self) -> list[ScriptedConnection]:
        """Those that have not ended."""
        return [connection for connection in self.connections if connection.lost is None]

    def next_script(self) -> Script:
        """What to do for a new request."""
        return self._scripts.popleft() if self._scripts else self._usual

    def buildProtocol(self, addr: object) -> ScriptedConnection:
        """A new connection."""
        return ScriptedConnection(self)
