"""What a turn of load got, and the request header fields that it sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# Host is the twelfth.
BROWSER_FIELDS = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36",
    "Accept": "application/json, text/plain, */*",
    "Accept-Language": "en-US,en;q=0.9",
    "Accept-Encoding": "gzip, deflate, br",
    "Referer": "http://localhost:8000/",
    "Cookie": "session=0123456789abcdef0123456789abcdef",
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Site": "same-origin",
    "sec-ch-ua": '"Chromium";v="120"',
    "Cache-Control": "no-cache",
}

PRODUCT = "/api/products/1"
"""The path of the small JSON answer."""


@dataclass(frozen=True)
class Answers:
    """How many answers were whole, how many requests failed (4xx, 5xx, or nothing), body bytes both ways, seconds, and
    the latencies of the whole ones in microseconds. `late` is how many were due and not sent or not answered in time.
    """

    whole: int
    bad: int
    seconds: float
    bytes: int
    p50_us: float
    p99_us: float
    p999_us: float
    late: int = 0


@dataclass(frozen=True)
class Asked:
    """What a load is told: where to ask, for how long, how often (open loops only), and a folder for its files."""

    port: int
    seconds: float
    folder: Path
    rate: float = 0.0


Load = Callable[[Asked], Answers]


def request_head(method: str, path: str, port: int, more: dict[str, str] | None = None) -> bytes:
    """A request head with the twelve fields, and more."""
    fields = {"Host": f"127.0.0.1:{port}", **BROWSER_FIELDS, **(more or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode()
