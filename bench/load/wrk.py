"""The load of wrk, which can do most: kept or new connections, uploads, pipelines."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from math import ceil
from pathlib import Path

from bench.load.answers import BROWSER_FIELDS, PRODUCT, Answers, Asked, Load
from bench.running import LOAD_CORE

SCRIPTS = Path(__file__).parent / "scripts"
PATIENCE_S = 30
"""When wrk takes a request for lost: a slow peer with many clients needs some seconds for each."""


def wrk(
    path: str = PRODUCT,
    connections: int = 64,
    script: str | None = None,
    values: Mapping[str, int] | None = None,
    new_connections: bool = False,
    size: int = 0,
    scheme: str = "http",
) -> Load:
    """Ask for `path` over that many connections, each as fast as it is answered, for whole seconds: wrk has no others.

    `script` is one of those that lie beside, with `values`; `size` is the length of the body that each exchange moves.
    """

    def load(asked: Asked) -> Answers:
        lua = asked.folder / "wrk.lua"
        lua.write_text(script_text(script, values or {}), encoding="utf-8")
        command = ["taskset", "-c", str(LOAD_CORE), "wrk", "-t1", f"-c{connections}", f"-d{ceil(asked.seconds)}s"]
        command += [f"--timeout={PATIENCE_S}s", "-s", str(lua)]
        fields = {**BROWSER_FIELDS, **({"Connection": "close"} if new_connections else {})}
        for name, value in fields.items():
            command += ["-H", f"{name}: {value}"]
        done = subprocess.run(
            [*command, f"{scheme}://127.0.0.1:{asked.port}{path}"], capture_output=True, text=True, check=False
        )
        return read(done.stdout + done.stderr, size)

    return load


def script_text(name: str | None, values: Mapping[str, int]) -> str:
    """A script of those beside, with its values before it, and what tells the result behind it."""
    parts = [f"{value} = {number}\n" for value, number in values.items()]
    for file in (name, "told"):
        if file is not None:
            parts.append((SCRIPTS / f"{file}.lua").read_text(encoding="utf-8"))
    return "".join(parts)


def read(told: str, size: int = 0) -> Answers:
    """What `told.lua` printed at the end of a run; raises `RuntimeError` where it did not."""
    line = re.search(r"^told (.*)$", told, re.MULTILINE)
    if line is None:
        raise RuntimeError(f"wrk did not say what it got:\n{told}")
    whole, status, lost, microseconds, received, *latencies = (int(number) for number in line[1].split())
    p50, p99, p999 = (float(one) for one in latencies)
    moved = whole * size if size else received
    return Answers(whole, status + lost, microseconds / 1e6, moved, p50, p99, p999)
