"""Writes HTTP/1 answers as bytes: heads with their framing, bodies, interim answers. Sans-I/O.

Framing: RFC 9112 §6; which answers have no body: RFC 9110 §6.4.1.
"""

from __future__ import annotations

from twisted.internet.interfaces import ITransport

from apigateway.http.heads import RequestHead
from apigateway.http.lines import join_lines
from apigateway.interfaces import Fields

_NO_BODY = frozenset((204, 304))
_NOT_ORDINARY = _NO_BODY | {400}  # after which the connection may have to end


class AnswerWriter:
    """The answers of one connection, one after the other.

    `keep_alive` says whether the connection may carry another exchange, `until_close` that the answer's body ends
    with the connection, `finished` that the answer is complete. `written` counts bytes, without those of answers that
    were whole at once.
    """

    __slots__ = (
        "keep_alive", "until_close", "finished", "written", "_out", "_chunked", "_bodiless", "_minor", "_head_sent",
    )  # fmt: skip

    def __init__(self) -> None:
        self._out: list[bytes] = []
        self.written = 0
        self.keep_alive = True
        self.until_close = self.finished = False
        self._chunked = self._bodiless = self._head_sent = False
        self._minor = 1

    def begin(self, head: RequestHead, complete: bool, closing: bool) -> None:
        """Get ready for the answer to a request."""
        self.keep_alive = head.keep_alive and not closing
        self.until_close = self.finished = self._chunked = self._head_sent = False
        self._minor = head.minor
        self._bodiless = head.method == b"HEAD"

    def close_after(self) -> None:
        """The connection ends with the present answer."""
        self.keep_alive = False

    def leave(self) -> None:
        """The connection ends with the present answer, if that can still be told."""
        if not self._head_sent:
            self.keep_alive = False

    def add_continue(self) -> None:
        """`100 Continue` (RFC 9110 §10.1.1)."""
        if self._minor and not self._head_sent:
            self._out.append(b"HTTP/1.1 100 Continue\r\n\r\n")

    def add_informational(self, status: int, fields: Fields) -> None:
        """Another interim answer; HTTP/1.0 knows none (RFC 9110 §15.2)."""
        if self._minor and not self._head_sent:
            self._out.append(b"HTTP/1.1 %d \r\n%b\r\n" % (status, join_lines(fields)))

    def add_head(self, status: int, reason: bytes, lines: bytes, length: int | None, close: bool) -> None:
        """The head, with the framing that the client understands."""
        if close:
            self.keep_alive = False
        if status in _NO_BODY:
            self._bodiless = True
        framing = self._framing(status, length)
        if not self.keep_alive:
            framing += b"Connection: close\r\n"
        elif not self._minor:
            framing += b"Connection: keep-alive\r\n"
        self._head_sent = True
        self._out.append(b"HTTP/1.1 %d %b\r\n%b%b\r\n" % (status, reason, lines, framing))

    def add_switch(self, reason: bytes, lines: bytes) -> None:
        """The head after which the connection speaks another protocol; `lines` are all of its fields."""
        self._out.append(b"HTTP/1.1 101 %b\r\n%b\r\n" % (reason, lines))

    def ordinary(self, status: int, reason: bytes, lines: bytes, body: bytes) -> bytes:
        """A whole answer that needs nothing but its head and its body; nothing, where it needs more than that."""
        if not self.keep_alive or self._out or self._bodiless or not self._minor or status in _NOT_ORDINARY:
            return b""
        return b"HTTP/1.1 %d %b\r\n%bContent-Length: %d\r\n\r\n%b" % (status, reason, lines, len(body), body)

    def _framing(self, status: int, length: int | None) -> bytes:
        if status == 204:
            return b""
        if length is not None:
            return b"Content-Length: %d\r\n" % length
        if self._bodiless:
            return b""
        if self._minor:
            self._chunked = True
            return b"Transfer-Encoding: chunked\r\n"
        self.until_close = True
        self.keep_alive = False
        return b""

    def add_body(self, data: bytes) -> None:
        """A piece of the body, where the answer has one."""
        if self._bodiless or not data:
            return
        if self._chunked:
            self._out += (b"%x\r\n" % len(data), data, b"\r\n")
        else:
            self._out.append(data)

    def add_end(self, trailers: Fields) -> None:
        """The end; trailers go where the framing has a place for them."""
        self.finished = True
        if self._chunked and not self._bodiless:
            self._out.append(b"0\r\n%b\r\n" % join_lines(trailers))

    def write_to(self, transport: ITransport) -> None:
        """Write all that has been added since the last time."""
        data = self.take()
        if data:
            self.written += len(data)
            transport.write(data)

    def take(self) -> bytes:
        """All that has been added since the last call."""
        out = self._out
        if not out:
            return b""
        self._out = []
        return out[0] if len(out) == 1 else b"".join(out)
