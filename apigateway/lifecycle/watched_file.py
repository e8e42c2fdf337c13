"""A file whose content is told at once, and again whenever it changes. Knows not what is in it."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from apigateway.config.content import content_of
from apigateway.lifecycle.watch import FileWatch, digest_of


class WatchedFile:
    """The file at `path`, looked at as a `FileWatch` does."""

    def __init__(self, path: str, clock: IReactorTime) -> None:
        self._path = path
        self._watch = FileWatch(path, self._tell, clock, self._tell)
        self._digest: bytes | None = None

    def __repr__(self) -> str:
        return f"<WatchedFile {self._watch!r}>"

    def start(self, read: Callable[[bytes], None], unreadable: Callable[[str], None]) -> None:
        """Call `read` with the content, or `unreadable` with a sentence: now, and with each change."""
        self._read = read
        self._unreadable = unreadable
        self._tell()
        self._watch.start(self._digest)

    def stop(self) -> None:
        """Tell no more."""
        self._watch.stop()

    def _tell(self) -> None:
        try:
            content = content_of(self._path)
        except OSError as error:
            self._digest = None
            self._watch.forget()
            self._unreadable(f"{self._path} cannot be read: {error.strerror}")
        else:
            self._digest = digest_of(content)
            self._read(content)
