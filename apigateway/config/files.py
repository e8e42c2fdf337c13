"""The kind of values that name a file, and the reading of what is in those files. Knows no keys.

The text of a configuration can be read without them. One that is to be used has their contents: two are alike only
where the files are, and a reload sees that one has changed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar

from apigateway.config.content import content_of
from apigateway.config.model.files import GivenFile
from apigateway.config.problems import INVALID, Problems
from apigateway.config.scalars import matching
from apigateway.config.source import Node

Made = TypeVar("Made")

_PATH = matching("a path of a file", r"[^\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class FileOf:
    """The path of a file, from the folder of the configuration file where it does not begin with `/`.

    `is_part`: what is in the file belongs to the configuration. Otherwise the value is the path alone.
    """

    noun: str
    is_part: bool = True

    def read(self, node: Node, problems: Problems) -> Any:
        text = replace(_PATH, noun=self.noun).read(node, problems)
        if text is INVALID:
            return INVALID
        path = os.path.join(os.path.dirname(node.where.file), text)
        return GivenFile(path, where=node.where) if self.is_part else path

    def build(self, value: Any, problems: Problems) -> Any:
        return value

    def show(self, value: Any) -> Any:
        return value.path if isinstance(value, GivenFile) else value

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return _PATH.schema(definitions)


class Contents:
    """What is in files, each read once. With `again` also that of files whose content is known from before."""

    def __init__(self, problems: Problems, again: bool = False) -> None:
        self._problems = problems
        self._again = again
        self._known: dict[str, bytes | None] = {}

    def fill(self, value: Made) -> Made:
        """A value of the model with the content of the files in it; the same object where that changes nothing.

        What can't be read is a problem, and stays as it was.
        """
        made: Made = _with(value, self._filled)
        return made

    def _filled(self, file: GivenFile) -> GivenFile:
        if file.content is not None and not self._again:
            return file
        if file.path not in self._known:
            self._known[file.path] = self._read(file)
        content = self._known[file.path]
        return file if content in (None, file.content) else replace(file, content=content)

    def _read(self, file: GivenFile) -> bytes | None:
        try:
            return content_of(file.path)
        except OSError as error:
            self._problems.add(file.where, f"{file.path} cannot be read: {error.strerror}")
            return None


def files_in(value: Any) -> Iterator[GivenFile]:
    """Every file that is named anywhere in a value of the model."""
    if isinstance(value, GivenFile):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from files_in(item)
    elif is_dataclass(value):
        for one in fields(value):
            yield from files_in(getattr(value, one.name))


def _with(value: Any, filled: Callable[[GivenFile], GivenFile]) -> Any:
    if isinstance(value, GivenFile):
        return filled(value)
    if isinstance(value, tuple):
        items = [_with(item, filled) for item in value]
        is_same = all(new is old for new, old in zip(items, value, strict=True))
        return value if is_same else tuple(items)
    if is_dataclass(value) and not isinstance(value, type):
        parts = {one.name: getattr(value, one.name) for one in fields(value)}
        changed = {name: new for name, old in parts.items() if (new := _with(old, filled)) is not old}
        return replace(value, **changed) if changed else value
    return value
