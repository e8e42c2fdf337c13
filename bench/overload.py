"""`python -m bench.overload`: more than can be served, with the gateway's bounds and with all of them out of reach.

Two kinds: a service that can work on few requests at once, and a gateway that itself has too much to compute.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bench.load.answers import Asked
from bench.load.impatient import Outcome
from bench.load.own import command
from bench.peers import CATALOGUE, ROOT, Peer
from bench.running import LOAD_CORE, Running, started
from bench.tables import number, terminal

PATIENCE_S = 1.0
"""How long a client waits for its answer."""

TIMES = (1, 2, 4)
"""How much is offered, as multiples of what can be served."""

SLOW_S = 0.05
CONNECTIONS = 16
WORK_S = 0.001

_DEMO = Peer(
    "demo",
    "the demo's product service",
    ("-m", "apigateway.demo", "product", "--port", "$port"),
    "in the checkout",
    environ={"PYTHONPATH": str(ROOT)},
)
_GATEWAY = CATALOGUE["apigateway"]
_BUSY = replace(_GATEWAY, environ={"PYTHONPATH": f"{ROOT}:{ROOT / 'bench' / 'overloaded'}"})


@dataclass(frozen=True)
class Case:
    """What is too much: `capacity` can be served a second. `bounds` and `none` are settings with bounds and without.

    `kept` is how many connections the clients keep; 0: they open them as they come, and close them when they go.
    """

    title: str
    gateway: Peer
    path: str
    capacity: float
    bounds: Mapping[str, str]
    none: Mapping[str, str]
    kept: int = 0


_POOL = f"pool: {{connections: {CONNECTIONS}, waiting: %d}}"
_WORK = f"policies: {{working: {{seconds: {WORK_S}}}}}"

CASES = {
    "service": Case(
        f"a service that takes {SLOW_S * 1000:.0f} ms for a request and works on {CONNECTIONS} at once",
        _GATEWAY,
        f"/api/slow?seconds={SLOW_S}",
        CONNECTIONS / SLOW_S,
        {"service": f"max_in_flight: {CONNECTIONS * 3}\n    {_POOL % 1024}"},
        {"service": f"max_in_flight: 1000000\n    {_POOL % 1000000}\n    timeouts: {{pool: 1h}}"},
    ),
    "gateway": Case(
        f"a gateway that computes for {WORK_S * 1000:.0f} ms for a request",
        _BUSY,
        "/api/products/1",
        0.8 / WORK_S,
        {"service": f"max_in_flight: 1000000\n    {_WORK}"},
        {"service": f"max_in_flight: 1000000\n    {_WORK}", "top": "limits: {lag: false, exchanges: 1000000}"},
        kept=6000,
    ),
}


@contextmanager
def _running(case: Case, settings: Mapping[str, str], folder: Path) -> Iterator[Running]:
    with (
        started(_DEMO, folder, 0, core=LOAD_CORE) as behind,
        started(case.gateway, folder, behind.port, settings) as gateway,
    ):
        yield gateway


def measure(case: Case, times: float, settings: Mapping[str, str], seconds: float, folder: Path) -> Outcome:
    """One turn. Raises `RuntimeError` with what the clients printed where they failed."""
    with _running(case, settings, folder) as gateway:
        asked = Asked(gateway.port, seconds, folder, case.capacity * times)
        words = command("impatient", asked, {"path": case.path, "patience": PATIENCE_S, "kept": case.kept})
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the clients failed:\n{done.stderr}")
    return Outcome(**json.loads(done.stdout))


TITLES = ["offered", "bounds", "good a second", "p50 ms", "p99 ms", "refused", "gave up", "failed"]


def row(times: float, bounds: str, outcome: Outcome) -> list[str]:
    """One line of the table."""
    shown = (outcome.good, outcome.p50_ms, outcome.p99_ms, outcome.refused, outcome.gave_up, outcome.failed)
    return [f"{times:g}x: {number(outcome.offered)}", bounds, *map(number, shown)]


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m bench.overload", description=__doc__)
    parser.add_argument("--cases", default=",".join(CASES), help=f"of: {', '.join(CASES)} (default: all)")
    parser.add_argument("--seconds", type=float, default=10.0, help="of a turn; the first half is not counted")
    options = parser.parse_args()
    if unknown := [name for name in options.cases.split(",") if name not in CASES]:
        raise SystemExit(f"no such case: {', '.join(unknown)}; there are: {', '.join(CASES)}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for case in map(CASES.__getitem__, options.cases.split(",")):
        rows = [TITLES]
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            for times in TIMES:
                for bounds, settings in (("yes", case.bounds), ("none", case.none)):
                    print(f"{case.title}: {times:g}x, bounds: {bounds}", file=sys.stderr)
                    rows.append(row(times, bounds, measure(case, times, settings, options.seconds, Path(folder))))
        print(f"\n{case.title}; clients wait {PATIENCE_S:g} s\n{terminal(rows)}")


if __name__ == "__main__":
    main()
