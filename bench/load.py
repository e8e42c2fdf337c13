"""The load: wrk with twelve request header fields such as a browser sends, and what it says of the answers."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass

LOAD_CORE = 1
"""The core of the load and of the service behind; the peer has core 0 for itself."""

# wrk adds Host itself: the twelfth.
BROWSER_FIELDS = (
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36",
    "Accept: application/json, text/plain, */*",
    "Accept-Language: en-US,en;q=0.9",
    "Accept-Encoding: gzip, deflate, br",
    "Referer: http://localhost:8000/",
    "Cookie: session=0123456789abcdef0123456789abcdef",
    "Sec-Fetch-Dest: empty",
    "Sec-Fetch-Mode: cors",
    "Sec-Fetch-Site: same-origin",
    'sec-ch-ua: "Chromium";v="120"',
    "Cache-Control: no-cache",
)
_UNITS_US = {"us": 1.0, "ms": 1e3, "s": 1e6, "m": 6e7}


@dataclass(frozen=True)
class Answers:
    """What a turn of load got: whole answers, how many were refusals, seconds, and latencies in microseconds."""

    whole: int
    bad: int
    seconds: float
    p50_us: float
    p99_us: float


def missing_tools() -> list[str]:
    """Which programs are not there, and how to get them."""
    wanted = {
        "wrk": "apt-get install wrk",
        "nginx": "apt-get install nginx-light",
        "taskset": "apt-get install util-linux",
    }
    return [f"{name} is missing: {how}" for name, how in wanted.items() if shutil.which(name) is None]


def load(url: str, connections: int, seconds: float) -> Answers:
    """Ask for `url` over that many connections, each as fast as it is answered."""
    command = ["taskset", "-c", str(LOAD_CORE), "wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--latency"]
    for field in BROWSER_FIELDS:
        command += ["-H", field]
    told = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
    return _read(told)


def _read(told: str) -> Answers:
    done = re.search(r"(\d+) requests in ([\d.]+)(us|ms|s|m),", told)
    if done is None:
        raise RuntimeError(f"wrk did not say how many requests it made:\n{told}")
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)", told)
    lost = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", told)
    bad = (int(errors[1]) if errors else 0) + (sum(map(int, lost.groups())) if lost else 0)
    seconds = float(done[2]) * _UNITS_US[done[3]] / 1e6
    return Answers(int(done[1]), bad, seconds, _latency_us(told, 50), _latency_us(told, 99))


def _latency_us(told: str, percent: int) -> float:
    found = re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s|m)$", told, re.MULTILINE)
    return float(found[1]) * _UNITS_US[found[2]] if found else float("nan")
