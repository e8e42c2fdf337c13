"""The client's side of an exchange whose client is gone: takes everything, answers nothing."""

from __future__ import annotations

from zope.interface import implementer

from apigateway.errors import CLIENT_GONE, GatewayError
from apigateway.interfaces import Fields, IDownstream


@implementer(IDownstream)
class Nobody:
    """See `IDownstream`; each method does nothing."""

    def send_continue(self) -> None:
        """Nobody waits."""

    def send_informational(self, status: int, fields: Fields) -> None:
        """Nobody waits."""

    def open_body(self) -> None:
        """There is no more of the request."""

    def pause_body(self) -> None:
        """There is no more of the request."""

    def resume_body(self) -> None:
        """There is no more of the request."""

    def send_head(self, status: int, reason: bytes, lines: bytes, length: int | None) -> None:
        """Nobody reads."""

    def send_whole(self, status: int, reason: bytes, lines: bytes, body: bytes) -> None:
        """Nobody reads."""

    def send_body(self, data: bytes) -> None:
        """Nobody reads."""

    def finish(self, trailers: Fields) -> None:
        """Nobody reads."""

    def flush(self) -> None:
        """Nobody reads."""

    def abort(self) -> None:
        """Nobody reads."""

    def progress(self) -> tuple[bool, int]:
        """Nobody waits."""
        return True, 0


NOBODY = Nobody()

GONE = GatewayError(CLIENT_GONE)
"""Why work is given up where nobody is left to have it."""
