"""What it means to be told to stop before there is anything to stop.

Imports next to nothing: it comes before all else.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

TO_STOP = (signal.SIGTERM, signal.SIGINT)
"""The signals that ask a process to stop."""


def leave_when_told(
    install: Callable[[int, Any], object] = signal.signal, leave: Callable[[int], object] = os._exit
) -> None:
    """Until somebody takes over, a process that is told to stop ends at once, and has succeeded.

    Nothing is open yet. Whoever is in the middle of an import would take an exception for its own.
    """
    for number in TO_STOP:
        install(number, lambda *_: leave(0))
