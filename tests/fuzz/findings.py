"""Where an input goes that broke a promise, and how to try it again. Also stops what takes for ever."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from types import FrameType

LONGEST_S = 10.0
"""No input may take longer."""


class TooLongError(AssertionError):
    """An input kept its target busy."""


@contextmanager
def in_time(seconds: float = LONGEST_S) -> Iterator[None]:
    """Raise `TooLongError` where the block takes longer, seconds of wall time. For main threads only."""
    before = signal.signal(signal.SIGALRM, _too_long)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _too_long(number: int, frame: FrameType | None) -> None:
    raise TooLongError(f"an input took more than {LONGEST_S:g} s")


def keep(folder: Path, name: str, data: bytes) -> Path:
    """Save an input; the file it is in."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}-{sha256(data).hexdigest()[:12]}"
    file.write_bytes(data)
    return file


def how_to_replay(name: str, file: Path) -> str:
    """The command that tries a saved input again."""
    return f"python -m tests.fuzz {name} --replay {file}"
