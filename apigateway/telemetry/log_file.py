"""Where log lines end: a file that is rotated by size, or standard output. Blocks; only the writing thread uses it.

Nothing here raises once it is open: what could not be written is counted by the caller, and the next batch tries again.
A line that was cut in the middle is ended before the next one, so that a full disk costs lines and never joins two.
"""

from __future__ import annotations

import os
import select
import stat
from contextlib import suppress
from typing import Protocol

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY
_MODE = 0o640


class Sink(Protocol):
    """Takes whole lines. `error` is why the last write failed, None if it did not."""

    error: OSError | None

    def open(self) -> None:
        """Make ready; raises OSError where that can't be done."""

    def write(self, lines: bytes) -> int:
        """Write lines and return how many of them were lost."""

    def reopen(self) -> None:
        """Open the same name again, after something else has moved the file away."""

    def close(self) -> None:
        """Write no more."""


class _Descriptor:
    """An open file descriptor, and whether the last line written to it was cut."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._cut = False

    def write(self, lines: bytes) -> tuple[int, OSError | None]:
        """Write lines, ending a cut one first. Returns how many of the bytes were written, and what stopped it."""
        data = b"\n" + lines if self._cut else lines
        written, error = _write(self.fd, data)
        if written:
            self._cut = data[written - 1 : written] != b"\n"
        return max(0, len(lines) - (len(data) - written)), error


def _write(fd: int, data: bytes) -> tuple[int, OSError | None]:
    written = 0
    with memoryview(data) as view:
        while written < len(data):
            try:
                written += os.write(fd, view[written:])
            except BlockingIOError:
                _wait_until_writable(fd)
            except OSError as error:
                return written, error
    return written, None


def _wait_until_writable(fd: int) -> None:
    """Someone with whom the descriptor is shared made it non-blocking, or it is a FIFO: this thread may wait."""
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    poll.poll()


class StandardOutput:
    """File descriptor 1 of the process, whatever `sys.stdout` has become."""

    def __init__(self, fd: int = 1) -> None:
        self._source = fd
        self._descriptor: _Descriptor | None = None
        self.error: OSError | None = None

    def open(self) -> None:
        self._descriptor = _Descriptor(os.dup(self._source))

    def write(self, lines: bytes) -> int:
        if self._descriptor is None:
            return lines.count(b"\n")
        written, self.error = self._descriptor.write(lines)
        return lines.count(b"\n", written)

    def reopen(self) -> None:
        """Standard output has no name to open again."""

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor.fd)
            self._descriptor = None


class RotatedFile:
    """A file that becomes `path.1` before it grows beyond `rotate` bytes; `keep` old files stay, `path.1` the newest.

    A batch of lines is never divided between two files. What is not a plain file, such as a FIFO, a link or
    `/dev/stdout`, is never rotated. A file that could not be opened is tried again with every batch.
    """

    def __init__(self, path: str, rotate: int, keep: int) -> None:
        self._path = path
        self._rotate = rotate
        self._keep = keep
        self._descriptor: _Descriptor | None = None
        self._size = 0
        self.error: OSError | None = None

    def open(self) -> None:
        fd = os.open(self._path, _FLAGS, _MODE)
        self._descriptor = _Descriptor(fd)
        self._size = os.fstat(fd).st_size

    def write(self, lines: bytes) -> int:
        trouble = self._rotate_for(len(lines))
        try:
            descriptor = self._opened()
        except OSError as error:
            self.error = error
            return lines.count(b"\n")
        written, failure = descriptor.write(lines)
        self.error = failure or trouble
        self._size += written
        return lines.count(b"\n", written)

    def _opened(self) -> _Descriptor:
        if self._descriptor is None:
            self.open()
        assert self._descriptor is not None
        return self._descriptor

    def _rotate_for(self, size: int) -> OSError | None:
        """Rotate if the file would grow too large; where that fails the file grows, and the reason is returned."""
        if not self._size or self._size + size <= self._rotate:
            return None
        try:
            if stat.S_ISREG(os.lstat(self._path).st_mode):
                self._move()
                self.close()
        except FileNotFoundError:
            self.close()
        except OSError as error:
            return error
        return None

    def _move(self) -> None:
        if self._keep < 1:
            os.unlink(self._path)
            return
        for number in range(self._keep, 0, -1):
            with suppress(FileNotFoundError):
                os.replace(f"{self._path}.{number - 1}" if number > 1 else self._path, f"{self._path}.{number}")

    def reopen(self) -> None:
        self.close()

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor.fd)
            self._descriptor = None
            self._size = 0


def sink_for(file: str, rotate: int, keep: int) -> Sink:
    """The sink that a configuration names: "-" is standard output, anything else a path."""
    return StandardOutput() if file == "-" else RotatedFile(file, rotate, keep)
