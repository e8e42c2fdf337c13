"""Reads responses from bytes: what nearly all look like is matched, httptools reads the others.

Which response belongs to which request is kept here.

Sans-I/O. What a reader has read is left in its attributes for the caller to take after each `feed`.
"""

from __future__ import annotations

import re

import httptools

from apigateway.errors import BAD_RESPONSE, GatewayError
from apigateway.http.fields import FRAMING, Fields, connection_options, response_fields
from apigateway.http.lines import join_lines
from apigateway.http.ordinary import match_response
from apigateway.http.upgrade import Offer, taken

MAX_HEAD_BYTES = 64 * 1024
MAX_FIELDS = 256
MAX_INTERIM = 100
"""The most interim answers before a final one: a service that sends them for ever has no answer."""

_SEGMENT = 64 * 1024
_NO_BODY = frozenset((b"204", b"304"))
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class ResponseReader:
    """The responses of one connection, one after the other; call `expect` before each.

    `interim` holds (status, fields) of 1xx answers. `status` is 0 until the final head is complete; then `reason`,
    `lines` (the fields that are passed on), `length` (None: unknown) and `keep_alive` are set. `chunks` is what came
    of the body. `is_whole` says that an ordinary answer came all at once, `complete` that the message is over,
    `until_close` that the end of the connection is its end, `excess` that more came than was asked for, or may still
    come: then nothing else must be read from this connection. `error` is a `GatewayError`.

    `offer` is what the request offers to switch to; once the service has, `switched` names it, and `rest` is what came
    of that protocol.
    """

    __slots__ = (
        "interim", "status", "reason", "lines", "length", "keep_alive", "chunks", "trailers", "complete", "is_whole",
        "until_close", "excess", "error", "_is_head", "_is_parsed", "_is_begun", "_parser", "_pending",
        "_pending_reason", "_fed", "_segment", "_left", "_interims", "offer", "switched", "rest",
    )  # fmt: skip

    def __init__(self) -> None:
        self.error: GatewayError | None = None
        self.excess = False
        self.offer: Offer | None = None
        self.switched = self.rest = b""
        self.interim: list[tuple[int, Fields]] = []
        self.trailers: Fields = []
        self._parser: httptools.HttpResponseParser | None = None
        self._is_parsed = False
        self._pending: Fields = []
        self._pending_reason = b""
        self._fed = self._segment = self._left = self._interims = 0
        self.expect(is_head=False)

    def expect(self, is_head: bool) -> None:
        """Get ready for the response to the next request; one to HEAD has no body whatever it says."""
        self._is_head = is_head
        if self._is_parsed:
            self.interim, self.trailers = [], []
            self._interims = 0
        self._is_parsed = self._is_begun = False
        self.status = 0
        self.reason = self.lines = b""
        self.length: int | None = None
        self.chunks: list[bytes] = []
        self.complete = self.is_whole = self.until_close = self.keep_alive = False

    def forget(self) -> None:
        """Let go of the parser, which holds this: nothing more is read."""
        self._parser = None

    def _begin_parsing(self) -> None:
        self._is_parsed = True
        self._pending = []
        self._pending_reason = b""
        if self._parser is None:
            self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Read on. Never raises: look at the attributes."""
        if self.error is not None:
            return
        if self._left:
            self._take_body(data)
        elif self.complete:
            self._note_excess(data)
        elif self._is_parsed or self._is_head or not self._take_ordinary(data):
            self._parse(data)

    def passes(self, data: bytes) -> bool:
        """Whether all of this is a piece in the middle of a body of known length; it is counted then, and not kept."""
        left = self._left - len(data)
        if left <= 0:
            return False
        self._left = left
        return True

    def _take_ordinary(self, data: bytes) -> bool:
        """Take an ordinary answer with a body of known length; the parser then never sees it."""
        found = match_response(data, 0, MAX_HEAD_BYTES)
        if found is None:
            return False
        status, reason, lines, more, length, rest, last = found.groups()
        if more or rest or last:
            lines = b"".join((lines, more or b"", rest, last or b""))
        # There are up to five that are not among the lines.
        if status in _NO_BODY or lines.count(b"\n") > MAX_FIELDS - 5:
            return False
        self.status = int(status)
        self.reason = reason
        self.lines = lines
        self.length = self._left = int(length)
        self.keep_alive = True
        self._take_body(data[found.end() :])
        self.is_whole = self.complete
        return True

    def _take_body(self, data: bytes) -> None:
        left = self._left - len(data)
        if left < 0:
            self._note_excess(data[left:])
            data = data[:left]
            left = 0
        if data:
            self.chunks.append(data)
        self._left = left
        self.complete = not left

    def _note_excess(self, data: bytes) -> None:
        # Empty lines after a message are not another one, as parsers have it (RFC 9112 §2.2).
        self.excess = self.excess or bool(data.strip(b"\r\n"))

    def _parse(self, data: bytes) -> None:
        if not self._is_parsed:
            self._begin_parsing()
        if not self._is_begun:
            self._check_start(data)
        while data and self.error is None:
            # What is counted in segments must come in segments.
            segment, data = (data, b"") if len(data) <= _SEGMENT else (data[:_SEGMENT], data[_SEGMENT:])
            self._parse_segment(segment)
            if self.switched:
                self.rest += data
                self._parser = None
                return

    def _check_start(self, data: bytes) -> None:
        """llhttp reads answers of other protocols as if they were HTTP's, and does not tell."""
        start = data.lstrip(b"\r\n")[:1]
        self._is_begun = bool(start)
        if start not in b"H":
            self.error = GatewayError(BAD_RESPONSE, "The answer is not HTTP.")

    def _parse_segment(self, data: bytes) -> None:
        self._segment = len(data)
        self._fed += self._segment
        if self._parser is None:
            self.excess = True  # a whole answer to HEAD was in the segment before
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self.rest = data[upgrade.args[0] :]
        except httptools.HttpParserCallbackError as error:
            self._stop(error.__context__)
        except httptools.HttpParserError as error:
            self._fail_or_excess(error)
        if self._fed > MAX_HEAD_BYTES + _SEGMENT:
            self.error = GatewayError(BAD_RESPONSE, f"The service sent a head of more than {MAX_HEAD_BYTES} bytes.")

    def _stop(self, error: BaseException | None) -> None:
        if not isinstance(error, GatewayError):
            raise RuntimeError("a parser callback failed") from error
        self.error = error

    def _fail_or_excess(self, error: Exception) -> None:
        # What follows a complete answer can't change it; it only makes the connection unfit for another one.
        if self.complete:
            self.excess = True
        else:
            self.error = GatewayError(BAD_RESPONSE, f"The answer is not HTTP: {error}.")

    # httptools calls these while it is fed.

    def on_message_begin(self) -> None:
        if self.complete:
            self.excess = True
        self._pending = []
        self._pending_reason = b""

    def on_status(self, reason: bytes) -> None:
        self._pending_reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        self._pending.append((name, value))

    def on_headers_complete(self) -> None:
        if self.complete:
            return
        fields = self._pending
        if len(fields) > MAX_FIELDS or self._fed > MAX_HEAD_BYTES + _SEGMENT:
            raise GatewayError(BAD_RESPONSE, f"The service sent a head of more than {MAX_FIELDS} fields.")
        self._fed = self._segment
        if _CONTROL.search(self._pending_reason):
            raise GatewayError(BAD_RESPONSE, "The service answered with control bytes in its status line.")
        parser = self._parser
        status = parser.get_status_code()  # type: ignore[union-attr]  # the parser calls this: it is there
        if status < 200:
            if status < 100:
                raise GatewayError(BAD_RESPONSE, "The service answered with a status that is none.")
            if status == 101:
                self.switched = taken(self.offer, fields)
                self.reason = self._pending_reason
                self.lines = join_lines(response_fields(fields))
                return
            if any(name.lower() in FRAMING for name, _ in fields):
                raise GatewayError(BAD_RESPONSE, "The service sent an interim answer that announces a body.")
            self.interim.append((status, fields))
            self._interims += 1
            if self._interims > MAX_INTERIM:
                raise GatewayError(BAD_RESPONSE, "The service sent too many interim answers.")
            return
        self.status = status
        self.reason = self._pending_reason
        self.lines = join_lines(response_fields(fields))
        self._pending = self.trailers
        self.keep_alive = parser.should_keep_alive()  # type: ignore[union-attr]
        self._read_framing(parser.get_http_version(), fields)  # type: ignore[union-attr]
        if self._is_head:
            self._parser = None
            self._pending = []
            self.complete = True

    def _read_framing(self, version: str, fields: Fields) -> None:
        """RFC 9112 §6.3; only `chunked` is understood, and two framings are refused by the parser."""
        if version not in ("1.1", "1.0"):
            raise GatewayError(BAD_RESPONSE, "The service answered in a version that is not HTTP/1.1 or HTTP/1.0.")
        if version == "1.0":
            # To llhttp `Proxy-Connection` is as good, and "keep-alive" goes before "close".
            named = connection_options(b",".join(value for name, value in fields if name.lower() == b"connection"))
            self.keep_alive = self.keep_alive and b"keep-alive" in named and b"close" not in named
        chunked = False
        for name, value in fields:
            size = len(name)
            if size == 14 and name.lower() == b"content-length":
                self.length = int(value)
            elif size == 17 and name.lower() == b"transfer-encoding":
                # A tab behind it is more than llhttp can read: it would take the chunks for the body.
                if value.strip(b" ").lower() != b"chunked" or chunked or version == "1.0":
                    raise GatewayError(BAD_RESPONSE, "The service used a transfer coding other than 'chunked'.")
                chunked = True
        if self._is_head or self.status in (204, 304):
            # A body that is announced may follow after all, at any time, and would answer the next request.
            self.excess = chunked or bool(self.length)
        elif self.length is None and not chunked:
            self.until_close = True
            self.keep_alive = False

    def on_body(self, body: bytes) -> None:
        if self.complete:
            self.excess = True
        else:
            self._fed = self._segment
            self.chunks.append(body)

    def on_message_complete(self) -> None:
        if self.status:
            if self.trailers and any(name.lower() in FRAMING for name, _ in self.trailers):
                raise GatewayError(BAD_RESPONSE, "The service sent framing fields behind the body.")
            self.complete = True
        self._fed = 0
