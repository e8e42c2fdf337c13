"""Reads responses from bytes: httptools does the parsing; which response belongs to which request is kept here.

Sans-I/O. What a reader has read is left in its attributes for the caller to take after each `feed`.
"""

from __future__ import annotations

import re

import httptools

from apigateway.errors import BAD_RESPONSE, GatewayError
from apigateway.http.fields import FRAMING, Fields

MAX_HEAD_BYTES = 64 * 1024
MAX_FIELDS = 256
_SEGMENT = 64 * 1024
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class ResponseReader:
    """The responses of one connection, one after the other; call `expect` before each.

    `interim` holds (status, fields) of 1xx answers. `status` is 0 until the final head is complete; then `reason`,
    `fields`, `length` (None: unknown) and `keep_alive` are set. `chunks` is what came of the body. `complete` says
    that the message is over, `until_close` that the end of the connection is its end, `excess` that more came than
    was asked for. `error` is a `GatewayError`.
    """

    __slots__ = (
        "interim", "status", "reason", "fields", "length", "keep_alive", "chunks", "trailers", "complete",
        "until_close", "excess", "error", "_is_head", "_parser", "_pending", "_pending_reason", "_fed", "_segment",
    )  # fmt: skip

    def __init__(self) -> None:
        self.error: GatewayError | None = None
        self.excess = False
        self._parser: httptools.HttpResponseParser | None = None
        self._fed = self._segment = 0
        self.expect(is_head=False)

    def expect(self, is_head: bool) -> None:
        """Get ready for the response to the next request; one to HEAD has no body whatever it says."""
        if self._parser is None:
            self._parser = httptools.HttpResponseParser(self)
        self._is_head = is_head
        self.interim: list[tuple[int, Fields]] = []
        self.status = 0
        self.reason = self._pending_reason = b""
        self.fields: Fields = []
        self._pending: Fields = []
        self.length: int | None = None
        self.chunks: list[bytes] = []
        self.trailers: Fields = []
        self.complete = self.until_close = self.keep_alive = False

    def feed(self, data: bytes) -> None:
        """Read on. Never raises: look at the attributes."""
        if self.error is not None:
            return
        self._segment = len(data)
        self._fed += self._segment
        if self.complete or self._parser is None:
            self.excess = True
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.error = GatewayError(BAD_RESPONSE, "The service switched protocols without being asked to.")
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
        parser = self._parser
        status = parser.get_status_code()  # type: ignore[union-attr]  # the parser calls this: it is there
        if status < 200:
            if status < 100:
                raise GatewayError(BAD_RESPONSE, "The service answered with a status that is none.")
            if status == 101:
                return
            if any(name.lower() in FRAMING for name, _ in fields):
                raise GatewayError(BAD_RESPONSE, "The service sent an interim answer that announces a body.")
            self.interim.append((status, fields))
            if len(self.interim) > MAX_FIELDS:
                raise GatewayError(BAD_RESPONSE, "The service sent too many interim answers.")
            return
        if _CONTROL.search(self._pending_reason):
            raise GatewayError(BAD_RESPONSE, "The service answered with control bytes in its status line.")
        self.status = status
        self.reason = self._pending_reason
        self.fields = fields
        self._pending = self.trailers
        self.keep_alive = parser.should_keep_alive()  # type: ignore[union-attr]
        self._read_framing(parser.get_http_version())  # type: ignore[union-attr]
        if self._is_head:
            self._parser = None
            self._pending = []
            self.complete = True

    def _read_framing(self, version: str) -> None:
        """RFC 9112 §6.3; only `chunked` is understood, and two framings are refused by the parser."""
        if version not in ("1.1", "1.0"):
            raise GatewayError(BAD_RESPONSE, "The service answered in a version that is not HTTP/1.1 or HTTP/1.0.")
        chunked = False
        for name, value in self.fields:
            size = len(name)
            if size == 14 and name.lower() == b"content-length":
                self.length = int(value)
            elif size == 17 and name.lower() == b"transfer-encoding":
                if value.strip().lower() != b"chunked" or chunked or version == "1.0":
                    raise GatewayError(BAD_RESPONSE, "The service used a transfer coding other than 'chunked'.")
                chunked = True
        if self.status in (204, 304):
            if chunked or (self.length and self.status == 204):
                self.keep_alive = False  # the body that is announced may follow, and would answer the next request
        elif self.length is None and not chunked:
            self.until_close = not self._is_head
            self.keep_alive = self.keep_alive and self._is_head

    def on_body(self, body: bytes) -> None:
        if self.complete:
            self.excess = True
        else:
            self._fed = self._segment
            self.chunks.append(body)

    def on_message_complete(self) -> None:
        if self.status:
            self.complete = True
        self._fed = 0
