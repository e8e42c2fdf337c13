"""How much of what was written to a transport its peer has not taken. Knows Twisted's buffers and the kernel's."""

from __future__ import annotations

import struct
from fcntl import ioctl
from typing import Any

_SIOCOUTQ = 0x5411
"""Linux: the bytes that are in the send queue, sent or not, and not acknowledged; see tcp(7)."""


def waiting(transport: Any) -> int:
    """Bytes that have not left the process, without those that TLS has yet to encrypt."""
    kept = getattr(transport, "unsent", None)  # a double's own count
    if kept is not None:
        return int(kept)
    try:
        return len(transport.dataBuffer) - int(transport.offset) + int(transport._tempDataLen)
    except AttributeError:
        return 0  # one that does not tell


def unsent(transport: Any) -> int:
    """Bytes that have not left this machine, or that the peer's has not acknowledged."""
    return waiting(transport) + _in_kernel(transport)


def _in_kernel(transport: Any) -> int:
    try:
        queued = ioctl(transport.fileno(), _SIOCOUTQ, bytes(4))
    except (AttributeError, OSError, ValueError, TypeError):
        return 0  # no socket, or one of a kind or a system that does not tell
    return int(struct.unpack("i", queued)[0])
