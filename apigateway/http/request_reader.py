"""Reads requests from bytes: what nearly all look like is matched, httptools reads the others.

Limits and the order of messages are kept here. Sans-I/O. Of many requests that are pipelined a few are read ahead into
`ready`, and the bytes of the others are put off; the caller stops reading from the socket while there are any.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import httptools

from apigateway.errors import BAD_REQUEST, HEAD_TOO_LARGE, URI_TOO_LONG, GatewayError
from apigateway.http.fields import Fields
from apigateway.http.framing import check_protocol, read_head
from apigateway.http.heads import CHUNKED, RequestHead
from apigateway.http.ordinary import match_request, match_start
from apigateway.http.ordinary_head import ordinary_head
from apigateway.http.request_message import RequestMessage
from apigateway.http.upgrade import offered

PIPELINED = 16
"""Requests that may wait behind the present one before the connection is read no further."""

SLICE = 4 * 1024
"""httptools can't be stopped: so many bytes it gets at once of what may be many requests, or many chunks."""

SEGMENT = 64 * 1024
"""The most bytes that the parser gets at once; slack for what it keeps out of our sight."""


@dataclass(frozen=True, slots=True)
class HeadLimits:
    """Bounds on a request head, in bytes and fields."""

    head: int = 32 * 1024
    fields: int = 100
    uri: int = 8 * 1024


MOST_REMEMBERED = 2048
"""The most bytes of field lines that a connection remembers: there may be many connections."""

_VERSION_SIZE = len(b" HTTP/1.1\r\n")


def _same_framing(length: int) -> bytes:
    """A head for a fresh parser, which then reads a body that the last one took for another protocol."""
    framing = b"Transfer-Encoding: chunked" if length == CHUNKED else b"Content-Length: %d" % length
    return b"POST / HTTP/1.1\r\nHost: x\r\n%b\r\n\r\n" % framing


class RequestReader:
    """The requests of one connection.

    `ready` holds the messages whose head is complete, oldest first, until the caller takes them. `error` is why the
    connection can't go on after those, `error_head` what could be read of the malformed request. `between_requests`
    says that nothing of a next request has arrived. `put_off` has not been looked at: `go_on` does, and is to be called
    when the last of `ready` is taken; where the reader `waits`, that last one offers to switch to another protocol, and
    what is behind it may be that one's: then `go_on` is for when it was answered and nothing was switched.
    """

    __slots__ = (
        "ready", "error", "error_head", "between_requests", "_limits", "_parser", "_url", "_fields", "_message",
        "_left", "_fed", "_segment", "_last_rest", "_last_lines", "_last_special",
        "_goes_on", "_start", "put_off", "waits", "_due",
    )  # fmt: skip

    def __init__(self, limits: HeadLimits) -> None:
        self.ready: deque[RequestMessage] = deque()
        self.error: GatewayError | None = None
        self.error_head = RequestHead(b"", b"", 1, [], [], {})  # nothing of it could be read
        self.between_requests = True
        self._limits = limits
        self._parser: httptools.HttpRequestParser | None = None
        self._url = b""
        self._fields: Fields = []
        self._message: RequestMessage | None = None
        self._goes_on = True  # no request said that it is the last
        # Bytes of the body of an ordinary request that are still to come; the parser knows nothing of it.
        self._left = 0
        # What followed the last request line, where that was all there was, and what it came to.
        self._last_rest = self._last_lines = b""
        self._last_special: dict[bytes, bytes] = {}
        # Bytes since the last piece that left the parser: an upper bound of what it holds.
        self._fed = self._segment = 0
        # What the parser got of a request line, until the first field is there.
        self._start = b""
        # Bytes of a body of known length that the parser has not passed on yet.
        self._due = 0
        self.put_off = b""
        self.waits = False

    @property
    def has_room(self) -> bool:
        """Whether more may be fed while the messages in `ready` wait: a few heads, and of their bodies nothing."""
        ready = self.ready
        if self.waits and self.put_off:
            return False
        return not ready or (len(ready) < PIPELINED and not ready[-1].chunks and not self.put_off)

    @property
    def is_quiet(self) -> bool:
        """Nothing waits in `ready` or may not be looked at, and nothing is wrong."""
        return not self.ready and self.error is None and not self.waits

    def forget(self) -> None:
        """Let go of all that nobody has taken: nothing more is read."""
        self.ready.clear()
        self.put_off = self._url = self._start = b""
        self._fields, self._parser = [], None

    def go_on(self) -> None:
        """Look at what was put off, as far as there is room."""
        data, self.put_off = self.put_off, b""
        self.waits = False
        self.feed(data)

    def feed(self, data: bytes) -> None:
        """Read on. Never raises: look at `ready` and `error`."""
        if self.put_off or self.waits:
            self.put_off += data
            return
        if self.error is not None:
            return
        if self._left:
            data = self._take_body(data)
        if data and self.between_requests:
            if self._goes_on:
                if self._take_same(data):
                    return
                data = self._take_ordinary(data)
            if not self._goes_on and self.between_requests:
                self._refuse_more(data)
                return
        if data:
            self._parse(data)

    def _refuse_more(self, data: bytes) -> None:
        if data.strip(b"\r\n"):
            self.error = GatewayError(BAD_REQUEST, "The request is not HTTP: Data after `Connection: close`.")

    def _take_same(self, data: bytes) -> bool:
        """Take a request whose fields are those of the one before, byte for byte: most clients repeat themselves.

        Measured: 1 µs for a browser's head, where reading it anew takes 4.
        """
        start = match_start(data)
        if start is None or start.end() + len(self._last_rest) != len(data) or not data.endswith(self._last_rest):
            return False
        method, target = start.groups()
        if not self._last_rest or len(target) > self._limits.uri or len(data) > self._limits.head:
            return False
        message = RequestMessage(RequestHead(method, target, 1, None, None, self._last_special, self._last_lines))
        message.complete = True
        self.ready.append(message)
        self._fed = 0
        return True

    def _take_ordinary(self, data: bytes) -> bytes:
        """Take the requests at the beginning that are ordinary; returns what follows them, which is for the parser."""
        limits, start, end = self._limits, 0, len(data)
        while start < end and not self._left and self._goes_on and len(self.ready) < PIPELINED:
            found = match_request(data, start, start + limits.head)
            if found is None:
                break
            head = ordinary_head(found.groups(), limits)
            if head is None:
                break
            self.ready.append(message := RequestMessage(head))
            self._left = head.length
            self._goes_on = head.keep_alive
            if head.keep_alive and not head.length and found.end() == end and len(head.lines) <= MOST_REMEMBERED:
                self._last_rest = data[found.end(2) + _VERSION_SIZE :]
                self._last_special = head.special
                self._last_lines = head.lines
            start = found.end()
            self._fed = 0
            if not self._left:
                message.complete = True
            else:
                self._message = message
                self.between_requests = False
                self._take_body(data[start : start + self._left])
                start += head.length
        return data[start:] if start else data

    def _take_body(self, data: bytes) -> bytes:
        """Take what belongs to the body; returns what follows it."""
        message, left = self._message, self._left
        assert message is not None
        body = data if len(data) <= left else data[:left]
        if body:
            message.chunks.append(body)
        self._left = left = left - len(body)
        if not left:
            message.complete = True
            self._message = None
            self.between_requests = True
        return data[len(body) :]

    def _parse(self, data: bytes) -> None:
        if self._parser is None:
            self._parser = httptools.HttpRequestParser(self)
        start = 0
        while start < len(data) and self.error is None:
            if len(self.ready) >= PIPELINED:
                self.put_off = data[start:]
                return
            # What is counted in segments must come in segments.
            segment = data[start : start + min(max(self._due, SLICE), SEGMENT)]
            self._segment = size = len(segment)
            self._fed += size
            start += size
            self._start += segment
            try:
                self._parser.feed_data(segment)
            except httptools.HttpParserUpgrade as upgrade:
                # A server may ignore `Upgrade` (RFC 9110 §7.8): what follows is the body, then the next request.
                self._parser = httptools.HttpRequestParser(self)
                if self._message is not None:
                    self._parser.feed_data(_same_framing(self._message.head.length))
                start -= size - upgrade.args[0]
                if self.ready and self.between_requests and offered(self.ready[-1].head):
                    self.waits = True
                    self.put_off = data[start:]
                    return
            except httptools.HttpParserCallbackError as error:
                self._stop(error.__context__)
            except httptools.HttpParserError as error:
                self._stop(GatewayError(BAD_REQUEST, f"The request is not HTTP: {error}."))
            else:
                if self._fed > self._limits.head:
                    self._check_unfinished()
                if self._message is not None:
                    self._message.gather()
            if self.between_requests or self._fields or self._message is not None:
                self._start = b""

    def _stop(self, error: BaseException | None) -> None:
        if not isinstance(error, GatewayError):
            raise RuntimeError("a parser callback failed") from error
        self.error = error

    def _check_unfinished(self) -> None:
        limit = self._limits.head
        if self._fed > limit + SEGMENT or self._size() > limit:
            self.error = self._too_large() if self._message is None else self._trailers_too_large()

    def _check_trailers(self, trailers: Fields) -> None:
        limits = self._limits
        if len(trailers) > limits.fields or (self._fed > limits.head and self._size() > limits.head):
            raise self._trailers_too_large()

    def _size(self) -> int:
        """Bytes of the fields that are complete: those of the head with its target, or later the trailers."""
        target = len(self._url) if self._message is None else 0
        return target + sum(len(name) + len(value) + 4 for name, value in self._fields)

    def _trailers_too_large(self) -> GatewayError:
        limits = self._limits
        detail = f"At most {limits.head} bytes and {limits.fields} fields are taken as trailers."
        return GatewayError(BAD_REQUEST, detail)

    def _too_large(self) -> GatewayError:
        if len(self._url) > self._limits.uri or (not self._fields and not self._url):
            return GatewayError(URI_TOO_LONG, f"At most {self._limits.uri} bytes are taken.")
        return GatewayError(
            HEAD_TOO_LARGE, f"At most {self._limits.head} bytes and {self._limits.fields} fields are taken."
        )

    # httptools calls these while it is fed.

    def on_message_begin(self) -> None:
        self._url = b""
        self._fields = []
        self._fed = self._segment
        self.between_requests = False

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._fields and self._message is None:
            check_protocol(self._url, self._start)
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        parser, fields, limits = self._parser, self._fields, self._limits
        assert parser is not None  # it is what calls this
        if self._message is not None:
            self._fields = self._message.trailers  # the head was made up, see `_same_framing`
            return
        if (
            len(self._url) > limits.uri
            or len(fields) > limits.fields
            or (self._fed > limits.head and self._size() > limits.head)
        ):
            raise self._too_large()
        method = parser.get_method()
        try:
            if not fields:
                check_protocol(self._url, self._start)
            head = read_head(method, self._url, parser.get_http_version(), fields, parser.should_keep_alive())
        except GatewayError:
            self.error_head = RequestHead(method, self._url, 1, fields, fields, {})
            raise
        self._goes_on = head.keep_alive
        self._message = message = RequestMessage(head)
        self._fields = message.trailers
        self._fed = self._segment
        self._due = head.length
        self.ready.append(message)

    def on_body(self, body: bytes) -> None:
        self._fed = self._segment
        self._due -= len(body)
        self._message.chunks.append(body)  # type: ignore[union-attr]  # the parser calls this inside a message only

    def on_message_complete(self) -> None:
        message = self._message
        if message is not None:
            if message.head.length and self._parser is not None and self._parser.should_upgrade():
                return  # the parser believes that what follows is another protocol
            if message.trailers:
                self._check_trailers(message.trailers)
            message.complete = True
        self._message = None
        self._fed = self._due = 0
        self.between_requests = True
