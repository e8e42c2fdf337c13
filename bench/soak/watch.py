"""What the gateway's process uses while it is soaked: memory and descriptors, and whether they grow."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, linear_regression

from bench import kernel

EVERY_S = 1.0
MOST_GROWTH = 0.05
"""A tenth of the time at the end may have this share more memory than a tenth at the beginning, beside `SLACK`."""

SLACK = 4 << 20
"""Bytes that an allocator may keep or give back at will."""

MORE_DESCRIPTORS = 3
"""As many more may be open at the end, at rest, than at the beginning: health checks that are under way."""


def descriptors(pid: int) -> int:
    """How many are open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


@dataclass
class Samples:
    """(seconds, bytes of memory, descriptors) since the beginning."""

    taken: list[tuple[float, int, int]] = field(default_factory=list)

    def add(self, seconds: float, memory: int, open_ones: int) -> None:
        """One more."""
        self.taken.append((seconds, memory, open_ones))

    def warm(self) -> list[tuple[float, int, int]]:
        """Those after warming up: a quarter of the time, two minutes at most."""
        end = self.taken[-1][0] if self.taken else 0.0
        return [one for one in self.taken if one[0] >= min(end / 4, 120.0)]

    def thinned(self, most: int) -> list[list[float]]:
        """So many of them, evenly: seconds, MiB, descriptors."""
        step = len(self.taken) // most + 1
        return [[round(at, 1), round(memory / 2**20, 2), count] for at, memory, count in self.taken[::step]]

    def slope(self) -> float:
        """Bytes an hour by which memory grows, as a straight line."""
        warm = self.warm()
        if len(warm) < 2:
            return 0.0
        return linear_regression([one[0] for one in warm], [one[1] for one in warm]).slope * 3600

    def ends(self) -> tuple[float, float]:
        """The mean memory of the first tenth after warming up, and of the last."""
        warm = self.warm()
        size = max(1, len(warm) // 10)
        return fmean(one[1] for one in warm[:size]), fmean(one[1] for one in warm[-size:])

    def is_flat(self) -> bool:
        """Memory did not grow beyond what is allowed."""
        if not self.taken:
            return True
        first, last = self.ends()
        return last <= first * (1 + MOST_GROWTH) + SLACK


async def watch(pid: int, samples: Samples) -> None:
    """Sample until cancelled."""
    began = time.monotonic()
    while Path(f"/proc/{pid}").exists():
        samples.add(time.monotonic() - began, kernel.memory(pid, "VmRSS"), descriptors(pid))
        await asyncio.sleep(EVERY_S)
