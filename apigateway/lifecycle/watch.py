"""Looks whether a file has changed, also where it is replaced or a symbolic link on its way is led elsewhere.

Knows a path and a clock; not what is in the file.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import blake2b

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from apigateway.config.content import content_of

EVERY_S = 1.0

Mark = tuple[int, int, int, int]
"""Device, inode, time of change and size of what the path leads to: the same mark is taken for the same content."""


_UNSEEN: Mark = (-1, -1, -1, -1)
"""No mark of any file, and not that of none."""


def digest_of(content: bytes) -> bytes:
    """What tells one content from another."""
    return blake2b(content, digest_size=16).digest()


def digest_at(path: str) -> bytes | None:
    """The digest of a file; None where there is no regular file, or it can't be read."""
    try:
        return digest_of(content_of(path))
    except OSError:
        return None


def _mark_of(path: str) -> Mark | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


class FileWatch:
    """Calls `changed` when the content of a file is another one, and has been the same at two looks in a row.

    So a file that is being written is not read half done, and an editor that takes it away for a moment to put another
    in its place goes unnoticed until it has. While there is no file nothing happens, beyond that `gone` is called when
    two looks in a row have found none, or one that can't be read.
    """

    def __init__(
        self,
        path: str,
        changed: Callable[[], object],
        clock: IReactorTime,
        gone: Callable[[], object] = lambda: None,
    ) -> None:
        self.path = path
        self._changed = changed
        self._gone = gone
        self._looking = LoopingCall(self._look)
        self._looking.clock = clock
        self._known: bytes | None = None
        self._mark: Mark | None = _UNSEEN
        self._settled = True

    def __repr__(self) -> str:
        return f"<FileWatch {self.path} {'running' if self._looking.running else 'stopped'}>"

    def start(self, known: bytes | None) -> None:
        """Begin to look for content other than that whose digest is `known`. Once started, does nothing."""
        if not self._looking.running:
            self._known = known
            self._mark, self._settled = _UNSEEN, False
            self._looking.start(EVERY_S, now=False)

    def stop(self) -> None:
        """Look no more."""
        if self._looking.running:
            self._looking.stop()

    def forget(self) -> None:
        """Whatever is there next is another content."""
        self._known = None

    def _look(self) -> None:
        mark = _mark_of(self.path)
        if mark != self._mark:
            self._mark, self._settled = mark, False
        elif not self._settled:
            self._settled = True
            self._compare()

    def _compare(self) -> None:
        digest = digest_at(self.path)
        if digest is None:
            self._gone()
        elif digest != self._known:
            self._known = digest
            self._changed()
