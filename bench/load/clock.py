"""A timer of the kernel that rings at a steady rate: what an open loop is paced by."""

from __future__ import annotations

import ctypes
import os
import struct

_CLOCK_MONOTONIC = 1
_TFD_NONBLOCK = 0o4000
_libc = ctypes.CDLL(None, use_errno=True)


class Metronome:
    """Rings `rate` times a second once it is started; a file descriptor that is readable when it has rung.

    Python's own waits are as coarse as epoll's milliseconds; this is the kernel's high-resolution timer.
    """

    def __init__(self, rate: float) -> None:
        self.interval_s = 1 / rate
        self._file = _libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK)
        if self._file < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")

    def fileno(self) -> int:
        """For epoll."""
        return int(self._file)

    def start(self) -> None:
        """Ring for the first time one interval from now."""
        nanoseconds = max(1, round(self.interval_s * 1e9))
        every = (nanoseconds // 10**9, nanoseconds % 10**9)
        self.interval_s = nanoseconds / 1e9
        if _libc.timerfd_settime(self._file, 0, ctypes.create_string_buffer(struct.pack("4l", *every, *every)), None):
            raise OSError(ctypes.get_errno(), "timerfd_settime")

    def rung(self) -> int:
        """How often it has rung since it was last asked."""
        try:
            return int(struct.unpack("Q", os.read(self._file, 8))[0])
        except BlockingIOError:
            return 0

    def stop(self) -> None:
        """Ring no more."""
        os.close(self._file)
