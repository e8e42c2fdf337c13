"""How long a connection that is ready waits for its turn, found out by standing in the same line.

A timer that is late tells how long a turn of the reactor takes; where more connections are ready than one turn serves,
those at the end of the line wait for many of them, and no timer shows it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any


class Wait:
    """A descriptor that becomes ready when asked, among those of a poller. `now` reads a monotonic clock."""

    def __init__(self, poller: Any, now: Callable[[], float]) -> None:
        self._poller = poller
        self._now = now
        self._fd = -1
        self._since: float | None = None
        self._last = 0.0

    def __repr__(self) -> str:
        return f"<Wait {self._last:.3f} s{'' if self._since is None else ', waiting'}>"

    def open(self) -> None:
        """Stand among the others, if it does not already."""
        if self._fd < 0:
            self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            self._poller.addReader(self)

    def close(self) -> None:
        """Leave."""
        if self._fd >= 0:
            self._poller.removeReader(self)
            os.close(self._fd)
            self._fd = -1
            self._since = None

    def seconds(self) -> float:
        """How long it waited the last time, or has been waiting this time; then it is in the line once more."""
        if self._since is not None:
            return self._now() - self._since
        if self._fd >= 0:
            self._since = self._now()
            os.eventfd_write(self._fd, 1)
        return self._last

    # What a poller asks of a transport.

    def fileno(self) -> int:
        """See `IFileDescriptor.fileno`."""
        return self._fd

    def doRead(self) -> None:
        """Its turn has come."""
        os.eventfd_read(self._fd)
        if self._since is not None:
            self._last = self._now() - self._since
            self._since = None

    def logPrefix(self) -> str:
        """See `ILoggingContext.logPrefix`."""
        return "wait"

    def connectionLost(self, reason: object) -> None:
        """Nothing is connected."""
