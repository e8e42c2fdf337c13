"""Which layer of the gateway a stack belongs to: by the file of its innermost frame that is known, and by its line.

Reads source lines, so that what C does can be told from what Python does: a system call, a regular expression, llhttp.
"""

from __future__ import annotations

import linecache
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import apigateway
import twisted

OURS = str(Path(apigateway.__file__).parent) + "/"
TWISTED = str(Path(twisted.__file__).parent) + "/"

ELSEWHERE = "elsewhere"
REGULAR = "http: regular expressions"
LLHTTP = "http: llhttp"

Frame = tuple[str, str, int]
"""File, function, line."""

Stack = tuple[Frame, ...]
"""From the innermost."""

_SYSTEM_CALL = re.compile(r"(?:\bsocket|_epoll|_poller|\bskt|self)\.(send|recv|poll|accept|close|modify|register)\(")
_EXPRESSION = re.compile(r"\bmatch_\w+\(|\.(?:match|search|sub|findall|fullmatch)\(")
_LLHTTP = re.compile(r"\.feed_data\(")
_SOCKETS = (OURS + "sockets/", TWISTED + "internet/")


@cache
def line_of(file: str, line: int) -> str:
    """A line of source."""
    return linecache.getline(file, line)


@cache
def _in_c(frame: Frame) -> str:
    """The layer that a line calls in C, where that is one of its own."""
    file, _, number = frame
    line = line_of(file, number)
    if file.startswith(_SOCKETS):
        call = _SYSTEM_CALL.search(line)
        return f"kernel: {call[1]}" if call else ""
    if file.startswith(OURS + "http/"):
        return REGULAR if _EXPRESSION.search(line) else LLHTTP if _LLHTTP.search(line) else ""
    return ""


def layer_of(stack: Stack) -> str:
    """The layer of a stack."""
    if not stack:
        return ELSEWHERE
    if in_c := _in_c(stack[0]):
        return in_c
    known = next((frame for frame in stack if _folder(frame)), None)
    return _folder(known) if known else ELSEWHERE


def _folder(frame: Frame) -> str:
    """What a file belongs to; nothing where that is not known, as of the standard library, which works for others."""
    file = frame[0]
    if file.startswith(OURS):
        return file.removeprefix(OURS).partition("/")[0].removesuffix(".py")
    return "Twisted" if file.startswith(TWISTED) else ""


def function_of(frame: Frame) -> str:
    """How a function is shown: its module and its name."""
    file, function, _ = frame
    for folder, name in ((OURS, "apigateway/"), (TWISTED, "twisted/")):
        if file.startswith(folder):
            return f"{name}{file.removeprefix(folder)} {function}"
    return f"{Path(file).name} {function}"


def module_of(frame: Frame) -> str:
    """How a module is shown."""
    return function_of(frame).partition(" ")[0]


@dataclass
class Seen:
    """Seconds by layer, by module and by function; of functions also with all that they call."""

    layers: dict[str, float] = field(default_factory=dict)
    modules: dict[str, float] = field(default_factory=dict)
    functions: dict[str, float] = field(default_factory=dict)
    with_calls: dict[str, float] = field(default_factory=dict)
    total: float = 0.0


def seen(stacks: Sequence[tuple[Stack, float]]) -> Seen:
    """What samples come to."""
    found = Seen()
    for stack, seconds in stacks:
        found.total += seconds
        _add(found.layers, layer_of(stack), seconds)
        if not stack:
            continue
        _add(found.modules, module_of(stack[0]), seconds)
        _add(found.functions, function_of(stack[0]), seconds)
        for name in {function_of(frame) for frame in stack}:
            _add(found.with_calls, name, seconds)
    return found


def _add(sums: dict[str, float], name: str, seconds: float) -> None:
    sums[name] = sums.get(name, 0.0) + seconds
