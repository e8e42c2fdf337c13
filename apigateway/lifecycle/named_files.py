"""Looks whether one of the files has changed that a configuration names, such as certificates and keys.

Knows paths and what was in them; not what they are for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.internet.interfaces import IReactorTime

from apigateway.config.model import GivenFile
from apigateway.lifecycle.watch import FileWatch, digest_of


class NamedFiles:
    """Calls `changed` when the content of any of the files is another one than that which is in use."""

    def __init__(self, changed: Callable[[], object], clock: IReactorTime) -> None:
        self._changed = changed
        self._clock = clock
        self._watches: dict[GivenFile, FileWatch] = {}

    def __repr__(self) -> str:
        return f"<NamedFiles {sorted(file.path for file in self._watches)}>"

    def follow(self, files: Iterable[GivenFile]) -> None:
        """Look at these from now on, and at no others."""
        wanted = set(files)
        for file in [one for one in self._watches if one not in wanted]:
            self._watches.pop(file).stop()
        for file in wanted - self._watches.keys():
            watch = self._watches[file] = FileWatch(file.path, self._changed, self._clock)
            watch.start(None if file.content is None else digest_of(file.content))

    def stop(self) -> None:
        """Look no more."""
        self.follow(())
