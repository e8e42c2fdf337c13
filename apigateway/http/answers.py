"""Answers that the gateway itself gives, as values."""

from __future__ import annotations

from http import HTTPStatus

_REASONS = {status.value: status.phrase.encode() for status in HTTPStatus} | {499: b"Client Closed Request"}


def reason(status: int) -> bytes:
    """The registered phrase of a status code (RFC 9110 §15), or nothing."""
    return _REASONS.get(status, b"")


class Answer:
    """A whole answer. `fields` without framing fields (`Content-Length`, `Transfer-Encoding`)."""

    __slots__ = ("status", "reason", "fields", "body")

    def __init__(self, status: int, fields: list[tuple[bytes, bytes]], body: bytes = b"") -> None:
        self.status = status
        self.reason = reason(status)
        self.fields = fields
        self.body = body
