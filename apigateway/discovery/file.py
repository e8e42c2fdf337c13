"""Targets from a file that others write: read when the file is another, kept while it can't be used.

Knows the file only as something that tells its content, and its format only as a function.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from zope.interface import implementer

from apigateway.discovery.findings import Findings
from apigateway.interfaces import IDiscovery


class Unusable(Exception):
    """The content of a file is not what it should be; the message says what to change, and where."""


class Watched(Protocol):
    """A file that tells its content at once, and again when that changes."""

    def start(self, read: Callable[[bytes], None], unreadable: Callable[[str], None]) -> None:
        """Call `read` with the content, or `unreadable` with the reason: now and with each change."""

    def stop(self) -> None:
        """Tell no more."""


@implementer(IDiscovery)
class FileDiscovery:
    """`parse` makes targets of the content of a file, or raises `Unusable`."""

    def __init__(self, file: Watched, parse: Callable[[bytes], tuple[Any, ...]], findings: Findings) -> None:
        self._file = file
        self._parse = parse
        self._findings = findings

    def __repr__(self) -> str:
        return f"<FileDiscovery {self._findings!r}>"

    @property
    def targets(self) -> tuple[Any, ...] | None:
        """See `IDiscovery.targets`."""
        return self._findings.targets

    def describe(self) -> dict[str, Any]:
        """See `IDiscovery.describe`."""
        return self._findings.describe()

    def start(self) -> None:
        """See `IDiscovery.start`: where the file can be read, its targets are there at once."""
        self._file.start(self._read, self._unreadable)

    def stop(self) -> None:
        """See `IDiscovery.stop`."""
        self._file.stop()

    def _read(self, content: bytes) -> None:
        try:
            targets = self._parse(content)
        except Unusable as error:
            self._findings.failed(str(error), is_news=True)
        else:
            self._findings.found(targets)

    def _unreadable(self, reason: str) -> None:
        self._findings.failed(reason, is_news=True)
