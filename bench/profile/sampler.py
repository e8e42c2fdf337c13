"""Looks again and again at what the main thread does: a sampler that runs in the process that it looks at.

A timer of the kernel rings at a steady rate of real time, and what is on the stack then has done what the thread's
processor clock has counted since the last look: so waiting costs nothing, whatever the rate. The profiling timer
(`ITIMER_PROF`) would do with less, but rings no more often than the kernel's own ticks. Knows nothing of gateways.

Python looks for signals between bytecodes: time in C belongs to the line that called it, and the few instructions
before a call may be booked on what is called.
"""

from __future__ import annotations

import json
import signal
from collections import defaultdict
from pathlib import Path
from time import thread_time
from types import CodeType, FrameType

INTERVAL_S = 0.001
DEPTH = 24
"""How many frames are kept, from the innermost."""

Place = tuple[CodeType, int]
"""A function, and the line in it."""

START, STOP = signal.SIGUSR1, signal.SIGUSR2


class Sampler:
    """Seconds of processor time by stack. `START` begins, `STOP` ends and writes them to `file` as JSON.

    `looks` is how often it has looked.
    """

    def __init__(self, file: Path, interval_s: float = INTERVAL_S) -> None:
        self._file = file
        self._interval_s = interval_s
        self._seconds: defaultdict[tuple[Place, ...], float] = defaultdict(float)
        self.looks = 0
        self._last = 0.0
        self._wakes = -1

    def listen(self) -> None:
        """Wait for `START` and `STOP`; only in the main thread."""
        signal.signal(signal.SIGALRM, self._look)
        signal.signal(START, lambda *_: self.start())
        signal.signal(STOP, lambda *_: self.stop())

    def start(self) -> None:
        """Begin."""
        # A reactor may want to be woken by signals: at this rate that would be all it does.
        self._wakes = signal.set_wakeup_fd(-1)
        self._last = thread_time()
        signal.setitimer(signal.ITIMER_REAL, self._interval_s, self._interval_s)

    def stop(self) -> None:
        """End and write."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.set_wakeup_fd(self._wakes)
        # Whoever waits for the file finds it whole.
        part = self._file.with_suffix(".part")
        part.write_text(json.dumps(self.told()), encoding="utf-8")
        part.rename(self._file)

    def told(self) -> dict[str, object]:
        """How often it looked, and each stack from the innermost frame: [file, function, line] each, and seconds."""
        stacks = [
            [[[code.co_filename, code.co_qualname, line] for code, line in stack], seconds]
            for stack, seconds in self._seconds.items()
        ]
        return {"looks": self.looks, "stacks": stacks}

    def _look(self, number: int, frame: FrameType | None) -> None:
        stack: list[Place] = []
        while frame is not None and len(stack) < DEPTH:
            stack.append((frame.f_code, frame.f_lineno or 0))  # generated code has no lines
            frame = frame.f_back
        now = thread_time()
        self._seconds[tuple(stack)] += now - self._last
        self.looks += 1
        # What the look itself takes is nobody's.
        self._last = thread_time()
