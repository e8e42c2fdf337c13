"""`python -m bench.attacks [--only NAME] [--seconds N]`: each attack, and how well-behaved clients fare under it.

The gateway has one core; attackers, which give way to all others, well-behaved clients and the service share another.
Whatever ends this process ends all that it started.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from string import Template
from time import sleep

from bench.attacks.catalogue import CATALOGUE, Attack
from bench.attacks.good import Served
from bench.peers import CATALOGUE as PEERS
from bench.peers import ROOT
from bench.running import LOAD_CORE, Running, service, started

MIB = 1024.0
"""In kilobytes, as the kernel tells."""

BEGINNING_S = 1.0
"""How long an attack has to unfold before anybody is asked."""


def bound(*command: str, politeness: int = 0) -> list[str]:
    """A command that ends with this process, and leaves the gateway its core."""
    ends = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
    return [*ends, "nice", "-n", str(politeness), "taskset", "-c", str(LOAD_CORE), *command]


def clients(port: int, seconds: float) -> Served:
    """What well-behaved clients get."""
    command = bound(sys.executable, "-m", "bench.attacks.good", f"--port={port}", f"--seconds={seconds}")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return Served(**json.loads(done.stdout))


@contextmanager
def attacked(attack: Attack, port: int) -> Iterator[None]:
    """An attack is under way."""
    own = (sys.executable, "-m", "bench.attacks.flood")
    how = (f"--port={port}", f"--lines={attack.lines}", f"--addresses={attack.addresses}")
    command = [Template(part).safe_substitute(port=port) for part in attack.command]
    process = subprocess.Popen(
        bound(*(command or (*own, attack.flood, *how)), politeness=15),
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        sleep(BEGINNING_S)
        yield
        if process.poll() is not None:
            raise RuntimeError(f"{attack.name} ended by itself, with {process.returncode}")
    finally:
        process.kill()
        process.wait()


def memory(running: Running, what: str) -> float:
    """MiB of the gateway: what it has ("VmRSS") or the most that it had ("VmHWM")."""
    for line in Path(f"/proc/{running.pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith(what):
            return int(line.split()[1]) / MIB
    return 0.0


def run(attack: Attack, seconds: float, folder: Path, upstream: int) -> str:
    """A fresh gateway, before and under the attack; a row of the table."""
    settings = {**attack.settings, "top": f"limits: {{{attack.limits}}}" if attack.limits else ""}
    with started(PEERS["apigateway"], folder, upstream, settings) as gateway:
        clients(gateway.port, 1.0)
        before, rss = clients(gateway.port, seconds), memory(gateway, "VmRSS")
        with attacked(attack, gateway.port):
            during = clients(gateway.port, seconds)
        peak = memory(gateway, "VmHWM")
        after = clients(gateway.port, 1.0)
    wrong = ", ".join(f"{count} x {what}" for what, count in {**during.wrong, **after.wrong}.items()) or "none"
    return (
        f"{attack.name:24} {before.good / seconds:6.0f} {during.good / seconds:6.0f} {during.share:7.1%} "
        f"{before.p50_ms:6.1f} {during.p50_ms:6.1f} {before.p99_ms:7.1f} {during.p99_ms:7.1f} "
        f"{rss:6.0f} {peak:6.0f}  {wrong}"
    )


HEAD = (
    f"{'':24} {'good/s':>6} {'under':>6} {'served':>7} {'p50 ms':>6} {'under':>6} {'p99 ms':>7} {'under':>7} "
    f"{'MiB':>6} {'most':>6}  wrong"
)


def main() -> None:
    """Run the attacks that the command line names, or all."""
    parser = argparse.ArgumentParser(prog="python -m bench.attacks", description=__doc__)
    parser.add_argument("--only", nargs="*", metavar="NAME", choices=CATALOGUE, default=list(CATALOGUE))
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--list", action="store_true", help="show what there is")
    told = parser.parse_args()
    if told.list:
        for attack in CATALOGUE.values():
            print(f"{attack.name:24} {attack.about}")
        return
    print(HEAD, flush=True)
    with tempfile.TemporaryDirectory(prefix="attacks-") as folder, service(Path(folder)) as behind:
        for name in told.only:
            attack = CATALOGUE[name]
            if attack.command and shutil.which(attack.command[0]) is None:
                print(f"{name:24} left out: {attack.command[0]} is not here (apt-get install {attack.command[0]})")
                continue
            print(run(attack, told.seconds, Path(folder), behind.port), flush=True)


if __name__ == "__main__":
    main()
