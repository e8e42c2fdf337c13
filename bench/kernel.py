"""What the kernel knows of running processes and cores: time, memory. Reads /proc; knows nothing of who they are."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Times:
    """Processor seconds, of the user and of the system."""

    user_s: float
    system_s: float

    def since(self, before: Times) -> Times:
        """What went by."""
        return Times(self.user_s - before.user_s, self.system_s - before.system_s)


def family(pid: int) -> list[int]:
    """A process and all those that it and its children have started."""
    children: list[str] = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        children += (thread / "children").read_text(encoding="ascii").split()
    return [pid, *(one for child in children for one in family(int(child)))]


def times(pid: int) -> Times:
    """The processor time of a family.

    The scheduler counts nanoseconds, but only the sum; how it is split the kernel tells in ticks of mostly 10 ms.
    """
    user = system = 0.0
    for one in family(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        user += int(fields[11]) * _TICK_S
        system += int(fields[12]) * _TICK_S
    return Times(user, system)


def run_s(pid: int) -> float:
    """The seconds that all threads of a family, those that are there, have run: to the nanosecond."""
    total = 0
    for one in family(pid):
        for thread in Path(f"/proc/{one}/task").iterdir():
            total += int((thread / "schedstat").read_text(encoding="ascii").split()[0])
    return total / 1e9


def memory(pid: int, which: str) -> int:
    """Bytes of a family: `which` is VmHWM (the most there was), VmRSS (now)."""
    return sum(_line(one, which) for one in family(pid)) * 1024


def _line(pid: int, which: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(which + ":"):
            return int(line.split()[1])
    return 0


@dataclass(frozen=True)
class Core:
    """What a core did since the machine started, in ticks."""

    busy: int
    idle: int

    def busy_since(self, before: Core) -> float:
        """The share of the time in which it was not idle, 0 to 1."""
        busy, idle = self.busy - before.busy, self.idle - before.idle
        return busy / (busy + idle) if busy + idle else 0.0


def core(number: int) -> Core:
    """What a core has done so far."""
    for line in Path("/proc/stat").read_text(encoding="ascii").splitlines():
        name, *ticks = line.split()
        if name == f"cpu{number}":
            counts = [int(one) for one in ticks[:8]]
            idle = counts[3] + counts[4]
            return Core(sum(counts) - idle, idle)
    raise OSError(f"there is no core {number}")


def processor_name() -> str:
    """What the processor calls itself."""
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown"
