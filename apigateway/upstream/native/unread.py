"""Whether the kernel holds something for a connection that the reactor has not delivered yet.

What is there before a request is sent is no answer to it: an old answer, or the end. Looking costs a system call.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from functools import partial
from typing import Any


def has_unread(transport: Any) -> bool:
    """Whether bytes or an end wait to be read. Of transports without a socket of their own nothing is known: False."""
    return bool(look_at(transport)())


def look_at(transport: Any) -> Callable[[], object]:
    """`has_unread` for many looks at one transport, while it is open: what the call gives is true where it is."""
    handle = _socket_of(transport)
    if handle is None:
        return _nothing
    # Waits for nothing, and costs a fifth of a `recv` that has to raise.
    poll = select.poll()
    try:
        poll.register(handle, select.POLLIN)
    except (OSError, ValueError):
        return _something
    read_now = getattr(transport, "read_now", None)
    # What the kernel holds for TLS may be a word of its own.
    return partial(poll.poll, 0) if read_now is None else partial(_look_within, poll, read_now)


def _look_within(poll: select.poll, read_now: Callable[[], bool]) -> bool:
    return bool(poll.poll(0)) and read_now()


def talks(transport: Any) -> bool:
    """Whether bytes wait to be read, and not only an end."""
    said = getattr(transport, "has_delivered", None)  # TLS: what has come was read by the look before
    if said is not None:
        return bool(said)
    handle = _socket_of(transport)
    try:
        return handle is not None and bool(handle.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except OSError:
        return False


def _socket_of(transport: Any) -> socket.socket | None:
    handle = transport.getHandle() if hasattr(transport, "getHandle") else None
    return handle if isinstance(handle, socket.socket) else None


def _nothing() -> bool:
    return False


def _something() -> bool:
    return True
