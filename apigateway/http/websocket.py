"""Where the frames of a WebSocket begin and end: their heads are read, their payloads are not. Sans-I/O.

Rules: RFC 6455 §5.2 (frames), §5.5.1 (close), §7.4 (codes).
"""

from __future__ import annotations

GOING_AWAY = 1001
"""An endpoint goes away: a server that stops, a gateway that ends what has been idle for too long."""

_CLOSE = 8
_MASKED = 0x80
_MASK_SIZE = 4
_TWO_BYTES, _EIGHT_BYTES = 126, 127  # the length stands in so many bytes behind the head's first two


def close_frame(code: int, mask: bytes = b"") -> bytes:
    """A close frame with a code and no reason; with `mask`, four bytes, as clients have to send it."""
    payload = code.to_bytes(2, "big")
    if not mask:
        return bytes((0x80 | _CLOSE, len(payload))) + payload
    masked = bytes(byte ^ mask[at] for at, byte in enumerate(payload))
    return bytes((0x80 | _CLOSE, _MASKED | len(payload))) + mask + masked


class Frames:
    """What one side of a WebSocket sends. `is_closed`: the head of its close frame was among it."""

    __slots__ = ("is_closed", "_left", "_head")

    def __init__(self) -> None:
        self.is_closed = False
        # Bytes of the present frame that are still to come, or a head that is not complete.
        self._left = 0
        self._head = b""

    def __repr__(self) -> str:
        where = "between frames" if self.is_between else f"left={self._left} head={len(self._head)}"
        return f"<Frames {where}{' closed' if self.is_closed else ''}>"

    @property
    def is_between(self) -> bool:
        """No frame has begun that is not complete."""
        return not self._left and not self._head

    def feed(self, data: bytes) -> None:
        """So much was sent."""
        size, left = len(data), self._left
        if size < left:
            self._left = left - size
            return
        if not left and size > 1 and not self._head:
            # Mostly it is one small frame, and all of it.
            second = data[1]
            short = second & 0x7F
            if short < _TWO_BYTES and size == (short + 6 if second & _MASKED else short + 2):
                if data[0] & 0x0F == _CLOSE:
                    self.is_closed = True
                return
        self._walk(data, len(data) + len(self._head))

    def take_frame(self, data: bytes) -> int:
        """As `feed`, but only until no frame is incomplete; returns how many bytes that were."""
        if self.is_between:
            return 0
        before = len(self._head)
        return min(self._walk(data, 1), before + len(data)) - before

    def _walk(self, data: bytes, until: int) -> int:
        """Go from frame to frame until at least so many bytes, with those of the head, have been looked at."""
        data, at = self._head + data, self._left
        size = len(data)
        self._head, self._left = b"", 0
        while at < until and at < size:
            length = _length(data, at)
            if not length:
                self._head = data[at:]
                return size
            if data[at] & 0x0F == _CLOSE:
                self.is_closed = True
            at += length
        self._left = max(0, at - size)
        return at


def _length(data: bytes, at: int) -> int:
    """The length of the frame that begins there, with its head; 0 where the head is not complete."""
    known = len(data) - at
    if known < 2:
        return 0
    second = data[at + 1]
    short, mask = second & 0x7F, _MASK_SIZE if second & _MASKED else 0
    if short < _TWO_BYTES:
        return 2 + mask + short
    wide = 2 if short == _TWO_BYTES else 8
    if known < 2 + wide:
        return 0
    return 2 + wide + mask + int.from_bytes(data[at + 2 : at + 2 + wide], "big")
