"""A request as far as it has arrived. Sans-I/O."""

from __future__ import annotations

from apigateway.http.fields import Fields
from apigateway.http.heads import RequestHead

MOST_PIECES = 64
"""Pieces of a body that wait are put together when there are more …"""
CRUMB = 64
"""… and where they have fewer bytes than that each, to read them is work."""


class RequestMessage:
    """A request as far as it has arrived: its head, and what of its body nobody has taken yet.

    `is_crumbs`: the body comes in pieces so small that reading them is work.
    """

    __slots__ = ("head", "chunks", "trailers", "complete", "is_crumbs")

    def __init__(self, head: RequestHead) -> None:
        self.head = head
        self.chunks: list[bytes] = []
        self.trailers: Fields = []
        self.complete = self.is_crumbs = False

    def gather(self) -> None:
        """Put many pieces together: one byte each, they would take far more room than their bytes."""
        if len(self.chunks) > MOST_PIECES:
            whole = b"".join(self.chunks)
            self.is_crumbs = len(whole) < len(self.chunks) * CRUMB
            self.chunks = [whole]
