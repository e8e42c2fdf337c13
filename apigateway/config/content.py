"""The bytes of a file: read once, never waited for, and bounded. Knows nothing of what they say."""

from __future__ import annotations

import os
import select
from errno import EFBIG, EINVAL
from stat import S_ISFIFO, S_ISREG
from typing import BinaryIO

MOST_BYTES = 16 * 1024 * 1024
PIECE = 64 * 1024


def content_of(path: str, *, may_wait: bool = False) -> bytes:
    """All that is in a file. Raises OSError, also where there are more than `MOST_BYTES`.

    A pipe or a device may never come to an end, or never begin: what is no regular file is refused with an OSError
    unless the caller `may_wait`.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        mode = os.fstat(descriptor).st_mode
        if not (may_wait or S_ISREG(mode)):
            raise OSError(EINVAL, "it is no regular file", path)
        if S_ISFIFO(mode):
            _wait_for_a_writer(descriptor)
        os.set_blocking(descriptor, True)
        content = _all_of(file)
    if len(content) > MOST_BYTES:
        raise OSError(EFBIG, f"it is larger than {MOST_BYTES >> 20} MiB", path)
    return content


def _all_of(file: BinaryIO) -> bytes:
    """Up to one byte too much. Room for the largest file, asked for at each look at a small one, would never be given
    back to the system: the allocator takes blocks of that size to be usual from then on."""
    pieces: list[bytes] = []
    left = MOST_BYTES + 1
    while left and (piece := file.read(min(left, PIECE))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _wait_for_a_writer(descriptor: int) -> None:
    """An open that waits for one would wait for ever where it has written to /dev/stdin, and is gone already."""
    readable = select.poll()
    readable.register(descriptor, select.POLLIN)
    readable.poll()
