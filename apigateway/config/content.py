"""The bytes of a file: read once, never waited for, and bounded. Knows nothing of what they say."""

from __future__ import annotations

import os
import select
from errno import EFBIG, EINVAL
from stat import S_ISFIFO, S_ISREG

MOST_BYTES = 16 * 1024 * 1024


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
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise OSError(EFBIG, f"it is larger than {MOST_BYTES >> 20} MiB", path)
    return content


def _wait_for_a_writer(descriptor: int) -> None:
    """An open that waits for one would wait for ever where it has written to /dev/stdin, and is gone already."""
    readable = select.poll()
    readable.register(descriptor, select.POLLIN)
    readable.poll()
