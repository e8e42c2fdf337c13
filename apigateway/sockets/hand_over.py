"""A connection gets another protocol: from then on its bytes go there, without a step in between."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IProtocol


def hand_over(transport: Any, before: IProtocol, after: IProtocol) -> None:
    """Let `after` have the connection whose protocol is `before`, which hears no more of it.

    Raises `ValueError` for a transport that does not let that be done.
    """
    for place in ("protocol", "wrappedProtocol"):  # the second is what TLS calls whom it talks to
        if getattr(transport, place, None) is before:
            setattr(transport, place, after)
            after.makeConnection(transport)
            return
    raise ValueError(f"{transport!r} does not tell whose it is")
