"""A thread that writes log lines, so that a slow disk or a pipe that nobody reads never stops the gateway.

Why a thread: a plain file never says that it would block, and the flags of a descriptor that is shared with other
processes, as standard output is, are not ours to change. The thread waits in `write`; what waits for it is bounded in
bytes, and what does not fit is counted as lost. Knows nothing of exchanges or formats.
"""

from __future__ import annotations

from queue import SimpleQueue
from threading import Thread

from apigateway.telemetry.log_file import Sink

WAITING_BYTES = 8 * 1024 * 1024
"""How much may wait to be written: some 20 000 lines."""

_REOPEN = b"\x00reopen"
_END = b"\x00end"


class Writer:
    """Takes batches of lines from one thread and writes them to `sink` in another.

    `after` is a writer to the same place: what it still has to write is written first.
    """

    def __init__(self, sink: Sink, bound: int = WAITING_BYTES, after: Writer | None = None) -> None:
        self._sink = sink
        self._bound = bound
        self._after = after
        self._is_open = False
        self._queue: SimpleQueue[bytes] = SimpleQueue()
        self._thread: Thread | None = None
        # Each number has one thread that changes it, so that none needs a lock.
        self._bytes_in = self._lines_in = self._refused = 0
        self._bytes_done = self._lines_done = self._failed = 0

    def open(self) -> None:
        """Open the sink, if it is not open. Raises OSError if it can't be opened."""
        if not self._is_open:
            self._sink.open()
            self._is_open = True

    def drop(self) -> None:
        """Close a sink to which nothing was written."""
        if self._thread is None and self._is_open:
            self._sink.close()
            self._is_open = False

    def start(self) -> None:
        """Open the sink and begin to write. Raises OSError if it can't be opened."""
        self.open()
        self._thread = Thread(target=self._run, name="access log", daemon=True)
        self._thread.start()

    def put(self, lines: bytes, count: int) -> None:
        """Have `count` lines written, or count them as lost if too much is waiting."""
        if self._thread is None or self._bytes_in - self._bytes_done + len(lines) > self._bound:
            self._refused += count
            return
        self._bytes_in += len(lines)
        self._lines_in += count
        self._queue.put(lines)

    def lost(self) -> int:
        """How many lines were lost since start."""
        return self._refused + self._failed

    def waiting(self) -> int:
        """How many lines wait to be written."""
        return self._lines_in - self._lines_done

    def error(self) -> OSError | None:
        """Why the last write failed; None if it did not, or none has ended yet."""
        return self._sink.error

    def reopen(self) -> None:
        """Open the file again, after what is waiting has been written."""
        if self._thread is not None:
            self._queue.put(_REOPEN)

    def finish(self) -> None:
        """Write what is waiting, and then no more; waits for nothing."""
        if self._thread is not None:
            self._queue.put(_END)

    @property
    def ended(self) -> bool:
        """All has been written, or nothing was ever to be."""
        return self._thread is None or not self._thread.is_alive()

    def stop(self, wait: float) -> bool:
        """Write what is waiting, for at most `wait` seconds. Returns whether all was written or is known as lost."""
        if self._thread is None:
            return True
        self._queue.put(_END)
        self._thread.join(wait)
        ended = not self._thread.is_alive()
        self._thread = None
        return ended

    def _run(self) -> None:
        self._follow()
        while (lines := self._queue.get()) is not _END:
            if lines is _REOPEN:
                self._sink.reopen()
                continue
            count = lines.count(b"\n")
            self._failed += self._sink.write(lines)
            self._bytes_done += len(lines)
            self._lines_done += count
        self._sink.close()

    def _follow(self) -> None:
        after, self._after = self._after, None
        if after is not None and after._thread is not None:
            after._thread.join()
            self._sink.reopen()  # the other may have moved the file away
