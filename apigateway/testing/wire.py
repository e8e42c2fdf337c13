"""HTTP/1 messages read from bytes by a small parser of its own, so that tests don't trust the one that they test.

Takes what is well-formed, and raises `ValueError` for the rest; it is no model of how to read what strangers send.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial

_NO_BODY = (b"204", b"304")


class Message:
    """A request or an answer, as far as it has arrived.

    `raw_head` is the head as received. `size` counts the bytes of the body; `body` holds them up to the reader's
    bound.
    """

    def __init__(self, raw_head: bytes) -> None:
        first, *lines = raw_head.split(b"\r\n")
        self.raw_head = raw_head
        self.first, self.second, self.third = _parts(first)
        self.fields = [_field(line) for line in lines]
        self.size = 0
        self._pieces: list[bytes] = []
        self.trailers: list[tuple[bytes, bytes]] = []
        self.is_complete = False

    def __repr__(self) -> str:
        state = "complete" if self.is_complete else "incomplete"
        return f"<Message {self.first.decode()} {self.second.decode()} body={self.size} {state}>"

    @property
    def body(self) -> bytes:
        """What is kept of the body."""
        # Put together when somebody looks: at each piece, it would cost a long body's time again and again.
        if len(self._pieces) > 1:
            self._pieces = [b"".join(self._pieces)]
        return self._pieces[0] if self._pieces else b""

    def add(self, data: bytes, keep: int) -> None:
        """More of the body has come; of all of it `keep` bytes are kept."""
        kept = keep - self.size
        self.size += len(data)
        if kept > 0:
            self._pieces.append(data[:kept])

    @property
    def method(self) -> str:
        """Of a request."""
        return self.first.decode()

    @property
    def target(self) -> str:
        """Of a request."""
        return self.second.decode("latin-1")

    @property
    def status(self) -> int:
        """Of an answer."""
        return int(self.second)

    @property
    def reason(self) -> bytes:
        """Of an answer."""
        return self.third

    def get(self, name: bytes) -> bytes | None:
        """The first value of a field, whatever its spelling; None if it isn't there."""
        return next(iter(self.get_all(name)), None)

    def get_all(self, name: bytes) -> list[bytes]:
        """The values of a field, in their order."""
        return [value for key, value in self.fields if key.lower() == name.lower()]


def _parts(line: bytes) -> tuple[bytes, bytes, bytes]:
    parts = line.split(b" ", 2)
    if len(parts) < 2:
        raise ValueError(f"{line!r} begins no message")
    return parts[0], parts[1], parts[2] if len(parts) > 2 else b""


def _field(line: bytes) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(b":")
    if not colon:
        raise ValueError(f"{line!r} is no field")
    return name, value.strip(b" \t")


class WireReader:
    """The messages of one direction of one connection.

    Calls `changed` with a message when its head is complete and again when its body is. `methods` are those of the
    requests that the answers belong to; where one is missing, it is taken for one whose answer may have a body.
    """

    def __init__(
        self,
        is_response: bool,
        methods: Iterable[str] = (),
        changed: Callable[[Message], None] = lambda message: None,
        keep: int = 1 << 30,
    ) -> None:
        self.messages: list[Message] = []
        self._is_response = is_response
        self._methods = deque(methods)
        self._changed = changed
        self._keep = keep
        self._buffer = bytearray()
        self._step: Callable[[], bool] = self._head

    def expect(self, method: str) -> None:
        """One more request has been sent."""
        self._methods.append(method)

    def feed(self, data: bytes) -> None:
        """Read on."""
        self._buffer += data
        while self._step():
            pass

    def end(self) -> None:
        """The connection is closed: a body without any other end is complete."""
        if self._step == self._until_end:
            self._finish(self.messages[-1])

    # Each step returns whether another may follow at once.

    def _head(self) -> bool:
        head = self._cut_at(b"\r\n\r\n")
        if head is None:
            return False
        message = Message(head)
        self.messages.append(message)
        self._step = self._body_step(message)
        self._changed(message)
        return True

    def _body_step(self, message: Message) -> Callable[[], bool]:
        if self._has_no_body(message):
            return partial(self._known, message, 0)
        if message.get(b"transfer-encoding") == b"chunked":
            return partial(self._chunk_size, message)
        length = message.get(b"content-length")
        if length is not None:
            return partial(self._known, message, int(length))
        return self._until_end if self._is_response else partial(self._known, message, 0)

    def _has_no_body(self, message: Message) -> bool:
        if not self._is_response:
            return False
        if message.second.startswith(b"1"):
            return True
        method = self._methods.popleft() if self._methods else ""
        return method == "HEAD" or message.second in _NO_BODY

    def _known(self, message: Message, size: int) -> bool:
        left = size - message.size
        if left and not self._buffer:
            return False
        self._add(message, left)
        if message.size == size:
            self._finish(message)
        return True

    def _chunk_size(self, message: Message) -> bool:
        line = self._cut_at(b"\r\n")
        if line is None:
            return False
        size = int(line.split(b";")[0], 16)
        self._step = partial(self._chunk, message, message.size + size) if size else partial(self._trailers, message)
        return True

    def _chunk(self, message: Message, until: int) -> bool:
        if message.size < until:
            if not self._buffer:
                return False
            self._add(message, until - message.size)
            return True
        if len(self._buffer) < 2:
            return False
        if self._buffer[:2] != b"\r\n":
            raise ValueError("a chunk is longer than it said")
        del self._buffer[:2]
        self._step = partial(self._chunk_size, message)
        return True

    def _trailers(self, message: Message) -> bool:
        line = self._cut_at(b"\r\n")
        if line:
            message.trailers.append(_field(line))
        elif line is not None:
            self._finish(message)
        return line is not None

    def _until_end(self) -> bool:
        self._add(self.messages[-1], len(self._buffer))
        return False

    def _cut_at(self, mark: bytes) -> bytes | None:
        at = self._buffer.find(mark)
        if at < 0:
            return None
        head = bytes(self._buffer[:at])
        del self._buffer[: at + len(mark)]
        return head

    def _add(self, message: Message, most: int) -> None:
        data = bytes(self._buffer[:most])
        del self._buffer[:most]
        message.add(data, self._keep)

    def _finish(self, message: Message) -> None:
        message.is_complete = True
        self._step = self._head
        self._changed(message)
