"""Whether the kernel holds something for a connection that the reactor has not delivered yet.

What is there before a request is sent is no answer to it: an old answer, or the end. Looking costs a system call.
"""

from __future__ import annotations

import socket
from typing import Any


def has_unread(transport: Any) -> bool:
    """Whether bytes or an end wait to be read. Of transports without a socket of their own nothing is known: False."""
    handle = transport.getHandle() if hasattr(transport, "getHandle") else None
    if not isinstance(handle, socket.socket):
        return False
    try:
        handle.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True
